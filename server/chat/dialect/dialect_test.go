package dialect

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// FuzzRead: no body makes the reader fail in another way than a fault of the caller, and what it takes shares no memory with the body.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"", "null", "{}", `{"messages":[]}`, `{"messages":[{"role":"user","content":"x"}],"model":"m","stop":["a"],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]}`,
		`{"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}]}`, ` {"messages":[{"role":"user","content":[{"type":"text"}]}]} `, `[1]`, `{"messages":null}`, `{"stream_options":{"include_usage":null}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Read(body)
		if err != nil {
			if code := fault.From(err).Code; code != fault.InvalidJSON && code != fault.ValidationFailed {
				t.Fatalf("%v", err)
			}
			return
		}
		before, _ := json.Marshal(r)
		for i := range body {
			body[i] = 'x'
		}
		if after, _ := json.Marshal(r); !bytes.Equal(before, after) {
			t.Fatal("the request changes with the buffer it was read from")
		}
		if len(r.Messages) == 0 || r.MaxTokens < 0 || r.MaxTokens > MaxOutput {
			t.Fatalf("%+v", r)
		}
		for _, m := range r.Messages {
			if m.Role == "" || len(m.Content) > 0 && !json.Valid(m.Content) {
				t.Fatalf("%+v", m)
			}
		}
	})
}

// FuzzFrames: whatever a model says, every frame is one line of JSON that says it.
func FuzzFrames(f *testing.F) {
	for _, s := range []string{"", "hi", "\x00\x1f\"\\\n\r\t", "\u2028\u2029 日本 🙂", "\xff\xfe", "</script>"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, text, args string) {
		a := NewAnswer("x", "p/m", time.Unix(1_700_000_000, 0))
		var gotText, gotArgs string
		chunk := llm.Chunk{Text: text, Reasoning: text, Refusal: text, ToolCalls: []llm.ToolCallDelta{{ID: "i", Name: "n", Arguments: args}}, FinishReason: llm.FinishToolCalls}
		a.Add(chunk)
		a.Frames(chunk, func(b []byte) {
			if bytes.ContainsAny(b, "\n\r") {
				t.Fatalf("a line break in %q", b)
			}
			var c ChatChunk
			if err := json.Unmarshal(b, &c); err != nil {
				t.Fatalf("%v: %q", err, b)
			}
			gotText += c.Choices[0].Delta.Content
			for _, call := range c.Choices[0].Delta.ToolCalls {
				gotArgs += call.Function.Arguments
			}
		})
		if want := strings.ToValidUTF8(text, "\ufffd"); !sameText(gotText, text, want) {
			t.Fatalf("%q became %q", text, gotText)
		}
		if !sameText(gotArgs, args, strings.ToValidUTF8(args, "\ufffd")) {
			t.Fatalf("arguments %q became %q", args, gotArgs)
		}
		if b, err := json.Marshal(a.Body(1)); err != nil || !json.Valid(b) {
			t.Fatal(err)
		}
	})
}

// sameText compares, broken UTF-8 aside: how many replacements stand for it is not promised.
func sameText(got, want, valid string) bool {
	squeeze := func(s string) string {
		for strings.Contains(s, "\ufffd\ufffd") {
			s = strings.ReplaceAll(s, "\ufffd\ufffd", "\ufffd")
		}
		return s
	}
	return got == want || squeeze(got) == squeeze(valid)
}

// TestSize: counts are about right, never negative, and the ceiling is above them.
func TestSize(t *testing.T) {
	for _, c := range []struct {
		text      string
		low, high int64
	}{{"", 0, 0}, {"The quick brown fox jumps over the lazy dog.", 9, 12}, {strings.Repeat("日本語", 10), 25, 35}, {"\xff\xff", 1, 2}, {"a", 1, 1}} {
		var s Size
		s.add(c.text)
		if n := s.Tokens(); n < c.low || n > c.high || s.Ceiling() < n {
			t.Errorf("%q: %d tokens, at most %d", c.text, n, s.Ceiling())
		}
	}
	image := Prompt([]llm.Message{{Role: "user", Content: json.RawMessage(`[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 1<<20) + `"}}]`)}}, nil)
	if n := image.Tokens(); n < 1000 || n > 3000 {
		t.Errorf("an image of a megabyte counts as %d tokens", n)
	}
}

// TestLongArguments: megabytes of arguments in small pieces take no quadratic time.
func TestLongArguments(t *testing.T) {
	a := NewAnswer("x", "p/m", time.Now())
	start := time.Now()
	for range 1 << 20 {
		a.Add(llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: 0, ID: "i", Name: "n", Arguments: "abcd"}}})
	}
	if n := len(a.Calls()[0].Function.Arguments); n != 4<<20 {
		t.Errorf("%d bytes", n)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// TestLacking: a known parameter that nobody can honour is refused by name, and its harmless value and unknown fields are not.
func TestLacking(t *testing.T) {
	read := func(extra string) error {
		_, err := Read([]byte(`{"messages":[{"role":"user","content":"x"}],` + extra + `}`))
		return err
	}
	for _, fine := range []string{`"verbosity":"medium"`, `"modalities":["text"]`, `"top_k":null`, `"store":true,"metadata":{"a":"b"},"service_tier":"auto"`} {
		if err := read(fine); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
	for bad, param := range map[string]string{`"verbosity":"low"`: "verbosity", `"top_k":3`: "top_k", `"web_search_options":{},"audio":{}`: "audio"} {
		if f := fault.From(read(bad)); f == nil || f.Code != fault.UnsupportedParam || f.Param != param {
			t.Errorf("%s: %v", bad, f)
		}
	}
}

// TestOneLimit: of two limits the newer one counts, and the provider hears of that one only.
func TestOneLimit(t *testing.T) {
	r, err := Read([]byte(`{"messages":[{"role":"user","content":"x"}],"max_tokens":100000,"max_completion_tokens":1}`))
	if err != nil || r.MaxTokens != 1 || r.Params["max_tokens"] != nil || string(r.Params["max_completion_tokens"]) != "1" {
		t.Errorf("%+v, %v", r, err)
	}
}
