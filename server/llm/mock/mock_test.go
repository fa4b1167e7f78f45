package mock

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/llmtest"
)

// answer is everything that a call came to.
type answer struct {
	text   string
	chunks int
	calls  []llm.ToolCall
	finish llm.FinishReason
	usage  *llm.Usage
	err    *llm.Error
}

func ask(t *testing.T, p *Provider, req *llm.Request) answer {
	t.Helper()
	var a answer
	for chunk, err := range p.Stream(t.Context(), req) {
		if err != nil {
			a.err = llm.AsError(err)
			if a.err == nil {
				t.Fatalf("not an *llm.Error: %v", err)
			}
			continue
		}
		a.chunks++
		a.text += chunk.Text
		for _, d := range chunk.ToolCalls {
			if d.Index == len(a.calls) {
				a.calls = append(a.calls, llm.ToolCall{ID: d.ID, Function: llm.ToolCallFunction{Name: d.Name}})
			}
			a.calls[d.Index].Function.Arguments += d.Arguments
		}
		if chunk.FinishReason != "" {
			a.finish = chunk.FinishReason
		}
		if chunk.Usage != nil {
			a.usage = chunk.Usage
		}
	}
	return a
}

func fast() *Provider {
	p := New(llm.Config{Name: "mock"})
	p.Pace, p.SlowPace = 0, 0
	return p
}

func user(model, text string) *llm.Request {
	content, _ := json.Marshal(text) // a string always encodes
	return &llm.Request{Model: model, Stream: true, Messages: []llm.Message{{Role: "user", Content: content}}}
}

func with(req *llm.Request, name, value string) *llm.Request {
	if req.Params == nil {
		req.Params = map[string]json.RawMessage{}
	}
	req.Params[name] = json.RawMessage(value)
	return req
}

func TestBehaves(t *testing.T) {
	for _, name := range []string{"echo", "lorem", "slow", "tools", "small", "large"} {
		req := *user(name, "one two three")
		req.Tools = []llm.Tool{weatherTool()}
		llmtest.Behaves(t, fast(), req)
	}
}

func TestEcho(t *testing.T) {
	for _, stream := range []bool{true, false} {
		req := user("echo", "Grüße, wie geht  es\ndir?")
		req.Stream = stream
		a := ask(t, fast(), req)
		if a.err != nil || a.text != "Grüße, wie geht  es\ndir?" || a.finish != llm.FinishStop {
			t.Fatalf("stream %v: got %+v", stream, a)
		}
		if a.usage == nil || a.usage.Input != 3+6 || a.usage.Output < 5 {
			t.Errorf("stream %v: usage %+v", stream, a.usage)
		}
		if want := map[bool]int{true: 6, false: 1}[stream]; a.chunks != want {
			t.Errorf("stream %v: %d chunks, want %d", stream, a.chunks, want)
		}
	}
}

func TestEchoReadsParts(t *testing.T) {
	req := user("echo", "")
	req.Messages[0].Content = json.RawMessage(`[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]`)
	if a := ask(t, fast(), req); a.text != "look\n[image_url]" {
		t.Errorf("got %q", a.text)
	}
}

func TestLimits(t *testing.T) {
	tests := []struct {
		name, param, value, text, want string
		finish                         llm.FinishReason
	}{
		{"max_tokens cuts", "max_tokens", "3", "one two three four", "one two thre", llm.FinishLength},
		{"max_completion_tokens cuts", "max_completion_tokens", "1", "abcdefgh", "abcd", llm.FinishLength},
		{"an exact fit is whole", "max_tokens", "1", "abcd", "abcd", llm.FinishStop},
		{"stop as a string", "stop", `"three"`, "one two three four", "one two ", llm.FinishStop},
		{"stop as a list", "stop", `["four","two"]`, "one two three four", "one ", llm.FinishStop},
		{"null is not set", "max_tokens", "null", "one two", "one two", llm.FinishStop},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := ask(t, fast(), with(user("echo", tt.text), tt.param, tt.value))
			if a.err != nil || a.text != tt.want || a.finish != tt.finish {
				t.Errorf("got %q, %s, %v", a.text, a.finish, a.err)
			}
		})
	}
	if a := ask(t, fast(), with(user("echo", "x"), "logprobs", "true")); a.err == nil || a.err.Param != "logprobs" || a.err.Code != "unsupported_parameter" {
		t.Errorf("logprobs: got %v", a.err)
	}
	if a := ask(t, fast(), with(user("echo", "x"), "max_tokens", "0")); a.err == nil || a.err.Class != llm.ClassInvalid || a.err.Param != "max_tokens" {
		t.Errorf("max_tokens 0: got %v", a.err)
	}
	if a := ask(t, fast(), user("nobody", "x")); a.err == nil || a.err.Class != llm.ClassNotFound {
		t.Errorf("unknown model: got %v", a.err)
	}
}

func TestLoremIsSteady(t *testing.T) {
	a, b, c := ask(t, fast(), user("lorem", "one")), ask(t, fast(), user("lorem", "one")), ask(t, fast(), user("lorem", "two"))
	if a.text != b.text || a.text == c.text {
		t.Error("the same conversation must give the same text and another one another text")
	}
	if n := len(strings.Fields(a.text)); n < 120 || n > 145 {
		t.Errorf("%d words, want about 120", n)
	}
}

func weatherTool() llm.Tool {
	return llm.Tool{Type: "function", Function: llm.ToolFunction{Name: "get_weather", Parameters: json.RawMessage(
		`{"type":"object","properties":{"city":{"type":"string"},"unit":{"enum":["c","f"]},"days":{"type":"integer","minimum":2},"note":{"type":"string"}},"required":["city","unit","days"]}`)}}
}

func addTool() llm.Tool {
	return llm.Tool{Type: "function", Function: llm.ToolFunction{Name: "add", Parameters: json.RawMessage(
		`{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}},"required":["a","b"]}`)}}
}

func TestTools(t *testing.T) {
	offer := func(text string) *llm.Request {
		req := user("tools", text)
		req.Tools = []llm.Tool{weatherTool(), addTool()}
		return req
	}
	tests := []struct {
		name string
		req  *llm.Request
		want string
	}{
		{"the first tool", offer(`what about "Zürich"?`), `get_weather {"city":"Zürich","days":2,"unit":"c"}`},
		{"named in the text", offer("add 3 and 4.5 please"), `add {"a":3,"b":4.5}`},
		{"part of a word is no name", offer("my address is unknown"), `get_weather {"city":"my address is unknown","days":2,"unit":"c"}`},
		{"named by tool_choice", with(offer("1 and 2"), "tool_choice", `{"type":"function","function":{"name":"add"}}`), `add {"a":1,"b":2}`},
		{"several named", offer("add 1 and 1, then get_weather"), `add {"a":1,"b":1} get_weather {"city":"add 1 and 1, then","days":2,"unit":"c"}`},
		{"one at a time", with(offer("add 1 and 1, then get_weather"), "parallel_tool_calls", "false"), `add {"a":1,"b":1}`},
	}
	for _, tt := range tests {
		for _, stream := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				tt.req.Stream = stream
				a := ask(t, fast(), tt.req)
				var got []string
				for _, c := range a.calls {
					if c.ID == "" {
						t.Error("a call has no id")
					}
					got = append(got, c.Function.Name+" "+c.Function.Arguments)
				}
				if s := strings.Join(got, " "); s != tt.want || a.finish != llm.FinishToolCalls {
					t.Errorf("got %s (%s)\nwant %s", s, a.finish, tt.want)
				}
			})
		}
	}
	if a := ask(t, fast(), with(offer("x"), "tool_choice", `"none"`)); len(a.calls) != 0 || !strings.Contains(a.text, "Offer me") {
		t.Errorf("tool_choice none: got %+v", a)
	}
	if a := ask(t, fast(), user("tools", "x")); len(a.calls) != 0 || !strings.Contains(a.text, "Offer me") {
		t.Errorf("no tools: got %+v", a)
	}
}

func TestToolsReportsResults(t *testing.T) {
	req := user("tools", "add")
	req.Tools = []llm.Tool{addTool()}
	first := ask(t, fast(), req)
	req.Messages = append(req.Messages, llm.Message{Role: "assistant", ToolCalls: first.calls},
		llm.Message{Role: "tool", ToolCallID: first.calls[0].ID, Content: json.RawMessage(`"2"`)})
	a := ask(t, fast(), req)
	if a.text != "The add answered: 2" || a.finish != llm.FinishStop || len(a.calls) != 0 {
		t.Errorf("got %+v", a)
	}
}

func TestSample(t *testing.T) {
	tests := []struct{ name, schema, hint, want string }{
		{"no schema", ``, "x", `{}`},
		{"not a schema", `[1]`, "x", `{}`},
		{"nothing required", `{"type":"object","properties":{"a":{"type":"string"}}}`, "x", `{}`},
		{"const, default, null", `{"properties":{"a":{"const":7},"b":{"default":"d"},"c":{"type":"null"}},"required":["a","b","c"]}`, "x", `{"a":7,"b":"d","c":null}`},
		{"definitions", `{"type":"object","$defs":{"P":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}},"properties":{"p":{"$ref":"#/$defs/P"}},"required":["p"]}`, "at 9", `{"p":{"x":9}}`},
		{"endless definitions end", `{"type":"object","$defs":{"N":{"type":"object","properties":{"n":{"$ref":"#/$defs/N"}},"required":["n"]}},"properties":{"n":{"$ref":"#/$defs/N"}},"required":["n"]}`, "", `{"n":{"n":{"n":{"n":{"n":{"n":{"n":null}}}}}}}`},
		{"formats and lengths", `{"properties":{"d":{"type":"string","format":"date"},"s":{"type":"string","minLength":9},"t":{"type":"string","maxLength":2}},"required":["d","s","t"]}`, "text", `{"d":"2025-01-31","s":"textxxxxx","t":"te"}`},
		{"arrays", `{"properties":{"a":{"type":"array","minItems":2,"items":{"type":"boolean"}}},"required":["a"]}`, "", `{"a":[true,true]}`},
		{"nullable and anyOf", `{"properties":{"a":{"type":["null","integer"],"maximum":3},"b":{"anyOf":[{"type":"number","exclusiveMinimum":5},{"type":"null"}]}},"required":["a","b"]}`, "8", `{"a":3,"b":8}`},
		{"allOf", `{"type":"object","allOf":[{"properties":{"a":{"type":"boolean"}},"required":["a"]},{"properties":{"b":{"enum":["x","Blue"]}},"required":["b"]}]}`, "something blue", `{"a":true,"b":"Blue"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sample(json.RawMessage(tt.schema), tt.hint); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestResponseFormat(t *testing.T) {
	schema := `{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}}}`
	if a := ask(t, fast(), with(user("echo", "Ada"), "response_format", schema)); a.text != `{"name":"Ada"}` {
		t.Errorf("json_schema: got %q", a.text)
	}
	if a := ask(t, fast(), with(user("echo", "Ada"), "response_format", `{"type":"json_object"}`)); a.text != `{"text":"Ada"}` {
		t.Errorf("json_object: got %q", a.text)
	}
	if a := ask(t, fast(), with(user("echo", "Ada"), "response_format", `{"type":"xml"}`)); a.err == nil || a.err.Param != "response_format" {
		t.Errorf("unknown type: got %v", a.err)
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		model  string
		class  llm.Class
		chunks int
	}{
		{"fail-429", llm.ClassRateLimit, 0},
		{"fail-500", llm.ClassServer, 0},
		{"fail-first", llm.ClassUnreachable, 0},
		{"fail-cut", llm.ClassBroken, 5},
		{"fail-malformed", llm.ClassBroken, 3},
	}
	for _, tt := range tests {
		a := ask(t, fast(), user(tt.model, "x"))
		if a.err == nil || a.err.Class != tt.class || a.chunks != tt.chunks || a.finish != "" || a.usage != nil {
			t.Errorf("%s: got %+v", tt.model, a)
		}
		if tt.model == "fail-429" && a.err.RetryAfter != 2*time.Second {
			t.Errorf("Retry-After: got %v", a.err.RetryAfter)
		}
	}
}

func TestFailTwiceCountsConversations(t *testing.T) {
	p := fast()
	for range 2 {
		for _, text := range []string{"a", "b"} {
			if a := ask(t, p, user("fail-500-twice", text)); a.err == nil {
				t.Fatalf("%s answered too early", text)
			}
		}
	}
	for _, text := range []string{"b", "a"} {
		if a := ask(t, p, user("fail-500-twice", text)); a.err != nil || a.text != text {
			t.Errorf("%s: got %+v", text, a)
		}
	}
	if a := ask(t, p, user("fail-500-twice", "a")); a.err == nil {
		t.Error("after an answer the count starts again")
	}
}

func TestStallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a := ask(t, New(llm.Config{Name: "mock"}), user("fail-stall", "x"))
		if a.err == nil || a.err.Class != llm.ClassTimeout || a.chunks != 1 || time.Since(start) < time.Minute {
			t.Errorf("got %+v after %v", a, time.Since(start))
		}
	})
}

func TestCancelIsSeenAtOnce(t *testing.T) {
	for _, name := range []string{"fail-stall", "slow"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var last error
			n, at := 0, time.Time{}
			for _, err := range New(llm.Config{Name: "mock"}).Stream(ctx, user(name, "x")) {
				if last = err; err == nil {
					n++
					at = time.Now()
					cancel()
				}
			}
			cancel()
			if e := llm.AsError(last); e == nil || e.Class != llm.ClassCanceled || !errors.Is(last, context.Canceled) || n != 1 || time.Since(at) != 0 {
				t.Errorf("%s: %d chunks, then %v after %v", name, n, last, time.Since(at))
			}
		})
	}
}

func TestSlowTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a := ask(t, New(llm.Config{Name: "mock"}), with(user("slow", "x"), "max_tokens", "20"))
		if per := time.Since(start) / time.Duration(a.chunks-1); per != slowPace {
			t.Errorf("%v a piece, want %v", per, slowPace)
		}
	})
}

func TestTableMatchesModels(t *testing.T) {
	list, err := fast().Models(t.Context())
	if err != nil || len(list) != len(Table()) {
		t.Fatalf("%d models, %d descriptions, %v", len(list), len(Table()), err)
	}
	p := New(llm.Config{Idle: time.Millisecond})
	p.Pace, p.SlowPace = 0, 0
	for i, d := range Table() {
		if d.ID != list[i].ID || d.About == "" {
			t.Errorf("entry %d: %+v against %+v", i, d, list[i])
		}
		if a := ask(t, p, with(user(d.ID, "x"), "max_tokens", "2")); a.err != nil && !strings.HasPrefix(d.ID, "fail-") && d.ID != embedder {
			t.Errorf("%s: %v", d.ID, a.err)
		}
	}
}
