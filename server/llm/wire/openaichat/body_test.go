package openaichat

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

func params(s string) map[string]json.RawMessage {
	var p map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &p); err != nil {
		panic(err)
	}
	return p
}

func mustEncode(t *testing.T, c *Client, req *llm.Request) []byte {
	t.Helper()
	body, fail := c.encode(req)
	if fail != nil {
		t.Fatal(fail)
	}
	return body
}

func TestBody(t *testing.T) {
	yes := true
	tests := []struct {
		name string
		d    Dialect
		req  llm.Request
		want string
	}{
		{"bytes and order are kept", Dialect{}, llm.Request{Model: "a/b", Messages: []llm.Message{
			{Role: "developer", Content: json.RawMessage(`"<b>&\u00fc"`)},
			{Role: "user", Content: json.RawMessage(`[{"type":"text","text":"x"}, {"type":"image_url","image_url":{"url":"https://a/b.png","detail":"low"}}]`), Name: "Ada \"A\""},
			{Role: "assistant", ToolCalls: []llm.ToolCall{{ID: "c1", Type: "function", Function: llm.ToolCallFunction{Name: "f", Arguments: "{\"q\": \"ü\\n\"}"}}}},
			{Role: "tool", ToolCallID: "c1", Content: json.RawMessage(`""`)},
			{Role: "assistant"}},
			Tools: []llm.Tool{{Type: "function", Function: llm.ToolFunction{Name: "f", Description: "does <it>", Parameters: json.RawMessage(`{"$defs":{ "x": 1.0 }, "b":1,"a":2}`), Strict: &yes}}, {Function: llm.ToolFunction{Name: "g"}}}},
			`{"model":"a/b","messages":[{"role":"developer","content":"<b>&\u00fc"},` +
				`{"role":"user","content":[{"type":"text","text":"x"}, {"type":"image_url","image_url":{"url":"https://a/b.png","detail":"low"}}],"name":"Ada \"A\""},` +
				`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"q\": \"ü\\n\"}"}}]},` +
				`{"role":"tool","content":"","tool_call_id":"c1"},{"role":"assistant","content":""}],` +
				`"tools":[{"type":"function","function":{"name":"f","description":"does <it>","parameters":{"$defs":{ "x": 1.0 }, "b":1,"a":2},"strict":true}},{"type":"function","function":{"name":"g"}}]}`},
		{"zeros are sent, null is not, and nothing else passes", Dialect{}, llm.Request{Model: "m", Stream: true, Params: params(
			`{"seed":0,"temperature":0.0,"top_p":null,"parallel_tool_calls":false,"max_completion_tokens":7,"stop":["a"],"user":"x","stream_options":{},"api_base":"http://evil"}`)},
			`{"model":"m","messages":[],"temperature":0.0,"seed":0,"stop":["a"],"parallel_tool_calls":false,"max_completion_tokens":7,"stream":true,"stream_options":{"include_usage":true}}`},
		{"older servers", Dialect{NoDeveloper: true, OldMaxTokens: true}, llm.Request{Model: "m", Messages: []llm.Message{{Role: "developer", Content: json.RawMessage(`"x"`)}}, Params: params(`{"max_completion_tokens":7}`)},
			`{"model":"m","messages":[{"role":"system","content":"x"}],"max_tokens":7}`},
		{"servers that want strings", Dialect{PlainContent: true}, llm.Request{Model: "m", Messages: []llm.Message{
			{Role: "user", Content: json.RawMessage(`[{"type":"text","text":"a"},{"type":"text","text":"b"}]`)},
			{Role: "user", Content: json.RawMessage(`[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://a/b.png"}}]`)},
			{Role: "assistant", Content: json.RawMessage(`null`), ToolCalls: []llm.ToolCall{{ID: "c", Function: llm.ToolCallFunction{Name: "f"}}}}}},
			`{"model":"m","messages":[{"role":"user","content":"a\n\nb"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://a/b.png"}}]},` +
				`{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}]}`},
		{"older servers with both limits", Dialect{OldMaxTokens: true}, llm.Request{Model: "m", Params: params(`{"max_completion_tokens":7,"max_tokens":5}`)},
			`{"model":"m","messages":[],"max_tokens":5}`},
		{"newer models", Dialect{NewMaxTokens: true}, llm.Request{Model: "m", Params: params(`{"max_tokens":5}`)}, `{"model":"m","messages":[],"max_completion_tokens":5}`},
		{"newer models with both limits", Dialect{NewMaxTokens: true}, llm.Request{Model: "m", Params: params(`{"max_completion_tokens":7,"max_tokens":5}`)},
			`{"model":"m","messages":[],"max_completion_tokens":7}`},
		{"an effort", Dialect{}, llm.Request{Model: "m", Effort: llm.EffortMinimal, Stream: true},
			`{"model":"m","messages":[],"reasoning_effort":"minimal","stream":true,"stream_options":{"include_usage":true}}`},
		{"no thinking", Dialect{}, llm.Request{Model: "m", Effort: llm.EffortOff}, `{"model":"m","messages":[],"reasoning_effort":"none"}`},
		{"nothing to ask for", Dialect{Think: func(string, llm.Effort) (string, *llm.Error) { return "", nil }}, llm.Request{Model: "m", Effort: llm.EffortOff}, `{"model":"m","messages":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Client{d: tt.d}
			got := string(mustEncode(t, c, &tt.req))
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if !json.Valid([]byte(got)) {
				t.Error("not JSON")
			}
		})
	}
}

func TestCallHeaders(t *testing.T) {
	c := serve(t, Dialect{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/v1/chat/completions" || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("%s %s %v", r.Method, r.URL.Path, r.Header)
		}
		if !json.Valid(body) || int(r.ContentLength) != len(body) {
			t.Errorf("body %q, length %d", body, r.ContentLength)
		}
		reply("text/event-stream", events(delta(`{"content":"x"}`), finish("stop"), "[DONE]"))(w, r)
	})
	collect(t, c, streaming)
}

func TestPrepareRefuses(t *testing.T) {
	c := serve(t, Dialect{Prepare: func(*llm.Request) (*llm.Request, *llm.Error) {
		return nil, &llm.Error{Class: llm.ClassInvalid, Param: "logit_bias", Code: "unsupported_parameter"}
	}}, func(http.ResponseWriter, *http.Request) { t.Error("the server was called") })
	if a := collect(t, c, streaming); a.err == nil || a.err.Param != "logit_bias" || a.err.Provider != "lab" {
		t.Errorf("got %v", a.err)
	}
}

func TestAppendString(t *testing.T) {
	for _, s := range []string{"", "plain", "a\"b\\c", "\x00\x1f\n\r\t\x7f", "ü😀\u2028", "bad \xff\xfe utf", "<&>"} {
		got := wire.AppendString(nil, s)
		var back, std string
		b, err := json.Marshal(s)
		if err != nil || json.Unmarshal(got, &back) != nil || json.Unmarshal(b, &std) != nil || back != std {
			t.Errorf("%q: got %s, which reads as %q", s, got, back)
		}
	}
}
