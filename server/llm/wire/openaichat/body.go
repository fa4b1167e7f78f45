package openaichat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// encode writes the request as the server wants it, or says what of it the server would not honour.
func (c *Client) encode(req *llm.Request) ([]byte, *llm.Error) {
	if c.d.Prepare != nil {
		own, fail := c.d.Prepare(req)
		if fail != nil {
			return nil, fail
		}
		req = own
	}
	if req.Effort == "" {
		return c.body(req, ""), nil
	}
	think := c.d.Think
	if think == nil {
		think = ReasoningEffort
	}
	members, fail := think(req.Model, req.Effort)
	if fail != nil {
		return nil, fail
	}
	return c.body(req, members), nil
}

// ReasoningEffort writes an effort in OpenAI's words, in which off is none.
func ReasoningEffort(_ string, e llm.Effort) (string, *llm.Error) {
	if e == llm.EffortOff {
		return `"reasoning_effort":"none"`, nil
	}
	return `"reasoning_effort":"` + string(e) + `"`, nil
}

// Unsupported is the error of a parameter that the server would not honour; the message says what to do instead.
func Unsupported(param, message string) *llm.Error {
	return &llm.Error{Class: llm.ClassInvalid, Status: http.StatusBadRequest, Type: "invalid_request_error", Param: param, Code: "unsupported_parameter", Message: message}
}

// NoEffort is the error of a level that a model does not have, with those it has.
func NoEffort(model string, e llm.Effort, has ...llm.Effort) *llm.Error {
	if len(has) == 0 {
		return Unsupported("reasoning_effort", fmt.Sprintf("%s cannot be told how much to think; leave reasoning_effort out or choose another model", model))
	}
	words := make([]string, len(has))
	for i, h := range has {
		words[i] = string(h)
	}
	return Unsupported("reasoning_effort", fmt.Sprintf("%s has no thinking level %s; use %s, or leave reasoning_effort out", model, e, strings.Join(words, ", ")))
}

// body writes the request and the members that ask for an effort. What the caller gave as JSON is sent byte for byte, and everything stands in the same order every time.
func (c *Client) body(req *llm.Request, think string) []byte {
	size := 256
	for i := range req.Messages {
		size += 64 + len(req.Messages[i].Content)
	}
	b := append(make([]byte, 0, size), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b = append(b, `,"messages":[`...)
	for i := range req.Messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = c.message(b, &req.Messages[i])
	}
	b = append(b, ']')
	if len(req.Tools) > 0 {
		b = append(b, `,"tools":[`...)
		for i := range req.Tools {
			if i > 0 {
				b = append(b, ',')
			}
			b = tool(b, &req.Tools[i])
		}
		b = append(b, ']')
	}
	_, old := wire.Present(req.Params, "max_tokens")
	_, newer := wire.Present(req.Params, "max_completion_tokens")
	for _, name := range llm.ForwardedParams {
		raw, ok := wire.Present(req.Params, name)
		if !ok {
			continue
		}
		if name == "max_completion_tokens" && c.d.OldMaxTokens {
			if old {
				continue
			}
			name = "max_tokens"
		}
		if name == "max_tokens" && c.d.NewMaxTokens {
			if newer {
				continue
			}
			name = "max_completion_tokens"
		}
		b = append(b, ',', '"')
		b = append(b, name...)
		b = append(append(b, '"', ':'), raw...)
	}
	if think != "" {
		b = append(append(b, ','), think...)
	}
	if req.Stream {
		b = append(b, `,"stream":true,"stream_options":{"include_usage":true}`...)
	}
	return append(b, '}')
}

func (c *Client) message(b []byte, m *llm.Message) []byte {
	role := m.Role
	if role == "developer" && c.d.NoDeveloper {
		role = "system"
	}
	b = wire.AppendString(append(b, `{"role":`...), role)
	text, plain := "", false
	if c.d.PlainContent {
		text, plain = joined(m.Content)
	}
	switch {
	case plain:
		b = wire.AppendString(append(b, `,"content":`...), text)
	case len(m.Content) > 0 && string(m.Content) != "null":
		b = append(append(b, `,"content":`...), m.Content...)
	case len(m.ToolCalls) > 0 && !c.d.PlainContent:
		b = append(b, `,"content":null`...)
	default: // servers refuse a message with neither content nor calls
		b = append(b, `,"content":""`...)
	}
	if m.Name != "" {
		b = wire.AppendString(append(b, `,"name":`...), m.Name)
	}
	if len(m.ToolCalls) > 0 {
		b = append(b, `,"tool_calls":[`...)
		for i, t := range m.ToolCalls {
			if i > 0 {
				b = append(b, ',')
			}
			b = wire.AppendString(append(b, `{"id":`...), t.ID)
			b = wire.AppendString(append(b, `,"type":"function","function":{"name":`...), t.Function.Name)
			b = wire.AppendString(append(b, `,"arguments":`...), arguments(t.Function.Arguments))
			b = append(b, `}}`...)
		}
		b = append(b, ']')
	}
	if m.ToolCallID != "" {
		b = wire.AppendString(append(b, `,"tool_call_id":`...), m.ToolCallID)
	}
	return append(b, '}')
}

// joined is a list of text parts as one text; it reports false for everything else.
func joined(content json.RawMessage) (string, bool) {
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if len(content) == 0 || content[0] != '[' || json.Unmarshal(content, &parts) != nil {
		return "", false
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		if p.Type != "text" {
			return "", false
		}
		texts[i] = p.Text
	}
	return strings.Join(texts, "\n\n"), true
}

// arguments are the caller's bytes; servers that parse them refuse an empty text.
func arguments(s string) string {
	if s == "" {
		return "{}"
	}
	return s
}

func tool(b []byte, t *llm.Tool) []byte {
	b = wire.AppendString(append(b, `{"type":"function","function":{"name":`...), t.Function.Name)
	if t.Function.Description != "" {
		b = wire.AppendString(append(b, `,"description":`...), t.Function.Description)
	}
	if len(t.Function.Parameters) > 0 && string(t.Function.Parameters) != "null" {
		b = append(append(b, `,"parameters":`...), t.Function.Parameters...)
	}
	if t.Function.Strict != nil {
		b = append(b, `,"strict":`...)
		if *t.Function.Strict {
			b = append(b, "true"...)
		} else {
			b = append(b, "false"...)
		}
	}
	return append(b, `}}`...)
}
