package client_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/clawless/clawless/client"
)

// streamed is a step that answers an event stream, and then breaks the connection.
func streamed(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Clawless-Run-Id", "run_1")
		flush := http.NewResponseController(w)
		for _, p := range parts {
			_, _ = w.Write([]byte(p))
			_ = flush.Flush()
		}
		panic(http.ErrAbortHandler)
	}
}

func frame(id, text string) string {
	return "id: " + id + "\ndata: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + text + "\"},\"finish_reason\":null}]}\n\n"
}

const (
	noSay  = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":null}]}\n\n"
	ending = "id: 3\ndata: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\nid: 4\ndata: [DONE]\n\n"
)

// TestPaceOfReconnections: a client comes back no sooner than the stream or a refusal asks, goes on where it was, and takes another server's "not here" for no end.
func TestPaceOfReconnections(t *testing.T) {
	s := play(t, streamed("retry: 7", "00\n\n", frame("1", "a")), refusal(503, "shutting_down", "Retry-After", "3"), refusal(409, "conflict", "Retry-After", "1"),
		streamed("retry: 900\r\n\r\n", noSay), streamed("retry: x1\n\nretry: 99999999999\n\nretry:12345678901234567890\n\n", frame("2", "b")), streamed("retry: 4000000\n\n", noSay), streamed(ending))
	c := connect(t, client.Options{BaseURL: s.srv.URL, MaxRetries: -1})
	var naps []time.Duration
	c.Naps(nap(&naps))
	r, err := client.Collect(c.Chat(t.Context(), client.ChatRequest{SessionID: "ses_1", Messages: said("x")}))
	if err != nil || r.Text != "ab" || r.Finish.Reason != "stop" {
		t.Fatalf("%+v, %v", r, err)
	}
	least := []time.Duration{700 * time.Millisecond, 3 * time.Second, time.Second, 900 * time.Millisecond, 900 * time.Millisecond, 30 * time.Second}
	if len(naps) != len(least) {
		t.Fatalf("waited %v", naps)
	}
	for i, d := range naps {
		if most := least[i] + time.Second; d < least[i] || d > most {
			t.Errorf("wait %d was %s, want %s to %s", i, d, least[i], most)
		}
	}
	var from []string
	for _, q := range s.requests() {
		from = append(from, q.Method+" "+q.Header.Get("Last-Event-ID"))
	}
	want := []string{"POST ", "GET 1", "GET 1", "GET 1", "GET 1", "GET 2", "GET 2"}
	for i := range want {
		if len(from) != len(want) || from[i] != want[i] {
			t.Fatalf("asked %q, want %q", from, want)
		}
	}
}

// TestSignsOfLife: a server that is alive and says nothing is come back to for as long as it takes; one that refuses without a time to wait is not.
func TestSignsOfLife(t *testing.T) {
	steps := []http.HandlerFunc{streamed(frame("1", "a"))}
	for range 30 {
		steps = append(steps, streamed("retry: 1\n\n", noSay))
	}
	s := play(t, append(steps, streamed(ending))...)
	c := connect(t, client.Options{BaseURL: s.srv.URL, MaxRetries: -1, MaxResumes: 2})
	c.Naps(nap(nil))
	if r, err := client.Collect(c.Chat(t.Context(), client.ChatRequest{SessionID: "ses_1", Messages: said("x")})); err != nil || r.Text != "a" {
		t.Errorf("%+v, %v", r, err)
	}
	s = play(t, streamed(frame("1", "a")), refusal(409, "conflict"))
	c = connect(t, client.Options{BaseURL: s.srv.URL, MaxRetries: -1})
	c.Naps(nap(nil))
	var e *client.Error
	if _, err := client.Collect(c.Chat(t.Context(), client.ChatRequest{SessionID: "ses_1", Messages: said("x")})); !errors.As(err, &e) || e.HTTPStatus() != 409 {
		t.Errorf("%v", err)
	}
	s = play(t, streamed(frame("1", "a")))
	c = connect(t, client.Options{BaseURL: s.srv.URL, MaxRetries: -1})
	ctx, cancel := context.WithCancel(t.Context())
	c.Naps(func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() })
	if _, err := client.Collect(c.Chat(ctx, client.ChatRequest{SessionID: "ses_1", Messages: said("x")})); !errors.Is(err, context.Canceled) {
		t.Errorf("left while it waits: %v", err)
	}
}
