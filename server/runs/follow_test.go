package runs

import (
	"bufio"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/runs/events"
)

// TestBeats: a silent run gives its readers chunks that say nothing, belong to the same answer, have no id and are in no log, before its first event and after.
func TestBeats(t *testing.T) {
	h := New(Options{Beat: 5 * time.Millisecond})
	defer h.Close()
	first, last := make(chan struct{}), make(chan struct{})
	started := time.Unix(77, 0)
	l, err := h.Start(t.Context(), Run{ID: "run_1", TenantID: "a", Model: "mock/asked", StartedAt: db.At(started)}, func(_ context.Context, l *Live) {
		<-first
		l.Log.Append(Frame, []byte(`{"id":"chatcmpl-run_1","object":"chat.completion.chunk","created":77,"model":"mock/answers","choices":[{"index":0,"delta":{"content":"Hé"},"finish_reason":null}]}`))
		<-last
		l.Log.Append(Done, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Follow(r.Context(), w, l, 0, time.Second, true, true) }))
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	in := bufio.NewScanner(res.Body)
	var blocks []string
	var block strings.Builder
	beats := map[string]int{}
	for in.Scan() {
		if in.Text() != "" {
			block.WriteString(in.Text() + "\n")
			continue
		}
		b := block.String()
		block.Reset()
		if data, ok := strings.CutPrefix(b, "data: "); ok { // a block without an id
			model := beatModel(t, data)
			if beats[model]++; beats[model] == 3 {
				close(map[string]chan struct{}{"mock/asked": first, "mock/answers": last}[model])
			}
			continue
		}
		blocks = append(blocks, b)
	}
	if got := strings.Join(blocks, "|"); !strings.HasPrefix(got, "retry: 1000\n|id: 1\ndata: {") || !strings.HasSuffix(got, "|id: 2\ndata: [DONE]\n") || len(blocks) != 3 {
		t.Errorf("%q", got)
	}
	if l.Log.Len() != 2 || beats["mock/asked"] < 3 || beats["mock/answers"] < 3 {
		t.Errorf("%d events, beats %v", l.Log.Len(), beats)
	}
	if BeatOf([]byte("[DONE]")) != nil || BeatOf([]byte(`{"error":{}}`)) != nil || beatOf(Run{ID: "x", Model: "m"}) != nil {
		t.Error("a beat of something that is no answer")
	}
}

// beatModel demands that a frame says nothing, in the words of the answer it belongs to, and returns its model.
func beatModel(t *testing.T, data string) string {
	t.Helper()
	var c struct {
		ID, Object, Model string
		Created           int64
		Choices           []struct {
			Index        int
			Delta        map[string]any
			FinishReason *string `json:"finish_reason"`
		}
	}
	if err := json.Unmarshal([]byte(data), &c); err != nil || c.ID != "chatcmpl-run_1" || c.Object != "chat.completion.chunk" || c.Created != 77 || len(c.Choices) != 1 ||
		len(c.Choices[0].Delta) != 0 || c.Choices[0].Delta == nil || c.Choices[0].FinishReason != nil || !strings.Contains(data, `"finish_reason":null`) {
		t.Fatalf("%s, %v", data, err)
	}
	return c.Model
}

// TestFarFailureIsTold: a reader without ids, who cannot come back, is told when the events cannot be reached any more; one with ids sees the stream break off.
func TestFarFailureIsTold(t *testing.T) {
	r := Run{ID: "run_1", TenantID: "a"}
	broken := &Live{Run: r, Log: far(func(yield func(Event, error) bool) {
		if yield(Event{Sequence: 1, Kind: Frame, Data: []byte(`{}`)}, nil) {
			yield(Event{}, notHere())
		}
	})}
	for withIDs, want := range map[bool]string{true: "retry: 1000\n\nid: 1\ndata: {}\n\n", false: "data: {}\n\ndata: {\"error\":{"} {
		rec := httptest.NewRecorder()
		Follow(t.Context(), rec, broken, 0, 0, withIDs, true)
		if got := rec.Body.String(); !strings.HasPrefix(got, want) || withIDs && got != want {
			t.Errorf("with ids %v: %q", withIDs, got)
		}
	}
}

func far(seq func(func(Event, error) bool)) *Log {
	return events.Far(func(context.Context, int64) iter.Seq2[Event, error] { return seq })
}
