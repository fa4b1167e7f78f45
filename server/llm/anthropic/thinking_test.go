package anthropic

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

func TestGeneration(t *testing.T) {
	for model, want := range map[string]generation{
		"m": 0, "deepseek-v4-pro": 0, "claude-2.1": 21, "claude-instant-1.2": 12, "claude-3-haiku-20240307": 30, "claude-3-7-sonnet-latest": 37, "claude-sonnet-4-20250514": 40,
		"claude-sonnet-4-5-20250929": 45, "claude-opus-4-8": 48, "us.anthropic.claude-opus-4-6-v1:0": 46, "claude-fable-5": 50, "claude-opus-5-5": 55, "claude-sonnet-latest": newest,
	} {
		if got := generationOf(model); got != want {
			t.Errorf("%s: got %d, want %d", model, got, want)
		}
	}
}

// encoded is what a request becomes, as far as these tests look at it.
type encoded struct {
	MaxTokens   int64           `json:"max_tokens"`
	Thinking    json.RawMessage `json:"thinking"`
	Temperature json.RawMessage `json:"temperature"`
	Output      json.RawMessage `json:"output_config"`
	System      json.RawMessage `json:"system"`
	Tools       json.RawMessage `json:"tools"`
	Messages    json.RawMessage `json:"messages"`
}

func encodeTo(t *testing.T, in string) (encoded, *llm.Error) {
	t.Helper()
	body, fail := encode(request(t, in))
	if fail != nil {
		return encoded{}, fail
	}
	var out encoded
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return out, nil
}

func TestThinking(t *testing.T) {
	const tool = `"tools":[{"function":{"name":"f"}}],`
	tests := []struct {
		name, in  string
		thinking  string
		maxTokens int64
		output    string
	}{
		{"left to the model", `"model":"claude-opus-4-8"`, ``, 8192, ``},
		{"a budget on top of what the answer has", `"model":"claude-sonnet-4-5","reasoning_effort":"medium"`, `{"type":"enabled","budget_tokens":8192}`, 16384, ``},
		{"the least budget", `"model":"claude-sonnet-4-5","reasoning_effort":"minimal"`, `{"type":"enabled","budget_tokens":1024}`, 9216, ``},
		{"a budget within the limit", `"model":"claude-sonnet-4-5","reasoning_effort":"high","max_tokens":4000`, `{"type":"enabled","budget_tokens":2000}`, 4000, ``},
		{"a budget within a small limit", `"model":"claude-sonnet-4-5","reasoning_effort":"high","max_completion_tokens":1025`, `{"type":"enabled","budget_tokens":1024}`, 1025, ``},
		{"off", `"model":"claude-sonnet-4-5","reasoning_effort":"off","temperature":0.5`, `{"type":"disabled"}`, 8192, ``},
		{"off where there is nothing to turn off", `"model":"claude-3-5-haiku-20241022","reasoning_effort":"off"`, ``, 8192, ``},
		{"another vendor's model", `"model":"glm-5","reasoning_effort":"low"`, `{"type":"enabled","budget_tokens":2048}`, 10240, ``},
		{"a level", `"model":"claude-sonnet-4-6","reasoning_effort":"high"`, adaptive, 8192, `{"effort":"high"}`},
		{"the default temperature beside thinking", `"model":"claude-sonnet-4-5","reasoning_effort":"low","temperature":1,"top_p":0.96`, `{"type":"enabled","budget_tokens":2048}`, 10240, ``},
		{"tools of choice", tool + `"model":"claude-sonnet-4-5","reasoning_effort":"low","tool_choice":"auto"`, `{"type":"enabled","budget_tokens":2048}`, 10240, ``},
		{"no tools", tool + `"model":"claude-opus-5","reasoning_effort":"low","tool_choice":"none"`, adaptive, 8192, `{"effort":"low"}`},
		{"always", `"model":"claude-fable-5","reasoning_effort":"medium"`, adaptive, 8192, `{"effort":"medium"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, fail := encodeTo(t, `{`+tt.in+`,"messages":[{"role":"user","content":"hi"}]}`)
			if fail != nil {
				t.Fatal(fail)
			}
			if string(got.Thinking) != tt.thinking || got.MaxTokens != tt.maxTokens || string(got.Output) != tt.output {
				t.Errorf("got %s of %d, %s", got.Thinking, got.MaxTokens, got.Output)
			}
		})
	}
}

// TestThinkingAfterTools: Anthropic wants the signed thoughts back when a tool has answered, and they are not kept.
func TestThinkingAfterTools(t *testing.T) {
	const messages = `"tools":[{"function":{"name":"f"}}],"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}`
	for model, want := range map[string]string{"claude-sonnet-4-5": disabled, "claude-opus-4-8": adaptive} {
		got, fail := encodeTo(t, `{"model":"`+model+`","reasoning_effort":"high",`+messages+`]}`)
		if fail != nil || string(got.Thinking) != want || got.MaxTokens != 8192 {
			t.Errorf("%s goes on with %s of %d, %v", model, got.Thinking, got.MaxTokens, fail)
		}
	}
	got, fail := encodeTo(t, `{"model":"claude-sonnet-4-5","reasoning_effort":"low",`+messages+`,{"role":"assistant","content":"done"},{"role":"user","content":"b"}]}`)
	if fail != nil || !strings.Contains(string(got.Thinking), "enabled") {
		t.Errorf("the next question gets %s, %v", got.Thinking, fail)
	}
}

func TestThinkingRefuses(t *testing.T) {
	tests := []struct{ in, param, words string }{
		{`"model":"claude-3-5-haiku-20241022","reasoning_effort":"low"`, "reasoning_effort", "use off"},
		{`"model":"claude-opus-4-8","reasoning_effort":"minimal"`, "reasoning_effort", "off, low, medium, high"},
		{`"model":"claude-fable-5","reasoning_effort":"off"`, "reasoning_effort", "use low, medium, high"},
		{`"model":"claude-mythos-5-1","reasoning_effort":"minimal"`, "reasoning_effort", "use low, medium, high"},
		{`"model":"claude-sonnet-4-5","reasoning_effort":"low","temperature":0`, "temperature", "off"},
		{`"model":"claude-sonnet-4-5","reasoning_effort":"low","top_p":0.5`, "top_p", "off"},
		{`"model":"claude-sonnet-4-5","reasoning_effort":"low","max_tokens":1024`, "max_tokens", "raise"},
		{`"model":"claude-sonnet-4-5","reasoning_effort":"low","tool_choice":"required","tools":[{"function":{"name":"f"}}]`, "tool_choice", "off"},
		{`"model":"claude-opus-4-8","reasoning_effort":"low","tool_choice":{"function":{"name":"f"}},"tools":[{"function":{"name":"f"}}]`, "tool_choice", "off"},
		{`"model":"claude-opus-4-8","temperature":0.5`, "temperature", "leave it out"},
		{`"model":"claude-sonnet-5","top_p":0.99`, "top_p", "leave it out"},
	}
	for _, tt := range tests {
		_, fail := encodeTo(t, `{`+tt.in+`,"messages":[{"role":"user","content":"hi"}]}`)
		if fail == nil || fail.Class != llm.ClassInvalid || fail.Status != 400 || fail.Code != "unsupported_parameter" || fail.Param != tt.param || !strings.Contains(fail.Message, tt.words) {
			t.Errorf("%s: got %v", tt.in, fail)
		}
	}
	if got, fail := encodeTo(t, `{"model":"claude-opus-4-8","temperature":1.0,"top_p":1,"messages":[]}`); fail != nil || got.Temperature != nil {
		t.Errorf("the default temperature: got %s, %v", got.Temperature, fail)
	}
}

func TestNativeSchema(t *testing.T) {
	closed := `{"type":"object","properties":{"a":{"type":"array","items":{"$ref":"#/$defs/A"}}},"required":["a"],"additionalProperties":false,"$defs":{"A":{"anyOf":[{"type":"string"},{"type":"null"}]}}}`
	tests := []struct {
		model, format string
		want          bool
	}{
		{"claude-sonnet-4-5", `{"type":"json_schema","json_schema":{"schema":` + closed + `}}`, true},
		{"claude-opus-latest", `{"type":"json_schema","json_schema":{"schema":` + closed + `}}`, true},
		{"claude-3-5-haiku-20241022", `{"type":"json_schema","json_schema":{"schema":` + closed + `}}`, false},
		{"another", `{"type":"json_schema","json_schema":{"schema":` + closed + `}}`, false},
		{"claude-sonnet-4-5", `{"type":"json_object"}`, false},
		{"claude-sonnet-4-5", `{"type":"text"}`, true},
		{"claude-sonnet-4-5", `{"type":"json_schema","json_schema":{"schema":` + strings.Replace(closed, `"type":"string"`, `"type":"string","maxLength":3`, 1) + `}}`, false},
		{"claude-sonnet-4-5", `{"type":"json_schema","json_schema":{"schema":` + strings.Replace(closed, `,"additionalProperties":false`, ``, 1) + `}}`, false},
		{"claude-sonnet-4-5", `{"type":"json_schema","json_schema":{"schema":` + strings.Replace(closed, `{"type":"null"}`, `{"type":"object"}`, 1) + `}}`, false},
		{"claude-sonnet-4-5", `{"type":"json_schema","json_schema":{"schema":` + strings.Replace(closed, `"type":"array"`, `"type":"array","minItems":2`, 1) + `}}`, false},
		{"claude-sonnet-4-5", `{"type":"json_schema","json_schema":{"schema":` + strings.Repeat(`{"anyOf":[`, 90) + `{}` + strings.Repeat(`]}`, 90) + `}}`, false},
	}
	for _, tt := range tests {
		req := &llm.Request{Model: tt.model, Params: map[string]json.RawMessage{"response_format": json.RawMessage(tt.format)}}
		if got := (&Provider{}).NativeSchema(req); got != tt.want {
			t.Errorf("%s, %s: got %v", tt.model, tt.format, got)
		}
		if _, fail := encode(req); (fail == nil) != tt.want {
			t.Errorf("%s, %s: the call says %v", tt.model, tt.format, fail)
		}
	}
}

func TestCacheMarks(t *testing.T) {
	long := strings.Repeat("many words ", 400)
	const tool = `"tools":[{"function":{"name":"f","description":"D"}},{"function":{"name":"g"}}],`
	count := func(raw json.RawMessage) int {
		return strings.Count(string(raw), `"cache_control":{"type":"ephemeral"}}`)
	}
	tests := []struct {
		name, in                string
		system, tools, messages int
	}{
		{"short", `"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]`, 0, 0, 0},
		{"a long question", tool + `"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"` + long + `"}]`, 0, 0, 1},
		{"a long system prompt", tool + `"messages":[{"role":"system","content":"` + long + `"},{"role":"user","content":"hi"}]`, 1, 0, 1},
		{"long tools", strings.Replace(tool, "D", long, 1) + `"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]`, 1, 1, 1},
		{"after a tool", `"messages":[{"role":"user","content":"` + long + `"},{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}]`, 0, 0, 1},
		{"an image last", `"messages":[{"role":"user","content":[{"type":"text","text":"` + long + `"},{"type":"image_url","image_url":{"url":"https://a/b.png"}}]}]`, 0, 0, 1},
	}
	for _, tt := range tests {
		for _, cache := range []string{"true", "false"} {
			got, fail := encodeTo(t, `{"model":"claude-sonnet-4-5","cache":`+cache+`,`+tt.in+`}`)
			if fail != nil {
				t.Fatal(fail)
			}
			s, l, m := count(got.System), count(got.Tools), count(got.Messages)
			if cache == "true" && (s != tt.system || l != tt.tools || m != tt.messages) || cache == "false" && s+l+m > 0 {
				t.Errorf("%s, cache %s: %d marks in the system prompt, %d in the tools, %d in the messages", tt.name, cache, s, l, m)
			}
		}
	}
}
