package messages

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
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream(r.Context(), sse.Start(w, time.Minute), newAnswer(), 7, chunks)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestStream: the bytes of a stream, and of one that breaks off: the error is its last event.
func TestStream(t *testing.T) {
	for _, broken := range []bool{false, true} {
		url := streaming(t, func(yield func(llm.Chunk, error) bool) {
			if !yield(llm.Chunk{Text: "hi"}, nil) {
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
			names = append(names, strings.TrimPrefix(name, "event: "))
		}
		want := "message_start content_block_start content_block_delta content_block_stop message_delta message_stop"
		if broken {
			want = "message_start content_block_start content_block_delta error"
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if broken && !strings.HasSuffix(string(b), `data: {"type":"error","error":{"message":"the stream broke","type":"api_error","param":null,"code":"stream_broken","details":[],"request_id":""},"request_id":""}`+"\n\n") {
			t.Errorf("%s", b)
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
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "event: message_start\n" {
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
func (*desk) Authenticate(_ context.Context, credential, _ string) (auth.Principal, error) {
	if credential != "good" {
		return auth.Principal{}, fault.New(fault.InvalidKey, "this key is unknown")
	}
	return auth.Principal{Kind: auth.Key, TenantID: "ten_1", KeyID: "key_1", Scopes: []string{auth.ScopeChat}}, nil
}

// TestRoutes: the key in x-api-key, Anthropic's own headers, the session's header, the estimate, and failures in Anthropic's form from every depth.
func TestRoutes(t *testing.T) {
	core := &desk{}
	a := api.New(api.Options{Auth: core})
	Routes{Core: core}.Register(a)
	srv := httptest.NewServer(a)
	defer srv.Close()
	const body = `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"four letters a token"}]}`
	for _, c := range []struct {
		path, key, body string
		status          int
		want            string
	}{
		{"/v1/messages", "good", body, 404, `{"type":"error","error":{"message":"there is no such model","type":"not_found_error","param":"model","code":"model_not_found","details":[],"request_id":"req_`},
		{"/v1/messages?beta=true", "good", body, 404, `"type":"not_found_error"`},
		{"/v1/messages", "bad", body, 401, `"type":"authentication_error"`},
		{"/v1/messages", "good", `{"messages":7,"stream":7}`, 400, `"details":[{"field":"messages","message":"must be a list"},{"field":"stream"`},
		{"/v1/messages", "good", `{"messages":[{"role":"user","content":"x"}],"top_k":1}`, 400, `"param":"top_k","code":"unsupported_parameter"`},
		{"/v1/messages/count_tokens", "good", body, 200, `{"input_tokens":10}`},
		{"/v1/messages/count_tokens", "good", `{}`, 400, `"type":"invalid_request_error"`},
		{"/v1/messages/batches", "good", `{}`, 404, `"type":"not_found_error"`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"X-Api-Key": c.key, "Anthropic-Version": "2023-06-01", "Anthropic-Beta": "a,b", "Content-Type": "application/json", "Clawless-Session": "ses_1"} {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != c.status || !strings.Contains(string(b), c.want) {
			t.Errorf("%s %s: %d %s", c.path, c.body, res.StatusCode, b)
		}
	}
	if core.asked == nil || core.asked.SessionID != "ses_1" || core.asked.MaxTokens != 5 {
		t.Errorf("asked %+v", core.asked)
	}
}
