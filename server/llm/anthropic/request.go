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
	b := wire.AppendString([]byte(`{"model":`), req.Model)
	b = append(append(b, `,"max_tokens":`...), maxTokens(req)...)
	if len(conv.system) > 0 {
		b = wire.AppendString(append(b, `,"system":`...), strings.Join(conv.system, "\n\n"))
	}
	b = conv.messages(append(b, `,"messages":`...))
	b = appendTools(b, req, conv.called)
	for _, name := range []string{"temperature", "top_p"} {
		if raw, ok := wire.Present(req.Params, name); ok {
			b = append(append(b, `,"`+name+`":`...), raw...)
		}
	}
	b, fail := appendStop(b, req)
	if fail != nil {
		return nil, fail
	}
	if b, fail = appendOutput(b, req); fail != nil {
		return nil, fail
	}
	if req.Stream {
		b = append(b, `,"stream":true`...)
	}
	return append(b, '}'), nil
}

// harmless are the values with which a parameter that Anthropic does not have asks for nothing.
var harmless = map[string][]string{
	"seed":              nil,
	"presence_penalty":  {"0", "0.0"},
	"frequency_penalty": {"0", "0.0"},
	"logit_bias":        {"{}"},
	"logprobs":          {"false"},
	"top_logprobs":      {"0"},
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
			fine = fine || string(raw) == v
		}
		if !fine {
			return unsupported(name, "Anthropic's models have no "+name)
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

func maxTokens(req *llm.Request) string {
	for _, name := range []string{"max_completion_tokens", "max_tokens"} {
		if raw, ok := wire.Present(req.Params, name); ok {
			return string(raw)
		}
	}
	for _, old := range oldModels {
		if strings.HasPrefix(req.Model, old) {
			return strconv.Itoa(oldMaxTokens)
		}
	}
	return strconv.Itoa(defaultMaxTokens)
}

// appendTools writes the tools and the choice among them. A conversation that called tools needs their definitions even when none may be called any more.
func appendTools(b []byte, req *llm.Request, called []string) []byte {
	if len(req.Tools) == 0 && len(called) == 0 {
		return b
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
	if len(req.Tools) == 0 {
		for i, name := range called {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(wire.AppendString(append(b, `{"name":`...), name), `,"input_schema":{"type":"object"}}`...)
		}
		return append(b, `],"tool_choice":{"type":"none"}`...)
	}
	return appendChoice(append(b, ']'), req)
}

// appendChoice writes tool_choice and parallel_tool_calls, which are one thing here.
func appendChoice(b []byte, req *llm.Request) []byte {
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
	}
	if kind == "" && serial {
		kind = "auto"
	}
	if kind == "" {
		return b
	}
	b = append(b, `,"tool_choice":{"type":"`+kind+`"`...)
	if name != "" {
		b = wire.AppendString(append(b, `,"name":`...), name)
	}
	if serial && kind != "none" {
		b = append(b, `,"disable_parallel_tool_use":true`...)
	}
	return append(b, '}')
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

// efforts are OpenAI's words of which Anthropic has the same; "none" turns thinking off.
var efforts = map[string]bool{"low": true, "medium": true, "high": true, "xhigh": true, "max": true}

// appendOutput writes response_format and reasoning_effort, which share an object here.
func appendOutput(b []byte, req *llm.Request) ([]byte, *llm.Error) {
	var fields []byte
	if raw, ok := wire.Present(req.Params, "reasoning_effort"); ok {
		var effort string
		if json.Unmarshal(raw, &effort) != nil {
			return nil, invalid("reasoning_effort", "reasoning_effort must be a string")
		}
		switch {
		case effort == "none":
			b = append(b, `,"thinking":{"type":"disabled"}`...)
		case efforts[effort]:
			fields = append(fields, `,"effort":"`+effort+`"`...)
		default:
			return nil, unsupported("reasoning_effort", "Anthropic's models know the efforts none, low, medium, high, xhigh and max")
		}
	}
	if raw, ok := wire.Present(req.Params, "response_format"); ok {
		var f struct {
			Type       string `json:"type"`
			JSONSchema struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"json_schema"`
		}
		if json.Unmarshal(raw, &f) != nil {
			return nil, invalid("response_format", "response_format must be an object")
		}
		switch {
		case f.Type == "text":
		case f.Type == "json_schema" && len(f.JSONSchema.Schema) > 0:
			fields = append(append(append(fields, `,"format":{"type":"json_schema","schema":`...), f.JSONSchema.Schema...), '}')
		default:
			return nil, unsupported("response_format", "Anthropic's models know the response formats text and json_schema")
		}
	}
	if len(fields) > 0 {
		b = append(append(append(b, `,"output_config":{`...), fields[1:]...), '}')
	}
	return b, nil
}
