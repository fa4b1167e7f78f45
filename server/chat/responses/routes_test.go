package responses

import (
	"bufio"
	"context"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sse"
)

// streaming serves one answer made of chunks.
func streaming(t *testing.T, chunks iter.Seq2[llm.Chunk, error]) string {
	t.Helper()
	echo := newEcho(t, `{"input":"x"}`)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream(r.Context(), sse.Start(w, time.Minute), echo, newAnswer(), 7, chunks)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestStream: the names of a stream's events, and of one that breaks off.
func TestStream(t *testing.T) {
	for _, broken := range []bool{false, true} {
		url := streaming(t, func(yield func(llm.Chunk, error) bool) {
			if !yield(llm.Chunk{Refusal: "no"}, nil) {
				return
			}
			if broken {
				yield(llm.Chunk{}, fault.New(fault.StreamBroken, "the stream broke"))
				return
			}
			yield(llm.Chunk{FinishReason: llm.FinishStop}, nil)
		})
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Content-Encoding") != "" || res.ContentLength >= 0 {
			t.Errorf("%v %v", err, res.Header)
		}
		var names []string
		for _, event := range strings.Split(strings.TrimSuffix(string(b), "\n\n"), "\n\n") {
			name, data, ok := strings.Cut(event, "\ndata: ")
			if !ok || !strings.HasPrefix(name, "event: ") || strings.Contains(data, "\n") {
				t.Errorf("no event: %q", event)
			}
			names = append(names, strings.TrimPrefix(strings.TrimPrefix(name, "event: "), "response."))
		}
		want := "created in_progress output_item.added content_part.added refusal.delta "
		if broken {
			want += "failed error"
		} else {
			want += "refusal.done content_part.done output_item.done completed"
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestHangUp: when the reader goes away the range is left, which ends the provider's call.
func TestHangUp(t *testing.T) {
	left := make(chan struct{})
	url := streaming(t, func(yield func(llm.Chunk, error) bool) {
		defer close(left)
		for yield(llm.Chunk{Text: strings.Repeat("word ", 1000)}, nil) {
		}
	})
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "event: response.created\n" {
		t.Errorf("%q %v", line, err)
	}
	res.Body.Close()
	select {
	case <-left:
	case <-time.After(20 * time.Second):
		t.Error("the answer goes on without a reader")
	}
}

// desk is a core that notes what it is asked and answers nothing.
type desk struct{ asked *dialect.Request }

func (d *desk) Ask(_ context.Context, r *dialect.Request) (*chat.Reply, error) {
	d.asked = r
	return nil, fault.New(fault.ModelNotFound, "there is no such model").WithParam("model")
}

// Authenticate implements api.Authenticator.
func (*desk) Authenticate(context.Context, string, string) (auth.Principal, error) {
	return auth.Principal{Kind: auth.Key, TenantID: "ten_1", KeyID: "key_1", Scopes: []string{auth.ScopeChat}}, nil
}

// TestRoutes: the session's header, and failures in OpenAI's form, also of a stream that has not begun.
func TestRoutes(t *testing.T) {
	core := &desk{}
	a := api.New(api.Options{Auth: core})
	Routes{Core: core}.Register(a)
	srv := httptest.NewServer(a)
	defer srv.Close()
	for body, want := range map[string]string{
		`{"model":"m","input":"x","stream":true}`:               `404 {"error":{"message":"there is no such model","type":"invalid_request_error","param":"model","code":"model_not_found"`,
		`{"model":7,"input":7}`:                                 `400 {"error":{"message":"input: must be a string or a list of items (and 1 more; see error.details)","type":"invalid_request_error","param":"input","code":"validation_failed","details":[{"field":"input"`,
		`{"input":"x","previous_response_id":"resp_1"}`:         `400 {"error":{"message":"previous_response_id: answers are not kept here; a conversation goes on in a session (POST /v1/sessions, then the header Clawless-Session)`,
		`{"input":"x","tools":[{"type":"web_search_preview"}]}`: `400 {"error":{"message":"tools[0].type: there are no built-in tools here; `,
	} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/v1/responses", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Authorization": "Bearer x", "Content-Type": "application/json", "Clawless-Session": "ses_1"} {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if got := res.Status[:4] + string(b); !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
	if core.asked == nil || core.asked.SessionID != "ses_1" || !core.asked.Stream {
		t.Errorf("asked %+v", core.asked)
	}
}
