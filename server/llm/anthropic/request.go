package anthropic

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// Anthropic wants a limit with every call. Without one from the caller these are used: what the models take.
const (
	defaultMaxTokens = 8192
	oldMaxTokens     = 4096
)

// oldModels take no more than 4,096 tokens of output.
var oldModels = []string{"claude-2", "claude-instant", "claude-3-haiku", "claude-3-opus", "claude-3-sonnet"}

// encode writes the request in Anthropic's dialect.
func encode(req *llm.Request) ([]byte, *llm.Error) {
	if fail := checkParams(req); fail != nil {
		return nil, fail
	}
	conv := converter{}
	for i := range req.Messages {
		if fail := conv.add(i, &req.Messages[i]); fail != nil {
			return nil, fail
		}
	}
	think, fail := thinkingOf(req)
	if fail != nil {
		return nil, fail
	}
	limit, fail := think.fit(req, conv.continues())
	if fail != nil {
		return nil, fail
	}
	if fail := think.checkSampling(req); fail != nil {
		return nil, fail
	}
	tools, fail := appendTools(nil, req, conv.called)
	if fail != nil {
		return nil, fail
	}
	system := strings.Join(conv.system, "\n\n")
	if req.CachePrompt {
		conv.markEnd(len(tools) + len(system))
	}
	b := wire.AppendString([]byte(`{"model":`), req.Model)
	b = append(append(b, `,"max_tokens":`...), limit...)
	b = appendSystem(b, system, len(tools), req.CachePrompt)
	b = conv.messages(append(b, `,"messages":`...))
	b = append(b, tools...)
	if think.json != "" {
		b = append(append(b, `,"thinking":`...), think.json...)
	}
	for _, name := range []string{"temperature", "top_p"} {
		if raw, ok := wire.Present(req.Params, name); ok && (!isOne(raw) || generationOf(req.Model) < unsampled) {
			b = append(append(b, `,"`+name+`":`...), raw...)
		}
	}
	if b, fail = appendStop(b, req); fail != nil {
		return nil, fail
	}
	if b, fail = appendOutput(b, req, think.effort); fail != nil {
		return nil, fail
	}
	if req.Stream {
		b = append(b, `,"stream":true`...)
	}
	return append(b, '}'), nil
}

// zero stands for every way to write it.
const zero = "0"

// harmless are the values with which a parameter that Anthropic does not have asks for nothing.
var harmless = map[string][]string{
	"seed":              nil,
	"presence_penalty":  {zero},
	"frequency_penalty": {zero},
	"logit_bias":        {"{}"},
	"logprobs":          {"false"},
	"top_logprobs":      {zero},
}

// checkParams refuses what the caller asked for and would not get.
func checkParams(req *llm.Request) *llm.Error {
	for _, name := range llm.ForwardedParams {
		values, foreign := harmless[name]
		raw, ok := wire.Present(req.Params, name)
		if !foreign || !ok {
			continue
		}
		fine := false
		for _, v := range values {
			var n float64
			fine = fine || string(raw) == v || v == zero && json.Unmarshal(raw, &n) == nil && n == 0
		}
		if !fine {
			return unsupported(name, "Anthropic's models have no "+name+"; leave it out")
		}
	}
	return nil
}

func unsupported(param, message string) *llm.Error {
	return &llm.Error{Class: llm.ClassInvalid, Status: http.StatusBadRequest, Type: "invalid_request_error", Param: param, Code: "unsupported_parameter", Message: message}
}

func invalid(param, message string) *llm.Error {
	return &llm.Error{Class: llm.ClassInvalid, Status: http.StatusBadRequest, Type: "invalid_request_error", Param: param, Code: "invalid_value", Message: message}
}

// limitOf is the caller's limit, or what the model takes.
func limitOf(req *llm.Request) string {
	if _, raw, ok := callersLimit(req); ok {
		return string(raw)
	}
	for _, old := range oldModels {
		if strings.HasPrefix(req.Model, old) {
			return strconv.Itoa(oldMaxTokens)
		}
	}
	return strconv.Itoa(defaultMaxTokens)
}

// appendTools writes the tools and the choice among them. A conversation that called tools needs their definitions even when none may be called any more.
func appendTools(b []byte, req *llm.Request, called []string) ([]byte, *llm.Error) {
	choice, fail := toolChoice(req)
	if fail != nil || len(req.Tools) == 0 && len(called) == 0 {
		return b, fail
	}
	b = append(b, `,"tools":[`...)
	for i, t := range req.Tools {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendString(append(b, `{"name":`...), t.Function.Name)
		if t.Function.Description != "" {
			b = wire.AppendString(append(b, `,"description":`...), t.Function.Description)
		}
		schema := t.Function.Parameters
		if len(schema) == 0 || string(schema) == "null" || string(schema) == "{}" {
			schema = json.RawMessage(`{"type":"object","properties":{}}`)
		}
		b = append(append(b, `,"input_schema":`...), schema...)
		if t.Function.Strict != nil && *t.Function.Strict {
			b = append(b, `,"strict":true`...)
		}
		b = append(b, '}')
	}
	if n := len(req.Tools); n > 0 && req.CachePrompt && len(b) >= worthCaching {
		b = marked(b)
	}
	if len(req.Tools) == 0 {
		for i, name := range called {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(wire.AppendString(append(b, `{"name":`...), name), `,"input_schema":{"type":"object"}}`...)
		}
		return append(b, `],"tool_choice":{"type":"none"}`...), nil
	}
	return append(append(b, ']'), choice...), nil
}

// toolChoice writes tool_choice and parallel_tool_calls, which are one thing here.
func toolChoice(req *llm.Request) ([]byte, *llm.Error) {
	serial := false
	if raw, ok := wire.Present(req.Params, "parallel_tool_calls"); ok {
		serial = string(raw) == "false"
	}
	kind, name := "", ""
	if raw, ok := wire.Present(req.Params, "tool_choice"); ok {
		var word string
		var choice struct {
			Function struct {
				Name string `json:"name"`
			} `json:"function"`
		}
		if json.Unmarshal(raw, &word) == nil {
			kind = map[string]string{"auto": "auto", "none": "none", "required": "any"}[word]
		} else if json.Unmarshal(raw, &choice) == nil && choice.Function.Name != "" {
			kind, name = "tool", choice.Function.Name
		}
		switch {
		case kind == "":
			return nil, unsupported("tool_choice", "Anthropic's models know the choices none, auto, required and one function by its name")
		case len(req.Tools) == 0 && kind != "none" && kind != "auto":
			return nil, invalid("tool_choice", "tool_choice asks for a call and there are no tools; send tools or leave tool_choice out")
		}
	}
	if kind == "" && serial {
		kind = "auto"
	}
	if kind == "" {
		return nil, nil
	}
	b := []byte(`,"tool_choice":{"type":"` + kind + `"`)
	if name != "" {
		b = wire.AppendString(append(b, `,"name":`...), name)
	}
	if serial && kind != "none" {
		b = append(b, `,"disable_parallel_tool_use":true`...)
	}
	return append(b, '}'), nil
}

func appendStop(b []byte, req *llm.Request) ([]byte, *llm.Error) {
	raw, ok := wire.Present(req.Params, "stop")
	if !ok {
		return b, nil
	}
	var one string
	var list []string
	if json.Unmarshal(raw, &one) == nil {
		list = []string{one}
	} else if json.Unmarshal(raw, &list) != nil {
		return nil, invalid("stop", "stop must be a string or a list of strings")
	}
	b = append(b, `,"stop_sequences":[`...)
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendString(b, s)
	}
	return append(b, ']'), nil
}
