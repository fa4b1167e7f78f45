package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// frames is a stream under way, read event by event as a client would.
type frames struct {
	t      testing.TB
	res    *http.Response
	in     *bufio.Reader
	cancel context.CancelFunc
}

// event is one event of a stream.
type event struct {
	ID, Data string
}

// stream starts a call whose answer is a stream and demands status 200. Its end, or hangUp, frees it.
func (r *rig) stream(q request) *frames {
	r.t.Helper()
	f, res := r.tryStream(q)
	if res.StatusCode != 200 {
		b, _ := io.ReadAll(res.Body)
		r.t.Fatalf("%s %s: status %d: %s", q.Method, q.Path, res.StatusCode, b)
	}
	if ct := res.Header.Get("Content-Type"); ct != "text/event-stream" {
		r.t.Fatalf("Content-Type %q", ct)
	}
	return f
}

func (r *rig) tryStream(q request) (*frames, *http.Response) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.t.Cleanup(cancel)
	res, err := r.http.Do(q.make(ctx, r.t, r.url))
	if err != nil {
		r.t.Fatalf("%s %s: %v", q.Method, q.Path, err)
	}
	return &frames{r.t, res, bufio.NewReader(res.Body), cancel}, res
}

// next reads one event; ok is false at the end of the stream.
func (f *frames) next() (e event, ok bool) {
	f.t.Helper()
	for {
		line, err := f.in.ReadString('\n')
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, context.Canceled) {
				f.t.Fatalf("read the stream: %v", err)
			}
			return event{}, false
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" && e.Data != "":
			return e, true
		case line == "":
			e = event{}
		case strings.HasPrefix(line, "data: "):
			e.Data = line[len("data: "):]
		case strings.HasPrefix(line, "id: "):
			e.ID = line[len("id: "):]
		case strings.HasPrefix(line, "retry: "):
		default:
			f.t.Fatalf("a line of the stream is none of data, id and retry: %q", line)
		}
	}
}

// rest reads the stream to its end.
func (f *frames) rest() []event {
	f.t.Helper()
	var out []event
	for {
		e, ok := f.next()
		if !ok {
			f.cancel()
			return out
		}
		out = append(out, e)
	}
}

// hangUp leaves the stream as a browser that closes the page.
func (f *frames) hangUp() {
	f.cancel()
	_ = f.res.Body.Close()
}

// chunk is a frame of the chat dialect as strict clients read it.
type chunk struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Model   string `json:"model"`
	Choices []struct {
		Index int `json:"index"`
		Delta struct {
			Role      *string `json:"role"`
			Content   *string `json:"content"`
			Reasoning *string `json:"reasoning_content"`
			Refusal   *string `json:"refusal"`
			ToolCalls []struct {
				Index    *int    `json:"index"`
				ID       *string `json:"id"`
				Type     *string `json:"type"`
				Function struct {
					Name      *string `json:"name"`
					Arguments *string `json:"arguments"`
				} `json:"function"`
			} `json:"tool_calls"`
		} `json:"delta"`
		FinishReason *string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
		Total      int64 `json:"total_tokens"`
	} `json:"usage"`
	Error *problem `json:"error"`
}

func parseChunk(t testing.TB, data string) chunk {
	t.Helper()
	var c chunk
	if err := json.Unmarshal([]byte(data), &c); err != nil {
		t.Fatalf("a frame is not JSON: %v: %s", err, data)
	}
	return c
}

// text joins what the events said and demands a complete answer: [DONE] once and last.
func text(t testing.TB, events []event) string {
	t.Helper()
	said, failed, done := collect(t, events)
	if failed != nil || !done {
		t.Fatalf("the stream is not complete: %q, error %+v, done %v", said, failed, done)
	}
	return said
}

// collect joins what the events said, with the error frame if there is one.
func collect(t testing.TB, events []event) (said string, failed *problem, done bool) {
	t.Helper()
	var text strings.Builder
	defer func() { said = text.String() }()
	for i, e := range events {
		if e.Data == "[DONE]" {
			if i != len(events)-1 {
				t.Fatalf("[DONE] is not last: %v", events[i:])
			}
			return "", failed, true
		}
		c := parseChunk(t, e.Data)
		if c.Error != nil {
			if i != len(events)-1 || !strings.HasPrefix(e.Data, `{"error":`) {
				t.Fatalf("the error frame is not last or does not begin with error: %v", events[i:])
			}
			failed = c.Error
			continue
		}
		for _, ch := range c.Choices {
			if ch.Delta.Content != nil {
				text.WriteString(*ch.Delta.Content)
			}
		}
	}
	return "", failed, false
}
