package openaichat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// serve runs h on a loopback server and returns a client of it.
func serve(t testing.TB, d Dialect, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	e, err := wire.NewEndpoint(llm.Config{Name: "lab", APIKey: "sk-test"}, srv.URL+"/v1")
	if err != nil {
		t.Fatal(err)
	}
	return New(e, d)
}

// reply serves one body.
func reply(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

type answer struct {
	chunks          []llm.Chunk
	text, reasoning string
	refusal         string
	calls           []llm.ToolCall
	finish          llm.FinishReason
	usage           *llm.Usage
	model           string
	err             *llm.Error
}

// collect ranges over an answer and checks what llm.Provider promises on the way.
func collect(t testing.TB, c *Client, req *llm.Request) answer {
	t.Helper()
	var a answer
	for chunk, err := range c.Stream(context.Background(), req) {
		if a.err != nil {
			t.Fatal("something came after the error")
		}
		if err != nil {
			if a.err = llm.AsError(err); a.err == nil {
				t.Fatalf("not an *llm.Error: %v", err)
			}
			continue
		}
		a.chunks = append(a.chunks, chunk)
		a.text, a.reasoning, a.refusal = a.text+chunk.Text, a.reasoning+chunk.Reasoning, a.refusal+chunk.Refusal
		for _, d := range chunk.ToolCalls {
			if d.Index == len(a.calls) {
				if d.ID == "" || d.Name == "" {
					t.Errorf("the first fragment of call %d is %+v", d.Index, d)
				}
				a.calls = append(a.calls, llm.ToolCall{ID: d.ID, Function: llm.ToolCallFunction{Name: d.Name}})
			} else if d.ID != "" || d.Name != "" {
				t.Errorf("a later fragment repeats the name: %+v", d)
			}
			a.calls[d.Index].Function.Arguments += d.Arguments
		}
		if chunk.FinishReason != "" {
			if a.finish != "" {
				t.Error("two finish reasons")
			}
			a.finish = chunk.FinishReason
		}
		if chunk.Usage != nil {
			a.usage = chunk.Usage
		}
		if chunk.Model != "" {
			a.model = chunk.Model
		}
	}
	if a.err == nil && a.finish == "" {
		t.Error("the answer ended without a finish reason and without an error")
	}
	return a
}

func (a answer) calledWith() string {
	var b strings.Builder
	for _, c := range a.calls {
		fmt.Fprintf(&b, "%s(%s)", c.Function.Name, c.Function.Arguments)
	}
	return b.String()
}

func events(frames ...string) string { return "data: " + strings.Join(frames, "\n\ndata: ") + "\n\n" }

// delta is a frame with one delta.
func delta(d string) string {
	return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":` + d + `,"finish_reason":null}]}`
}

func finish(word string) string {
	return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"` + word + `"}]}`
}

const usageFrame = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":1}}}`

var streaming = &llm.Request{Model: "m", Stream: true, Messages: []llm.Message{{Role: "user", Content: json.RawMessage(`"hi"`)}}}

// calling is a frame with fragments of tool calls.
func calling(s string) string { return delta(`{"tool_calls":[` + s + `]}`) }

var streamTests = []struct {
	name, body                  string
	text, reasoning, calls, end string
	usage                       llm.Usage
}{
	{name: "the ordinary case", body: events(delta(`{"role":"assistant","content":""}`), delta(`{"content":"Hel"}`), delta(`{"content":"lo"}`), finish("stop"), usageFrame, "[DONE]"),
		text: "Hello", end: "stop", usage: llm.Usage{Input: 9, Output: 4, Cached: 5, Reasoning: 1}},
	{name: "no DONE", body: events(delta(`{"content":"Hello"}`), finish("length")), text: "Hello", end: "length"},
	{name: "no blank line at the end", body: strings.TrimRight(events(delta(`{"content":"Hello"}`), finish("stop")), "\n"), text: "Hello", end: "stop"},
	{name: "a preamble without choices", body: events(`{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}`, delta(`{"content":"x"}`), finish("stop"), "[DONE]"), text: "x", end: "stop"},
	{name: "usage on the finish frame, null and zero before", body: events(
		strings.Replace(delta(`{"content":"x"}`), `"choices"`, `"usage":null,"choices"`, 1),
		strings.Replace(delta(`{"content":"y"}`), `"choices"`, `"usage":{"prompt_tokens":0,"completion_tokens":0},"choices"`, 1),
		strings.Replace(finish("stop"), `"choices"`, `"usage":{"prompt_tokens":3,"completion_tokens":2},"choices"`, 1), "[DONE]"),
		text: "xy", end: "stop", usage: llm.Usage{Input: 3, Output: 2}},
	{name: "the finish reason twice", body: events(delta(`{"content":"x"}`), finish("stop"), strings.Replace(finish("stop"), `"choices"`, `"usage":{"prompt_tokens":3,"completion_tokens":2},"choices"`, 1), "[DONE]"),
		text: "x", end: "stop", usage: llm.Usage{Input: 3, Output: 2}},
	{name: "impossible usage is no usage", body: events(delta(`{"content":"x"}`), finish("stop"), `{"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":2}}`, "[DONE]"), text: "x", end: "stop"},
	{name: "a torn usage frame after the finish", body: events(delta(`{"content":"x"}`), finish("stop")) + `data: {"choices":[],"usa`, text: "x", end: "stop"},
	{name: "text after the finish reason", body: events(delta(`{"content":"x"}`), finish("stop"), delta(`{"content":"y"}`), finish("stop"), "[DONE]"), text: "xy", end: "stop"},
	{name: "reasoning under three names", body: events(delta(`{"reasoning_content":"a"}`), delta(`{"reasoning":"b","reasoning_content":"b"}`), delta(`{"thinking":"c"}`), delta(`{"content":"x"}`), finish("stop"), "[DONE]"),
		text: "x", reasoning: "abc", end: "stop"},
	{name: "content as parts", body: events(delta(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"x"}]}`), finish("stop"), "[DONE]"), text: "x", reasoning: "hm", end: "stop"},
	{name: "another choice is not ours", body: events(delta(`{"content":"x"}`), strings.Replace(delta(`{"content":"y"}`), `"index":0`, `"index":1`, 1), finish("stop"), "[DONE]"), text: "x", end: "stop"},
	{name: "a word nobody knows", body: events(delta(`{"content":"x"}`), finish("eos_token"), "[DONE]"), text: "x", end: "stop"},
	{name: "content filter", body: events(delta(`{"content":"x"}`), finish("content_filter"), "[DONE]"), text: "x", end: "content_filter"},
	{name: "tool_calls without calls", body: events(delta(`{"content":"x"}`), finish("tool_calls"), "[DONE]"), text: "x", end: "stop"},
	{name: "escapes and line separators", body: events(delta(`{"content":"a\u2028\ud83d\ude00\n\t\"\\"}`), delta(`{"content":"b\u0001"}`), finish("stop"), "[DONE]"), text: "a\u2028😀\n\t\"\\b\x01", end: "stop"},

	{name: "calls as OpenAI sends them", body: events(calling(`{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}`), calling(`{"index":0,"function":{"arguments":"{\"x\""}}`), calling(`{"index":0,"function":{"arguments":":1}"}}`),
		calling(`{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}`), finish("tool_calls"), "[DONE]"), calls: `f({"x":1})g({})`, end: "tool_calls"},
	{name: "stop with calls", body: events(calling(`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`), finish("stop"), "[DONE]"), calls: `f({})`, end: "tool_calls"},
	{name: "no index", body: events(calling(`{"id":"a","function":{"name":"f","arguments":"{"}}`), calling(`{"function":{"arguments":"}"}}`), calling(`{"id":"b","function":{"name":"f","arguments":"{}"}}`), finish("stop"), "[DONE]"), calls: `f({})f({})`, end: "tool_calls"},
	{name: "all numbered 0 with ids", body: events(calling(`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`), calling(`{"index":0,"id":"b","function":{"name":"g","arguments":"{"}}`), calling(`{"index":0,"function":{"arguments":"}"}}`), finish("stop"), "[DONE]"), calls: `f({})g({})`, end: "tool_calls"},
	{name: "all numbered 0 without ids", body: events(calling(`{"index":0,"function":{"name":"f","arguments":"{\"a\":1}"}}`), calling(`{"index":0,"function":{"name":"f","arguments":"{\"a\":2}"}}`), calling(`{"index":0,"function":{"name":"g","arguments":"{}"}}`), finish("stop"), "[DONE]"), calls: `f({"a":1})f({"a":2})g({})`, end: "tool_calls"},
	{name: "name and id repeated", body: events(calling(`{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}`), calling(`{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}`), calling(`{"index":0,"id":"","function":{"name":"","arguments":""}}`), finish("stop"), "[DONE]"), calls: `f({})`, end: "tool_calls"},
	{name: "the name comes late", body: events(calling(`{"index":0,"id":"a","function":{"arguments":"{"}}`), calling(`{"index":0,"function":{"name":"f","arguments":"}"}}`), finish("stop"), "[DONE]"), calls: `f({})`, end: "tool_calls"},
	{name: "indexes that start at 1 and skip", body: events(calling(`{"index":1,"id":"a","function":{"name":"f","arguments":"{}"}}`), calling(`{"index":4,"id":"b","function":{"name":"g","arguments":"{}"}}`), finish("stop"), "[DONE]"), calls: `f({})g({})`, end: "tool_calls"},
	{name: "the same id twice", body: events(calling(`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":1,"id":"a","function":{"name":"g","arguments":"{}"}}`), finish("stop"), "[DONE]"), calls: `f({})g({})`, end: "tool_calls"},
	{name: "arguments as an object", body: events(calling(`{"index":0,"id":"a","function":{"name":"f","arguments":{"x": 1}}}`), finish("stop"), "[DONE]"), calls: `f({"x": 1})`, end: "tool_calls"},
	{name: "no arguments at all", body: events(calling(`{"index":0,"id":"a","function":{"name":"f"}},{"index":1,"id":"b","function":{"name":"g","arguments":""}}`), finish("stop"), "[DONE]"), calls: `f({})g({})`, end: "tool_calls"},
	{name: "function_call", body: events(delta(`{"function_call":{"name":"f","arguments":"{"}}`), delta(`{"function_call":{"arguments":"}"}}`), finish("function_call"), "[DONE]"), calls: `f({})`, end: "tool_calls"},
}

func TestStreams(t *testing.T) {
	for _, tt := range streamTests {
		t.Run(tt.name, func(t *testing.T) {
			a := collect(t, serve(t, Dialect{}, reply("text/event-stream", tt.body)), streaming)
			if a.err != nil {
				t.Fatal(a.err)
			}
			if a.text != tt.text || a.reasoning != tt.reasoning || a.calledWith() != tt.calls || string(a.finish) != tt.end {
				t.Errorf("got text %q, reasoning %q, calls %s, %s", a.text, a.reasoning, a.calledWith(), a.finish)
			}
			if got := a.usage; (got == nil) != (tt.usage == llm.Usage{}) || got != nil && *got != tt.usage {
				t.Errorf("usage %+v, want %+v", got, tt.usage)
			}
			if a.model != "m-1" || a.chunks[0].Model != "m-1" {
				t.Errorf("model %q", a.model)
			}
			seen := map[string]bool{}
			for _, c := range a.calls {
				if seen[c.ID] {
					t.Errorf("two calls have the id %q", c.ID)
				}
				seen[c.ID] = true
			}
			for _, c := range a.chunks {
				if c.Text == "" && c.Reasoning == "" && len(c.ToolCalls) == 0 && c.FinishReason == "" {
					t.Errorf("an empty chunk: %+v", c)
				}
			}
		})
	}
}

func TestBrokenStreams(t *testing.T) {
	tests := []struct {
		name, body string
		class      llm.Class
		text       string
	}{
		{"nothing", "", llm.ClassBroken, ""},
		{"a lone DONE", events("[DONE]"), llm.ClassBroken, ""},
		{"no finish reason", events(delta(`{"content":"x"}`)), llm.ClassBroken, "x"},
		{"DONE without a finish reason", events(delta(`{"content":"x"}`), "[DONE]"), llm.ClassBroken, "x"},
		{"not JSON", events(delta(`{"content":"x"}`), `{"choices":`), llm.ClassBroken, "x"},
		{"the wrong types", events(delta(`{"content":"x"}`), `{"choices":"none"}`), llm.ClassBroken, "x"},
		{"HTML", "<html><body>502 Bad Gateway</body></html>", llm.ClassBroken, ""},
		{"a call without a name", events(delta(`{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]}`), finish("tool_calls"), "[DONE]"), llm.ClassBroken, ""},
		{"an error object", events(delta(`{"content":"x"}`), `{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}`), llm.ClassServer, "x"},
		{"an error object with null choices", events(`{"choices":null,"error":{"message":"Overloaded","type":"overloaded_error"}}`), llm.ClassOverloaded, ""},
		{"an error with a status as its code", events(`{"error":{"message":"slow down","code":429}}`), llm.ClassRateLimit, ""},
		{"an error as a text", events(delta(`{"content":"x"}`), `{"error":"llama runner process has terminated"}`), llm.ClassServer, "x"},
		{"an error without an envelope", events(`{"object":"error","message":"This model's maximum context length is 4096 tokens","type":"BadRequestError","code":400}`), llm.ClassContext, ""},
		{"an error event", "event: error\ndata: {\"detail\":\"boom\"}\n\n", llm.ClassServer, ""},
		{"an error after the finish reason", events(delta(`{"content":"x"}`), finish("stop"), `{"error":{"message":"late"}}`), llm.ClassServer, "x"},
		{"finish reason error", events(delta(`{"content":"x"}`), finish("error"), "[DONE]"), llm.ClassServer, "x"},
		{"a line over the limit", events(delta(`{"content":"x"}`), delta(`{"content":"`+strings.Repeat("y", 9<<20)+`"}`), finish("stop")), llm.ClassBroken, "x"},
		{"a JSON error with status 200", `{"error":{"message":"no","type":"invalid_request_error","code":"insufficient_quota"}}`, llm.ClassBilling, ""},
	}
	for _, tt := range tests {
		for _, contentType := range []string{"text/event-stream", ""} {
			if strings.HasPrefix(tt.body, "{") && contentType != "" {
				continue
			}
			t.Run(tt.name, func(t *testing.T) {
				a := collect(t, serve(t, Dialect{}, reply(contentType, tt.body)), streaming)
				if a.err == nil || a.err.Class != tt.class || a.text != tt.text || a.finish != "" {
					t.Errorf("got %v after %.40q (%s), want %s", a.err, a.text, a.finish, tt.class)
				}
			})
		}
	}
}

func TestWholeAnswers(t *testing.T) {
	req := &llm.Request{Model: "m", Messages: streaming.Messages}
	tests := []struct {
		name, body, text, calls, end string
		class                        llm.Class
	}{
		{name: "text", body: `{"id":"c","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, text: "Hello", end: "stop"},
		{name: "calls", body: `{"model":"m-1","choices":[{"message":{"content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"a","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, calls: `f({"x":1})g({})`, end: "tool_calls"},
		{name: "no finish reason", body: `{"model":"m-1","choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, text: "x", end: "stop"},
		{name: "no choices", body: `{"model":"m-1","choices":[]}`, class: llm.ClassBroken},
		{name: "an error", body: `{"error":{"message":"overloaded","code":503}}`, class: llm.ClassOverloaded},
		{name: "an error in a list", body: `[{"error":{"message":"bad key","status":"UNAUTHENTICATED","code":401}}]`, class: llm.ClassAuth},
		{name: "half of it", body: `{"model":"m-1","choices":[{"message":{"content":"x`, class: llm.ClassBroken},
		{name: "nothing", body: ``, class: llm.ClassBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := collect(t, serve(t, Dialect{}, reply("application/json", tt.body)), req)
			if tt.class != "" {
				if a.err == nil || a.err.Class != tt.class {
					t.Fatalf("got %v, want %s", a.err, tt.class)
				}
				return
			}
			if a.err != nil || a.text != tt.text || a.calledWith() != tt.calls || string(a.finish) != tt.end || len(a.chunks) != 1 || a.model != "m-1" || a.usage == nil || a.usage.Output != 2 {
				t.Errorf("got %+v", a)
			}
		})
	}
}

func TestRefusalAndLogprobsPass(t *testing.T) {
	frame := `{"model":"m","choices":[{"index":0,"delta":{"refusal":"I cannot"},"logprobs":{"content":null,"refusal":[{"token":"I"}]},"finish_reason":null}]}`
	a := collect(t, serve(t, Dialect{}, reply("text/event-stream", events(frame, finish("stop"), "[DONE]"))), streaming)
	if a.refusal != "I cannot" || string(a.chunks[0].Logprobs) != `{"content":null,"refusal":[{"token":"I"}]}` {
		t.Errorf("got %+v", a.chunks)
	}
}

// TestNothingIsHeldBack sends each frame only after the chunk of the one before was seen.
func TestNothingIsHeldBack(t *testing.T) {
	seen := make(chan struct{})
	c := serve(t, Dialect{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		rc := http.NewResponseController(w)
		for i, frame := range []string{events(delta(`{"content":"a"}`)), "data:" + delta(`{"content":"b"}`) + "\r\r", "data: " + delta(`{"content":"c"}`) + "\r\n\r\n", events(finish("stop"), "[DONE]")} {
			_, _ = io.WriteString(w, frame)
			_ = rc.Flush()
			if i < 3 {
				select {
				case <-seen:
				case <-r.Context().Done():
					return
				}
			}
		}
	})
	got := ""
	for chunk, err := range c.Stream(t.Context(), streaming) {
		if err != nil {
			t.Fatal(err)
		}
		got += chunk.Text
		if chunk.Text != "" {
			seen <- struct{}{}
		}
	}
	if got != "abc" {
		t.Errorf("got %q", got)
	}
}

func TestConnectionIsUsedAgain(t *testing.T) {
	peers := map[string]bool{}
	c := serve(t, Dialect{}, func(w http.ResponseWriter, r *http.Request) {
		peers[r.RemoteAddr] = true
		reply("text/event-stream", events(delta(`{"content":"x"}`), finish("stop"), "[DONE]"))(w, r)
	})
	for range 5 {
		collect(t, c, streaming)
	}
	if len(peers) != 1 {
		t.Errorf("%d connections for 5 calls", len(peers))
	}
}

func TestIdleStream(t *testing.T) {
	for name, first := range map[string]string{"after a chunk": events(delta(`{"content":"x"}`)), "after the headers": "", "in the middle of a line": `data: {"cho`} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, first)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				close(gone)
			}))
			defer srv.Close()
			e, err := wire.NewEndpoint(llm.Config{Name: "lab", Idle: 50 * time.Millisecond}, srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			a := collect(t, New(e, Dialect{}), streaming)
			if a.err == nil || a.err.Class != llm.ClassTimeout {
				t.Errorf("got %v", a.err)
			}
			<-gone
		})
	}
}

func TestModels(t *testing.T) {
	tests := []struct{ body, want string }{
		{`{"object":"list","data":[{"id":"a","object":"model","created":12,"owned_by":"x"},{"id":"b","max_model_len":4096}]}`, "[{a x 12 0} {b  0 4096}]"},
		{`{"object":"list","data":null}`, "[]"},
		{`[{"id":"a"}]`, "[{a  0 0}]"},
	}
	for _, tt := range tests {
		list, err := serve(t, Dialect{}, reply("application/json", tt.body)).Models(t.Context())
		if err != nil || fmt.Sprint(list) != tt.want {
			t.Errorf("got %v, %v, want %s", list, err, tt.want)
		}
	}
	_, err := serve(t, Dialect{}, reply("application/json", `nonsense`)).Models(t.Context())
	if e := llm.AsError(err); e == nil || e.Class != llm.ClassBroken {
		t.Errorf("nonsense: got %v", err)
	}
	_, err = serve(t, Dialect{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }).Models(t.Context())
	if e := llm.AsError(err); e == nil || e.Class != llm.ClassAuth || !errors.As(err, &e) {
		t.Errorf("401: got %v", err)
	}
}
