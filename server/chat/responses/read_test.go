package responses

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// TestRead: what clients of this dialect send, and what a provider is asked.
func TestRead(t *testing.T) {
	for _, c := range []struct{ name, body, messages, rest string }{
		{"plain", `{"model":"m","input":"hi","store":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"x","previous_response_id":null,"background":false,"truncation":"disabled"}`, `[{"role":"user","content":"hi"}]`, `{"params":{}}`},
		{"instructions and messages", `{"instructions":"be brief","input":[{"role":"developer","content":"d"},{"type":"message","role":"user","content":[{"type":"input_text","text":"what?"},{"type":"input_image","image_url":"https://x/y","detail":"low"},{"type":"input_file","filename":"f","file_data":"data:a"}]}]}`,
			`[{"role":"system","content":"be brief"},{"role":"developer","content":"d"},{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"https://x/y","detail":"low"}},{"type":"file","file":{"filename":"f","file_data":"data:a"}}]}]`, `{"params":{}}`},
		{"an answer sent back with its thoughts and calls, and their outputs", `{"input":[{"role":"user","content":"go"},{"type":"reasoning","id":"rs_1","summary":[]},{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\": 1}","status":"completed"},
			{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"and","annotations":[]},{"type":"refusal","refusal":"no"}]},{"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
			{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"one"},{"type":"input_image","image_url":"https://x/y"}]},{"type":"function_call_output","call_id":"c2","output":"two"},{"role":"user","content":"next"}]}`,
			`[{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"text","text":"and"},{"type":"text","text":"no"}],"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},` +
				`{"role":"tool","content":"one\n\n(attached to the next message)","tool_call_id":"c1"},{"role":"tool","content":"two","tool_call_id":"c2"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y"}}]},{"role":"user","content":"next"}]`, `{"params":{}}`},
		{"everything else", `{"input":"x","stream":true,"temperature":0,"top_p":1,"max_output_tokens":9,"user":"u","metadata":{"a":"b"},"reasoning":{"effort":"low","summary":"auto"},"parallel_tool_calls":false,
			"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object","$defs":{}},"strict":true},{"type":"function","name":"g"}],"tool_choice":{"type":"function","name":"f"},"text":{"format":{"type":"json_schema","name":"n","schema":{"a":1},"strict":true},"verbosity":"medium"}}`,
			`[{"role":"user","content":"x"}]`, `{"stream":true,"user":"u","effort":"low","tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","$defs":{}},"strict":true}},{"type":"function","function":{"name":"g"}}],` +
				`"params":{"max_completion_tokens":9,"parallel_tool_calls":false,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"a":1},"strict":true}},"temperature":0,"tool_choice":{"type":"function","function":{"name":"f"}},"top_p":1}}`},
		{"choices without tools, the newer name of the user", `{"input":"x","tool_choice":"auto","parallel_tool_calls":true,"safety_identifier":"s","text":{"format":{"type":"json_object"}}}`, `[{"role":"user","content":"x"}]`, `{"user":"s","params":{"response_format":{"type":"json_object"}}}`},
	} {
		r, _, err := Read([]byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, _ := json.Marshal(r.Messages); !same(t, got, c.messages) {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.messages)
		}
		rest := struct {
			Stream bool                       `json:"stream,omitempty"`
			User   string                     `json:"user,omitempty"`
			Effort llm.Effort                 `json:"effort,omitempty"`
			Tools  []llm.Tool                 `json:"tools,omitempty"`
			Params map[string]json.RawMessage `json:"params"`
		}{r.Stream, r.User, r.Effort, r.Tools, r.Params}
		if got, _ := json.Marshal(rest); !same(t, got, c.rest) {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.rest)
		}
	}
}

// same compares JSON without regard to the order of fields.
func same(t *testing.T, got []byte, want string) bool {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// TestRefused: every bad field is named, and what only asks for more than there is has a code of its own.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		body   string
		code   fault.Code
		fields string
	}{
		{`{`, fault.InvalidJSON, ""},
		{`[]`, fault.InvalidJSON, ""},
		{`{}`, fault.ValidationFailed, "input"},
		{`{"input":""}`, fault.ValidationFailed, "input"},
		{`{"input":[]}`, fault.ValidationFailed, "input"},
		{`{"input":{}}`, fault.ValidationFailed, "input"},
		{`{"input":[{"type":"reasoning"}]}`, fault.ValidationFailed, "input"},
		{`{"input":"x","previous_response_id":"r","background":true,"conversation":"c","prompt":{"id":"p"},"truncation":"auto","top_logprobs":3,"text":{"verbosity":"low"}}`, fault.UnsupportedParam,
			"background conversation previous_response_id prompt text.verbosity top_logprobs truncation"},
		{`{"input":"x","tools":[{"type":"web_search"},{"type":"function","name":"f"}],"tool_choice":{"type":"web_search"}}`, fault.UnsupportedParam, "tool_choice.type tools[0].type"},
		{`{"input":[{"type":"item_reference","id":"x"},{"type":"web_search_call"},{"role":"user","content":[{"type":"input_image","file_id":"f"},{"type":"input_file","file_url":"u"},{"type":"input_video"}]}]}`, fault.UnsupportedParam,
			"input[0].type input[1].type input[2].content[0].file_id input[2].content[1].type input[2].content[2].type"},
		{`{"model":7,"input":[{"role":"tool","content":"x"},{"role":"user"},7,{"type":"function_call","arguments":5},{"type":"function_call_output"}],"stream":1,"store":"x","temperature":9,"max_output_tokens":0,"metadata":{"a":1},"reasoning":{"effort":"huge"},"text":{"format":{"type":"json_schema"}},"tools":[{"name":"f"},{"type":"function","parameters":[]}],"background":true}`, fault.ValidationFailed,
			"background input[0].role input[1].content input[2] input[3].arguments input[3].call_id input[3].name input[4].call_id input[4].output max_output_tokens metadata model reasoning.effort store stream temperature text.format.name text.format.schema tools[0].type tools[1].name tools[1].parameters"},
	} {
		_, _, err := Read([]byte(c.body))
		f := fault.From(err)
		if f == nil || f.Code != c.code {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		var fields []string
		for _, d := range f.Details {
			fields = append(fields, d.Field)
		}
		if got := strings.Join(fields, " "); got != c.fields {
			t.Errorf("%s:\n got %s\nwant %s", c.body, got, c.fields)
		}
	}
}

// FuzzRead: no body makes the reader fail in another way than a fault of the caller, and what it takes shares no memory with the body and can be sent on and echoed.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"", "null", "{}", `{"input":"x"}`, `{"input":[{"role":"user","content":"x"}],"model":"m","tools":[{"type":"function","name":"f","parameters":{}}],"tool_choice":"required","metadata":{"a":"b"}}`,
		`{"input":[{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":[{"type":"input_image","image_url":"x"}]}]}`,
		`{"input":[{"role":"assistant","content":[{"type":"output_text","text":"a"}]},{"type":"reasoning"}],"text":{"format":{"type":"json_schema","name":"n","schema":{}}},"reasoning":{"effort":"low"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, e, err := Read(body)
		if err != nil {
			if code := fault.From(err).Code; code != fault.InvalidJSON && code != fault.ValidationFailed && code != fault.UnsupportedParam {
				t.Fatalf("%v", err)
			}
			return
		}
		show := func() []byte {
			b, err := json.Marshal([]any{r, e.answer})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		before := show()
		for i := range body {
			body[i] = 'x'
		}
		if !bytes.Equal(before, show()) {
			t.Fatal("the request changes with the buffer it was read from")
		}
		if len(r.Messages) == 0 || r.MaxTokens < 0 || r.MaxTokens > dialect.MaxOutput {
			t.Fatalf("%+v", r)
		}
		for _, m := range r.Messages {
			if m.Role == "" || len(m.Content) > 0 && !json.Valid(m.Content) {
				t.Fatalf("%+v", m)
			}
		}
	})
}
