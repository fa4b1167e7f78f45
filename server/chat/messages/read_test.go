package messages

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// TestRead: what Anthropic's clients send, and what a provider is asked.
func TestRead(t *testing.T) {
	for _, c := range []struct{ name, body, messages, rest string }{
		{"plain", `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`,
			`[{"role":"user","content":"hi"}]`, `{"params":{"max_tokens":5}}`},
		{"system as blocks, cache marks, a single block as text", `{"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"},"citations":null}]}],"container":null,"service_tier":"auto","betas":["x"]}`,
			`[{"role":"system","content":"a\n\nb"},{"role":"user","content":"hi"}]`, `{"params":{}}`},
		{"images", `{"messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},{"type":"image","source":{"type":"url","url":"https://x/y"}}]}]}`,
			`[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"image_url","image_url":{"url":"https://x/y"}}]}]`, `{"params":{}}`},
		{"a turn with tools, thoughts left out", `{"messages":[{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":"on it"},{"type":"tool_use","id":"t1","name":"f","input":{"a": 1}},{"type":"tool_use","id":"t2","name":"g","input":{}}]},
			{"role":"user","content":[{"type":"text","text":"and?"},{"type":"tool_result","tool_use_id":"t1","content":"one"},{"type":"tool_result","tool_use_id":"t2","is_error":true,"content":[{"type":"text","text":"two"},{"type":"image","source":{"type":"url","url":"https://x/y"}}]}]}]}`,
			`[{"role":"user","content":"go"},{"role":"assistant","content":"on it","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"t2","type":"function","function":{"name":"g","arguments":"{}"}}]},` +
				`{"role":"tool","content":"one","tool_call_id":"t1"},{"role":"tool","content":"Error: two\n\n(an image, in the next message)","tool_call_id":"t2"},{"role":"user","content":[{"type":"text","text":"and?"},{"type":"image_url","image_url":{"url":"https://x/y"}}]}]`, `{"params":{}}`},
		{"a result without content, a message of thoughts alone", `{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}]}`,
			`[{"role":"tool","content":"","tool_call_id":"t"}]`, `{"params":{}}`},
		{"everything else", `{"messages":[{"role":"user","content":"x"}],"stream":true,"temperature":0,"top_p":1,"stop_sequences":["a","b"],"metadata":{"user_id":"u"},"thinking":{"type":"enabled","budget_tokens":4096},
			"tools":[{"name":"f","description":"d","input_schema":{"type":"object","$defs":{}},"strict":false},{"type":"custom","name":"g","input_schema":{}}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},"output_config":{"format":{"type":"json_schema","schema":{"a":1}}}}`,
			`[{"role":"user","content":"x"}]`, `{"stream":true,"user":"u","effort":"low","tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","$defs":{}},"strict":false}},{"type":"function","function":{"name":"g","parameters":{}}}],` +
				`"params":{"parallel_tool_calls":false,"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"a":1},"strict":true}},"stop":["a","b"],"temperature":0,"tool_choice":{"type":"function","function":{"name":"f"}},"top_p":1}}`},
		{"choices", `{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"any"},"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}}`,
			`[{"role":"user","content":"x"}]`, `{"effort":"high","tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"params":{"tool_choice":"required"}}`},
		{"thinking off", `{"messages":[{"role":"user","content":"x"}],"thinking":{"type":"disabled"},"output_config":{"effort":"low"},"tool_choice":{"type":"auto"}}`, `[{"role":"user","content":"x"}]`, `{"effort":"off","params":{}}`},
	} {
		r, err := Read([]byte(c.body))
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
	const user = `"messages":[{"role":"user","content":"x"}]`
	for _, c := range []struct {
		body   string
		code   fault.Code
		fields string
	}{
		{`{`, fault.InvalidJSON, ""},
		{`[]`, fault.InvalidJSON, ""},
		{`{"model":"a","model":"b"}`, fault.InvalidJSON, ""},
		{`{}`, fault.ValidationFailed, "messages"},
		{`{"messages":[]}`, fault.ValidationFailed, "messages"},
		{`{"messages":[{"role":"user","content":[]}]}`, fault.ValidationFailed, "messages"},
		{`{` + user + `,"top_k":5}`, fault.UnsupportedParam, "top_k"},
		{`{` + user + `,"tools":[{"type":"web_search_20250305","name":"web_search"}],"mcp_servers":[{"url":"x"}]}`, fault.UnsupportedParam, "mcp_servers tools[0].type"},
		{`{"messages":[{"role":"user","content":[{"type":"document","source":{}}]}]}`, fault.UnsupportedParam, "messages[0].content[0].type"},
		{`{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"x"}}]}]}`, fault.UnsupportedParam, "messages[0].content[0].source.type"},
		{`{"model":1,"max_tokens":0,"stream":"yes","temperature":3,"top_k":1,"stop_sequences":[1],"tools":[{"name":""},7],"tool_choice":{"type":"tool"},"thinking":{"type":"x"},"messages":[{"role":"tool","content":"x"},{"content":5},{"role":"assistant","content":[{"type":"tool_use","id":"","name":"f","input":[]},{"type":"image"}]}]}`, fault.ValidationFailed,
			"max_tokens messages[0].role messages[1].role messages[2].content[0].id messages[2].content[0].input messages[2].content[1].type model stop_sequences[0] stream temperature thinking.type tool_choice.name tools[0].input_schema tools[0].name tools[1] top_k"},
		{`{` + user + `,"metadata":{"user_id":"a\u0000b"},"output_config":7,"system":[{"type":"image"}]}`, fault.ValidationFailed, "metadata.user_id output_config system[0].type"},
	} {
		_, err := Read([]byte(c.body))
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

// FuzzRead: no body makes the reader fail in another way than a fault of the caller, and what it takes shares no memory with the body and can be sent on.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"", "null", "{}", `{"messages":[]}`, `{"messages":[{"role":"user","content":"x"}],"model":"m","stop_sequences":["a"],"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"any"}}`,
		`{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}]}`, ` {"messages":[{"role":"user","content":[{"type":"text"}]}]} `,
		`{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"type":"base64"}}]}]}]}`, `{"system":[{"type":"text","text":"a"}],"thinking":{"type":"enabled"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Read(body)
		if err != nil {
			if code := fault.From(err).Code; code != fault.InvalidJSON && code != fault.ValidationFailed && code != fault.UnsupportedParam {
				t.Fatalf("%v", err)
			}
			return
		}
		before, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for i := range body {
			body[i] = 'x'
		}
		if after, _ := json.Marshal(r); !bytes.Equal(before, after) {
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
