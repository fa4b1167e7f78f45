package anthropic

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// request reads a request in OpenAI's dialect, as the API does.
func request(t *testing.T, s string) *llm.Request {
	t.Helper()
	var r struct {
		Model    string        `json:"model"`
		Messages []llm.Message `json:"messages"`
		Tools    []llm.Tool    `json:"tools"`
		Stream   bool          `json:"stream"`
		Effort   llm.Effort    `json:"reasoning_effort"`
		Cache    bool          `json:"cache"`
	}
	var params map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &r); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(s), &params); err != nil {
		t.Fatal(err)
	}
	return &llm.Request{Model: r.Model, Messages: r.Messages, Tools: r.Tools, Stream: r.Stream, Params: params, Effort: r.Effort, CachePrompt: r.Cache}
}

func TestEncode(t *testing.T) {
	const tools = `"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"x":{"$ref":"#/$defs/X"}},"$defs":{"X":{"type":"integer"}}},"strict":true}},{"type":"function","function":{"name":"g"}}]`
	const toolsOut = `"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"x":{"$ref":"#/$defs/X"}},"$defs":{"X":{"type":"integer"}}},"strict":true},{"name":"g","input_schema":{"type":"object","properties":{}}}]`
	const hi = `"messages":[{"role":"user","content":"hi"}]`
	const hiOut = `"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]`
	tests := []struct{ name, in, want string }{
		{"system and developer", `{"model":"m","messages":[{"role":"system","content":"a"},{"role":"user","content":"hi"},{"role":"developer","content":[{"type":"text","text":"b"}]}]}`,
			`{"model":"m","max_tokens":8192,"system":"a\n\nb",` + hiOut + `}`},
		{"limits", `{"model":"m","max_tokens":5,` + hi + `,"temperature":0,"top_p":1.0,"stop":"x","stream":true}`,
			`{"model":"m","max_tokens":5,` + hiOut + `,"temperature":0,"top_p":1.0,"stop_sequences":["x"],"stream":true}`},
		{"an old model", `{"model":"claude-3-haiku-20240307",` + hi + `,"max_tokens":null,"stop":["a","b"],"stream":false}`,
			`{"model":"claude-3-haiku-20240307","max_tokens":4096,` + hiOut + `,"stop_sequences":["a","b"]}`},
		{"max_completion_tokens", `{"model":"m","max_completion_tokens":9,` + hi + `}`, `{"model":"m","max_tokens":9,` + hiOut + `}`},
		{"harmless foreign parameters", `{"model":"m",` + hi + `,"logit_bias":{},"presence_penalty":0,"frequency_penalty":0.0,"logprobs":false,"seed":null,"response_format":{"type":"text"}}`,
			`{"model":"m","max_tokens":8192,` + hiOut + `}`},
		{"roles are merged and empty texts left out", `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":""},{"role":"user","content":[{"type":"text","text":" \n"},{"type":"text","text":"b"}]},{"role":"assistant","content":""},{"role":"assistant","content":"c"},{"role":"assistant","content":"d \n"}]}`,
			`{"model":"m","max_tokens":8192,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]}]}`},
		{"an empty answer between two questions", `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null},{"role":"user","content":"b"}]}`,
			`{"model":"m","max_tokens":8192,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`},
		{"tools and their results", `{"model":"m",` + tools + `,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"let me","tool_calls":[{"id":"functions.f:0","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":""}},{"id":"c3","type":"function","function":{"name":"g","arguments":"[1"}}]},{"role":"tool","tool_call_id":"functions.f:0","content":"one"},{"role":"tool","tool_call_id":"c2","content":""},{"role":"tool","tool_call_id":"c3","content":[{"type":"text","text":"two"},{"type":"text","text":"three"}]},{"role":"user","content":"go on"}]}`,
			`{"model":"m","max_tokens":8192,"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},` +
				`{"role":"assistant","content":[{"type":"text","text":"let me"},{"type":"tool_use","id":"functions_f_0","name":"f","input":{"x": 1}},{"type":"tool_use","id":"c2","name":"g","input":{}},{"type":"tool_use","id":"c3","name":"g","input":{"arguments":"[1"}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"functions_f_0","content":"one"},{"type":"tool_result","tool_use_id":"c2"},{"type":"tool_result","tool_use_id":"c3","content":[{"type":"text","text":"two"},{"type":"text","text":"three"}]},{"type":"text","text":"go on"}]}],` + toolsOut + `}`},
		{"called tools that are no longer offered", `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}]}`,
			`{"model":"m","max_tokens":8192,"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"r"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"none"}}`},
		{"any tool", `{"model":"m",` + hi + `,` + tools + `,"tool_choice":"required"}`, `{"model":"m","max_tokens":8192,` + hiOut + `,` + toolsOut + `,"tool_choice":{"type":"any"}}`},
		{"one tool, one at a time", `{"model":"m",` + hi + `,` + tools + `,"tool_choice":{"type":"function","function":{"name":"g"}},"parallel_tool_calls":false}`, `{"model":"m","max_tokens":8192,` + hiOut + `,` + toolsOut + `,"tool_choice":{"type":"tool","name":"g","disable_parallel_tool_use":true}}`},
		{"one at a time", `{"model":"m",` + hi + `,` + tools + `,"parallel_tool_calls":false}`, `{"model":"m","max_tokens":8192,` + hiOut + `,` + toolsOut + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`},
		{"no tool", `{"model":"m",` + hi + `,` + tools + `,"tool_choice":"none","parallel_tool_calls":false}`, `{"model":"m","max_tokens":8192,` + hiOut + `,` + toolsOut + `,"tool_choice":{"type":"none"}}`},
		{"pictures and papers", `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/PNG;charset=x;base64,AAAA","detail":"low"}},{"type":"image_url","image_url":{"url":"https://a/b.png"}},{"type":"file","file":{"file_data":"data:application/pdf;base64,BBBB","filename":"a.pdf"}}]}]}`,
			`{"model":"m","max_tokens":8192,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"image","source":{"type":"url","url":"https://a/b.png"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"BBBB"},"title":"a.pdf"}]}]}`},
		{"a schema and an effort", `{"model":"claude-opus-4-8",` + hi + `,"reasoning_effort":"low","response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","additionalProperties":false}}}}`,
			`{"model":"claude-opus-4-8","max_tokens":8192,` + hiOut + `,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object","additionalProperties":false}}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, fail := encode(request(t, tt.in))
			if fail != nil {
				t.Fatal(fail)
			}
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if !json.Valid(got) {
				t.Error("not JSON")
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	tests := []struct{ in, param, code string }{
		{`{"logit_bias":{"1":2}}`, "logit_bias", "unsupported_parameter"},
		{`{"seed":0}`, "seed", "unsupported_parameter"},
		{`{"logprobs":true}`, "logprobs", "unsupported_parameter"},
		{`{"top_logprobs":2}`, "top_logprobs", "unsupported_parameter"},
		{`{"presence_penalty":0.5}`, "presence_penalty", "unsupported_parameter"},
		{`{"frequency_penalty":1}`, "frequency_penalty", "unsupported_parameter"},
		{`{"response_format":{"type":"json_object"}}`, "response_format", "unsupported_parameter"},
		{`{"model":"claude-sonnet-4-5","response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"}}}}`, "response_format", "unsupported_parameter"},
		{`{"model":"claude-3-5-haiku-20241022","response_format":{"type":"json_schema","json_schema":{"schema":{"type":"string"}}}}`, "response_format", "unsupported_parameter"},
		{`{"tool_choice":"required"}`, "tool_choice", "invalid_value"},
		{`{"tools":[{"function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools"}}`, "tool_choice", "unsupported_parameter"},
		{`{"stop":7}`, "stop", "invalid_value"},
		{`{"messages":[{"role":"critic","content":"x"}]}`, "messages[0].role", "invalid_value"},
		{`{"messages":[{"role":"user","content":7}]}`, "messages[0].content", "invalid_value"},
		{`{"messages":[{"role":"user","content":"x"},{"role":"user","content":[{"type":"text","text":"x"},{"type":"input_audio"}]}]}`, "messages[1].content[1].type", "invalid_value"},
		{`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://a/b.png"}}]}]}`, "messages[0].content[0].image_url.url", "invalid_value"},
		{`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,AA"}}]}]}`, "messages[0].content[0].image_url.url", "invalid_value"},
		{`{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}`, "messages[0].content[0].file", "invalid_value"},
		{`{"messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://a/b.png"}}]}]}`, "messages[0].content", "invalid_value"},
	}
	for _, tt := range tests {
		body, fail := encode(request(t, tt.in))
		if fail == nil || fail.Class != llm.ClassInvalid || fail.Param != tt.param || fail.Code != tt.code || fail.Status != 400 || fail.Message == "" {
			t.Errorf("%s: got %v, %s", tt.in, fail, body)
		}
	}
}

// FuzzEncode checks that whatever the caller sent becomes JSON whose roles alternate and whose texts are not blank.
func FuzzEncode(f *testing.F) {
	f.Add(`[{"role":"user","content":"a"},{"role":"tool","tool_call_id":"x","content":"b"},{"role":"assistant","tool_calls":[{"id":"é","function":{"name":"f","arguments":"{"}}]}]`)
	f.Add(`[{"role":"assistant","content":"a "},{"role":"assistant","content":[{"type":"text","text":"\u0000"}]}]`)
	f.Fuzz(func(t *testing.T, messages string) {
		var list []llm.Message
		if json.Unmarshal([]byte(messages), &list) != nil {
			return
		}
		body, fail := encode(&llm.Request{Model: "m", Messages: list})
		if fail != nil {
			return
		}
		var out struct {
			Messages []struct {
				Role    string `json:"role"`
				Content []struct {
					Type string `json:"type"`
					Text string `json:"text"`
				} `json:"content"`
			} `json:"messages"`
		}
		if err := json.Unmarshal(body, &out); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		for i, m := range out.Messages {
			if i > 0 && m.Role == out.Messages[i-1].Role || len(m.Content) == 0 {
				t.Fatalf("message %d: %s", i, body)
			}
			for _, b := range m.Content {
				if b.Type == "text" && strings.TrimSpace(b.Text) == "" {
					t.Fatalf("a blank text: %s", body)
				}
			}
		}
	})
}
