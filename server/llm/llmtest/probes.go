package llmtest

import (
	"encoding/json"
	"strings"

	"github.com/clawless/clawless/server/llm"
)

// probe asks for one thing. A driver honours it, which is seen in what it sends, or refuses it; it never leaves it out in silence.
type probe struct {
	row    string
	param  string // the name in the error of a driver that refuses; what begins with messages is about a part of a message
	value  string // JSON, for a parameter
	mark   string // stands in the body of a driver that honours it
	change func(*llm.Request)
	tools  bool // the request offers two tools before the change too
	usual  bool // asks for what happens anyway, so that nothing need change
	hint   bool // may be left out
	silent bool // the user's text names no tool
}

const (
	closedSchema = `{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{"schemaMark":{"type":"string"}},"required":["schemaMark"],"additionalProperties":false}}}`
	openSchema   = `{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"schemaMark":{"type":"string","minLength":3}}}}}`
	dataImage    = `{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1hZ2VNYXJr"}}`
	linkedImage  = `{"type":"image_url","image_url":{"url":"https://images.example.com/mark.png"}}`
	detailImage  = `{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1hZ2VNYXJr","detail":"low"}}`
)

var probes = []probe{
	{row: "`temperature`", param: "temperature", value: "0.25", mark: "0.25"},
	{row: "`temperature` of 0", param: "temperature", value: "0"},
	{row: "`top_p`", param: "top_p", value: "0.875", mark: "0.875"},
	{row: "`seed`", param: "seed", value: "471147", mark: "471147"},
	{row: "`seed` of 0", param: "seed", value: "0"},
	{row: "`stop`, one text", param: "stop", value: `"STOPMARK"`, mark: "STOPMARK"},
	{row: "`stop`, a list", param: "stop", value: `["STOPMARK","LISTMARK"]`, mark: "LISTMARK"},
	{row: "`presence_penalty`", param: "presence_penalty", value: "0.625", mark: "0.625"},
	{row: "`frequency_penalty`", param: "frequency_penalty", value: "0.375", mark: "0.375"},
	{row: "`logit_bias`", param: "logit_bias", value: `{"471147":-7}`, mark: "471147"},
	{row: "`logprobs`", param: "logprobs", value: "true"},
	{row: "`top_logprobs`", param: "top_logprobs", value: "3", mark: `"top_logprobs":3`},
	{row: "`max_tokens`", param: "max_tokens", value: "47", mark: ":47"},
	{row: "`max_completion_tokens`", param: "max_completion_tokens", value: "47", mark: ":47"},
	{row: "tools", param: "tools", change: offerTools, mark: "get_weather"},
	{row: "`tool_choice`: none", param: "tool_choice", value: `"none"`, tools: true},
	{row: "`tool_choice`: auto", param: "tool_choice", value: `"auto"`, tools: true, usual: true},
	{row: "`tool_choice`: required", param: "tool_choice", value: `"required"`, tools: true, silent: true},
	{row: "`tool_choice`: one function", param: "tool_choice", value: `{"type":"function","function":{"name":"get_time"}}`, tools: true},
	{row: "`parallel_tool_calls`: false", param: "parallel_tool_calls", value: "false", tools: true},
	{row: "`response_format`: json_object", param: "response_format", value: `{"type":"json_object"}`},
	{row: "`response_format`: a strict schema", param: "response_format", value: closedSchema, mark: "schemaMark"},
	{row: "`response_format`: any schema", param: "response_format", value: openSchema, mark: "schemaMark"},
	{row: "an image in the request", param: "messages", change: addPart(dataImage), mark: "aW1hZ2VNYXJr"},
	{row: "an image at an address", param: "messages", change: addPart(linkedImage), mark: "https://images.example.com/mark.png"},
	{row: "the `detail` of an image", param: "messages", change: addPart(detailImage), mark: `"detail":"low"`, hint: true},
	{row: "thinking: off", param: "reasoning_effort", change: think(llm.EffortOff), usual: true},
	{row: "thinking: minimal", param: "reasoning_effort", change: think(llm.EffortMinimal)},
	{row: "thinking: low", param: "reasoning_effort", change: think(llm.EffortLow)},
	{row: "thinking: medium", param: "reasoning_effort", change: think(llm.EffortMedium)},
	{row: "thinking: high", param: "reasoning_effort", change: think(llm.EffortHigh)},
	{row: "a mark where the prompt cache shall end", param: "cache", change: func(r *llm.Request) { r.CachePrompt = true }, hint: true},
}

func probeRows() []string {
	rows := make([]string, len(probes))
	for i, p := range probes {
		rows[i] = p.row
	}
	return rows
}

// The text holds the marks of stop and may name both tools, for models that go by it, and is long enough to be worth caching.
var probeText = "Tell me about Zürich STOPMARK LISTMARK. " + strings.Repeat("The rest is only there to be long. ", 200)

// before is the request without what the probe asks for, and after the one with it.
func (p *probe) before(model string) *llm.Request {
	text := probeText
	if (p.tools || p.param == "tools") && !p.silent {
		text = "get_weather and get_time: " + text
	}
	content, _ := json.Marshal([]map[string]string{{"type": "text", "text": text}}) // texts always encode
	r := &llm.Request{Model: model, Messages: []llm.Message{{Role: "user", Content: content}}, Params: map[string]json.RawMessage{}}
	if p.tools {
		offerTools(r)
	}
	return r
}

func (p *probe) after(model string) *llm.Request {
	r := p.before(model)
	if p.change != nil {
		p.change(r)
		return r
	}
	if p.param == "top_logprobs" {
		r.Params["logprobs"] = json.RawMessage("true") // goes with nothing else
	}
	r.Params[p.param] = json.RawMessage(p.value)
	return r
}

func offerTools(r *llm.Request) {
	for _, name := range []string{"get_weather", "get_time"} {
		r.Tools = append(r.Tools, llm.Tool{Type: "function", Function: llm.ToolFunction{Name: name,
			Parameters: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)}})
	}
}

func addPart(part string) func(*llm.Request) {
	return func(r *llm.Request) {
		c := r.Messages[0].Content
		r.Messages[0].Content = json.RawMessage(string(c[:len(c)-1]) + "," + part + "]")
	}
}

func think(e llm.Effort) func(*llm.Request) { return func(r *llm.Request) { r.Effort = e } }

// refuses checks the error of a driver that does not honour the probe and reports whether it is one.
func (p *probe) refuses(e *llm.Error) bool {
	about := e.Param == p.param || p.param == "messages" && strings.HasPrefix(e.Param, "messages[") || p.param == "top_logprobs" && e.Param == "logprobs"
	return e.Class == llm.ClassInvalid && e.Status == 400 && e.Code == "unsupported_parameter" && e.Message != "" && about
}
