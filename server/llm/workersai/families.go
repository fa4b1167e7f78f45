package workersai

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
	"github.com/clawless/clawless/server/llm/wire/openaichat"
)

// family is what Cloudflare's catalogue says of the models whose names begin alike.
type family struct {
	prefix  string // of the name after its maker
	whole   bool   // takes all of OpenAI's parameters; the others have a short list of their own and ignore the rest without a word
	efforts []llm.Effort
	silent  bool // answers without thinking, so that there is nothing to turn off
}

// Cloudflare's switch for models whose thinking is on unless it is turned off.
const thinkingOff = `"chat_template_kwargs":{"enable_thinking":false}`

var threeLevels = []llm.Effort{llm.EffortLow, llm.EffortMedium, llm.EffortHigh}
var offAndLevels = []llm.Effort{llm.EffortOff, llm.EffortLow, llm.EffortMedium, llm.EffortHigh}

// families are in order; the first that fits counts. A model that fits none is taken for one with the short list and no levels.
var families = []family{
	{prefix: "gpt-oss-", efforts: threeLevels},
	{prefix: "glm-4", whole: true, efforts: offAndLevels},
	{prefix: "glm-5.3", whole: true, efforts: []llm.Effort{llm.EffortLow, llm.EffortHigh}}, // any other word means the most there
	{prefix: "glm-", whole: true},
	{prefix: "nemotron-3", whole: true, efforts: offAndLevels},
	{prefix: "kimi-", whole: true},
	{prefix: "llama-", silent: true},
	{prefix: "mistral-", silent: true},
	{prefix: "gemma-2", silent: true},
	{prefix: "gemma-3", silent: true},
	{prefix: "gemma-7", silent: true},
	{prefix: "qwen1", silent: true},
	{prefix: "qwen2", silent: true},
	{prefix: "hermes-", silent: true},
	{prefix: "phi-", silent: true},
}

func familyOf(model string) family {
	name := strings.ToLower(model[strings.LastIndex(model, "/")+1:])
	for _, f := range families {
		if strings.HasPrefix(name, f.prefix) {
			return f
		}
	}
	return family{}
}

// nativeSchema reports whether the model can be held to a format. Those with the short list keep to one badly and not in a stream, as Cloudflare itself says.
func nativeSchema(req *llm.Request) bool { return familyOf(req.Model).whole }

// think writes an effort in the words of the model's family.
func think(model string, e llm.Effort) (string, *llm.Error) {
	f := familyOf(model)
	if e == llm.EffortOff && f.silent {
		return "", nil
	}
	for _, has := range f.efforts {
		switch {
		case has != e:
		case e == llm.EffortOff:
			return thinkingOff, nil
		default:
			return openaichat.ReasoningEffort(model, e)
		}
	}
	if f.silent {
		return "", openaichat.NoEffort(model, e, llm.EffortOff)
	}
	return "", openaichat.NoEffort(model, e, f.efforts...)
}

// foreign are the parameters that models with the short list do not have, with the values by which they ask for nothing.
var foreign = []struct {
	name     string
	harmless []string
	instead  string
}{
	{"stop", []string{`[]`, `""`}, "leave it out"},
	{"logit_bias", []string{"{}"}, "leave it out"},
	{"logprobs", []string{"false"}, "leave it out"},
	{"top_logprobs", []string{"0"}, "leave it out"},
	{"response_format", []string{`{"type":"text"}`}, "ask for the format in words"},
}

// prepare refuses what a model with the short list would ignore without a word, and takes the tools away where the caller wants none called.
func prepare(req *llm.Request) (*llm.Request, *llm.Error) {
	if familyOf(req.Model).whole {
		return req, nil
	}
	own := *req
	own.Params = maps.Clone(req.Params)
	for _, p := range foreign {
		raw, ok := wire.Present(req.Params, p.name)
		if !ok {
			continue
		}
		delete(own.Params, p.name)
		if !asksNothing(raw, p.harmless) {
			return nil, openaichat.Unsupported(p.name, req.Model+" has no "+p.name+" at Workers AI; "+p.instead+" or choose another model")
		}
	}
	if raw, ok := wire.Present(req.Params, "parallel_tool_calls"); ok {
		delete(own.Params, "parallel_tool_calls")
		if string(raw) == "false" && len(req.Tools) > 0 {
			return nil, openaichat.Unsupported("parallel_tool_calls", req.Model+" cannot be kept from calling several tools at once; leave parallel_tool_calls out")
		}
	}
	if raw, ok := wire.Present(req.Params, "tool_choice"); ok {
		delete(own.Params, "tool_choice")
		switch string(raw) {
		case `"auto"`:
		case `"none"`:
			own.Tools = nil
		default:
			return nil, openaichat.Unsupported("tool_choice", req.Model+" cannot be made to call a tool; use auto or none")
		}
	}
	return &own, nil
}

func asksNothing(raw json.RawMessage, harmless []string) bool {
	for _, h := range harmless {
		if string(raw) == h {
			return true
		}
	}
	var f struct {
		Type string `json:"type"`
	}
	return json.Unmarshal(raw, &f) == nil && f.Type == "text"
}
