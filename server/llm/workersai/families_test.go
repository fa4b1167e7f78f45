package workersai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

const llama, glm, oss = "@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/zai-org/glm-4.7-flash", "@cf/openai/gpt-oss-120b"

func TestThink(t *testing.T) {
	tests := []struct {
		model  string
		effort llm.Effort
		want   string // "refused: words" for an error
	}{
		{llama, llm.EffortOff, ""},
		{llama, llm.EffortLow, "refused: use off"},
		{oss, llm.EffortMedium, `"reasoning_effort":"medium"`},
		{oss, llm.EffortOff, "refused: use low, medium, high"},
		{glm, llm.EffortOff, thinkingOff},
		{glm, llm.EffortHigh, `"reasoning_effort":"high"`},
		{"@cf/zai-org/glm-5.3-flash", llm.EffortMedium, "refused: use low, high"},
		{"@cf/moonshotai/kimi-k2.7-code", llm.EffortLow, "refused: cannot be told"},
		{"@cf/maker/unheard-of", llm.EffortOff, "refused: cannot be told"},
	}
	for _, tt := range tests {
		got, fail := think(tt.model, tt.effort)
		if words, refused := strings.CutPrefix(tt.want, "refused: "); refused {
			if fail == nil || fail.Param != "reasoning_effort" || fail.Code != "unsupported_parameter" || !strings.Contains(fail.Message, words) {
				t.Errorf("%s, %s: got %s, %v", tt.model, tt.effort, got, fail)
			}
			continue
		}
		if fail != nil || got != tt.want {
			t.Errorf("%s, %s: got %s, %v", tt.model, tt.effort, got, fail)
		}
	}
}

func TestPrepare(t *testing.T) {
	tests := []struct {
		model, param, value string
		refused             bool
		tools               int
	}{
		{llama, "stop", `["x"]`, true, 0},
		{llama, "stop", `[]`, false, 1},
		{llama, "logit_bias", `{"1":2}`, true, 0},
		{llama, "logit_bias", `{}`, false, 1},
		{llama, "logprobs", `true`, true, 0},
		{llama, "logprobs", `false`, false, 1},
		{llama, "response_format", `{"type":"json_object"}`, true, 0},
		{llama, "response_format", `{"type":"text"}`, false, 1},
		{llama, "parallel_tool_calls", `false`, true, 0},
		{llama, "parallel_tool_calls", `true`, false, 1},
		{llama, "tool_choice", `"required"`, true, 0},
		{llama, "tool_choice", `"none"`, false, 0},
		{llama, "tool_choice", `"auto"`, false, 1},
		{llama, "seed", `0`, false, 1},
		{glm, "stop", `["x"]`, false, 1},
		{glm, "tool_choice", `"required"`, false, 1},
		{glm, "response_format", `{"type":"json_object"}`, false, 1},
	}
	for _, tt := range tests {
		req := &llm.Request{Model: tt.model, Tools: []llm.Tool{{}}, Params: map[string]json.RawMessage{tt.param: json.RawMessage(tt.value)}}
		own, fail := prepare(req)
		if (fail != nil) != tt.refused || fail != nil && (fail.Param != tt.param || fail.Code != "unsupported_parameter" || fail.Class != llm.ClassInvalid) {
			t.Errorf("%s %s=%s: got %v", tt.model, tt.param, tt.value, fail)
			continue
		}
		if fail == nil && len(own.Tools) != tt.tools {
			t.Errorf("%s %s=%s: %d tools", tt.model, tt.param, tt.value, len(own.Tools))
		}
		if len(req.Params) != 1 || len(req.Tools) != 1 {
			t.Error("the caller's request was changed")
		}
	}
}

func TestNativeSchema(t *testing.T) {
	p, err := Driver.New(llm.Config{Name: "cf", APIKey: "tok", AccountID: account})
	if err != nil {
		t.Fatal(err)
	}
	schema := map[string]json.RawMessage{"response_format": json.RawMessage(`{"type":"json_schema","json_schema":{"name":"n","schema":{}}}`)}
	for model, want := range map[string]bool{llama: false, glm: true} {
		if got := llm.NativeSchema(p, &llm.Request{Model: model, Params: schema}); got != want {
			t.Errorf("%s: %v", model, got)
		}
		if !llm.NativeSchema(p, &llm.Request{Model: model}) {
			t.Errorf("%s: no format is a format like any other", model)
		}
	}
}
