package judge

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/llm"
)

const personFormat = `{"type":"json_schema","json_schema":{"name":"p","schema":{"type":"object","properties":{"name":{"type":"string"},"age":{"$ref":"#/$defs/age"}},"required":["name"],"additionalProperties":false,"$defs":{"age":{"type":"integer"}}}}}`

func form(t *testing.T, format string) *Form {
	t.Helper()
	f, err := FormOf(json.RawMessage(format))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func call(name, args string) llm.ToolCall {
	return llm.ToolCall{ID: "c", Type: "function", Function: llm.ToolCallFunction{Name: name, Arguments: args}}
}

func delta(i int, name, args string) llm.Chunk {
	return llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: i, ID: "c", Name: name, Arguments: args}}}
}

func TestVerdicts(t *testing.T) {
	person, object := form(t, personFormat), form(t, `{"type":"json_object"}`)
	past := []llm.ToolCall{call("find", `{"q":"a","n":1}`)}
	tests := []struct {
		name   string
		watch  Watch
		chunks []llm.Chunk
		finish llm.FinishReason
		want   Verdict
		shown  bool // before the end
	}{
		{"a text", Watch{Empties: true}, []llm.Chunk{{Text: "a"}}, llm.FinishStop, "", true},
		{"nothing", Watch{Empties: true}, nil, llm.FinishStop, Empty, false},
		{"thoughts alone", Watch{Empties: true}, []llm.Chunk{{Reasoning: "hm"}}, llm.FinishStop, Empty, false},
		{"nothing, and nobody minds", Watch{}, nil, llm.FinishStop, "", false},
		{"nothing, because the limit was reached", Watch{Empties: true}, []llm.Chunk{{Reasoning: "hm"}}, llm.FinishLength, "", false},
		{"nothing, because a filter took it", Watch{Empties: true}, nil, llm.FinishContentFilter, "", false},
		{"a refusal", Watch{Empties: true, Form: person}, []llm.Chunk{{Refusal: "no"}}, llm.FinishStop, "", true},
		{"the right JSON", Watch{Form: person}, []llm.Chunk{{Text: `{"name":`}, {Text: `"x","age":3} `}}, llm.FinishStop, "", false},
		{"JSON against the schema", Watch{Form: person}, []llm.Chunk{{Text: `{"name":"x","age":"3"}`}}, llm.FinishStop, Invalid, false},
		{"a code fence", Watch{Form: person}, []llm.Chunk{{Text: "```json\n{\"name\":\"x\"}\n```"}}, llm.FinishStop, Invalid, false},
		{"two values", Watch{Form: object}, []llm.Chunk{{Text: `{} {}`}}, llm.FinishStop, Invalid, false},
		{"a list for an object", Watch{Form: object}, []llm.Chunk{{Text: `[]`}}, llm.FinishStop, Invalid, false},
		{"no JSON, because the limit was reached", Watch{Form: person}, []llm.Chunk{{Text: `{"na`}}, llm.FinishLength, "", false},
		{"an empty answer in place of JSON", Watch{Form: person}, nil, llm.FinishStop, Invalid, false},
		{"a call in place of JSON", Watch{Form: person}, []llm.Chunk{delta(0, "find", "{}")}, llm.FinishToolCalls, "", true},
		{"the same call", Watch{Past: past}, []llm.Chunk{delta(0, "find", `{"n": 1,`), delta(0, "", `"q":"a"}`)}, llm.FinishToolCalls, Repeated, false},
		{"another call", Watch{Past: past}, []llm.Chunk{delta(0, "find", `{"q":"b"}`)}, llm.FinishToolCalls, "", false},
		{"the same and another call", Watch{Past: past}, []llm.Chunk{delta(0, "find", `{"q":"a","n":1}`), delta(1, "get", `{}`)}, llm.FinishToolCalls, "", false},
		{"words and then the same call", Watch{Past: past}, []llm.Chunk{{Text: "Let me see."}, delta(0, "find", `{"q":"a","n":1}`)}, llm.FinishToolCalls, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := tt.watch
			for _, c := range tt.chunks {
				w.Add(c)
			}
			if w.Shown() != tt.shown {
				t.Errorf("shown before the end: %v", w.Shown())
			}
			if got := w.End(tt.finish); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestNothingIsLost: whatever is held back comes out whole and in order, and once something was shown nothing is held back any more.
func TestNothingIsLost(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		w := Watch{Empties: random.IntN(2) == 0}
		if random.IntN(3) == 0 {
			w.Form = &Form{}
		}
		if random.IntN(3) == 0 {
			w.Past = []llm.ToolCall{call("f", "{}")}
		}
		var in, out string
		for i := range random.IntN(12) {
			c := []llm.Chunk{{Text: "t"}, {Reasoning: "r"}, delta(0, "f", "{}"), {Refusal: "x"}, {Text: strings.Repeat("y", random.IntN(1<<20))}}[random.IntN(5)]
			c.Model = string(rune('a' + i))
			in += c.Model
			before := w.Shown()
			got := w.Add(c)
			if before && len(got) != 1 {
				t.Fatal("held back after something was shown")
			}
			for _, g := range got {
				out += g.Model
			}
		}
		for _, g := range w.Release() {
			out += g.Model
		}
		if in != out {
			t.Fatalf("%q became %q", in, out)
		}
	}
}

func TestFormOf(t *testing.T) {
	for _, plain := range []string{``, `null`, `{"type":"text"}`, `7`} {
		if f, err := FormOf(json.RawMessage(plain)); f != nil || err != nil {
			t.Errorf("%s: %v, %v", plain, f, err)
		}
	}
	for _, bad := range []string{
		`{"type":"json_schema","json_schema":{"schema":{"$ref":"https://example.com/x.json"}}}`,
		`{"type":"json_schema","json_schema":{"schema":{"$ref":"file:///etc/passwd"}}}`,
		`{"type":"json_schema","json_schema":{"schema":{"type":7}}}`,
		`{"type":"json_schema","json_schema":{"schema":{"pattern":"("}}}`,
		`{"type":"json_schema","json_schema":{"schema":{"x":"` + strings.Repeat("a", maxSchema) + `"}}}`,
		`{"type":"json_schema"}`,
		`{"type":"json_schema","json_schema":{"schema":{"pattern":"a{1000}"}}}`,
		`{"type":"json_schema","json_schema":{"schema":` + strings.Repeat(`{"not":`, 65) + `{}` + strings.Repeat(`}`, 65) + `}}`,
		`{"type":"json_schema","json_schema":{"schema":{"enum":[` + strings.Repeat("1,", maxNodes) + `1]}}}`,
	} {
		f, err := FormOf(json.RawMessage(bad))
		if err == nil {
			err = f.Ready()
		}
		if err == nil || strings.Contains(err.Error(), "passwd") {
			t.Errorf("%.80s: %v, %v", bad, f, err)
		}
	}
	f := form(t, personFormat)
	if s := f.Instruction(); !strings.Contains(s, `"required":["name"]`) {
		t.Error(s)
	}
}

func FuzzFits(f *testing.F) {
	person, err := FormOf(json.RawMessage(personFormat))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"name":"x"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if person.Fits(text) && !json.Valid([]byte(text)) {
			t.Errorf("%q passes", text)
		}
	})
}

func TestCallsOf(t *testing.T) {
	got := CallsOf([]llm.Message{{Role: "assistant", ToolCalls: []llm.ToolCall{call("old", "")}}, {Role: "user"}, {Role: "assistant", ToolCalls: []llm.ToolCall{call("new", "")}}, {Role: "tool"}})
	if len(got) != 1 || got[0].Function.Name != "new" {
		t.Errorf("%+v", got)
	}
}

// TestSchemaBomb: a schema whose references double at each level costs no more than its bound.
func TestSchemaBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"type":"json_schema","json_schema":{"name":"b","schema":{"$ref":"#/$defs/a0","$defs":{`)
	const levels = 40
	for i := range levels {
		fmt.Fprintf(&b, `"a%d":{"allOf":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%d"}]},`, i, i+1, i+1)
	}
	fmt.Fprintf(&b, `"a%d":{"type":"object"}}}}}`, levels)
	f := form(t, b.String())
	start := time.Now()
	if f.Fits(`{}`) {
		t.Error("it is said to fit")
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	if !form(t, personFormat).Fits(`{"name":"x"}`) {
		t.Error("an honest schema does not fit any more")
	}
}
