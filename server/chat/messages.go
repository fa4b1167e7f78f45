package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/llm"
)

// wireMessage is a message as clients send it. Fields that are not here (refusal, annotations, audio, cache_control…) are sent back by clients verbatim and ignored.
type wireMessage struct {
	Role       json.RawMessage `json:"role"`
	Content    json.RawMessage `json:"content"`
	Name       json.RawMessage `json:"name"`
	ToolCalls  json.RawMessage `json:"tool_calls"`
	ToolCallID json.RawMessage `json:"tool_call_id"`
}

var roles = []string{"system", "developer", "user", "assistant", "tool"}

func (r *reader) messages() []llm.Message {
	var raw []json.RawMessage
	if !r.read("messages", &raw, "a list of messages", true) {
		return nil
	}
	switch {
	case len(raw) == 0:
		r.fail("messages", "must have at least one message")
	case len(raw) > maxMessages:
		r.fail("messages", "at most %d messages", maxMessages)
		return nil
	}
	out := make([]llm.Message, 0, len(raw))
	for i, v := range raw {
		at := fmt.Sprintf("messages[%d]", i)
		var w wireMessage
		if len(v) == 0 || v[0] != '{' || json.Unmarshal(v, &w) != nil {
			r.fail(at, "must be an object with role and content")
			continue
		}
		out = append(out, r.message(at, w))
	}
	return out
}

func (r *reader) message(at string, w wireMessage) llm.Message {
	m := llm.Message{}
	if json.Unmarshal(w.Role, &m.Role) != nil || !slices.Contains(roles, m.Role) {
		r.fail(at+".role", "must be one of %s", strings.Join(roles, ", "))
	}
	m.Content = r.content(at+".content", w.Content)
	if !isNull(w.Name) && json.Unmarshal(w.Name, &m.Name) != nil {
		r.fail(at+".name", "must be a string")
	}
	if !isNull(w.ToolCallID) && json.Unmarshal(w.ToolCallID, &m.ToolCallID) != nil {
		r.fail(at+".tool_call_id", "must be a string")
	}
	if !isNull(w.ToolCalls) {
		m.ToolCalls = r.toolCalls(at+".tool_calls", w.ToolCalls)
	}
	switch {
	case m.Role == "tool" && m.ToolCallID == "":
		r.fail(at+".tool_call_id", "is required for a tool's result")
	case m.Role == "user" && isNull(m.Content):
		r.fail(at+".content", "is required for a user's message")
	}
	return m
}

// content keeps the bytes: a text, a list of parts with a type each, or null.
func (r *reader) content(at string, v json.RawMessage) json.RawMessage {
	switch {
	case isNull(v), v[0] == '"':
		return v
	case v[0] != '[':
		r.fail(at, "must be a string, a list of parts or null")
		return nil
	}
	var parts []struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(v, &parts) != nil {
		r.fail(at, "must be a list of objects with a type each")
		return nil
	}
	for i, p := range parts {
		if p.Type == "" {
			r.fail(fmt.Sprintf("%s[%d].type", at, i), "is required, for example text or image_url")
		}
	}
	return v
}

func (r *reader) toolCalls(at string, v json.RawMessage) []llm.ToolCall {
	var calls []llm.ToolCall
	if json.Unmarshal(v, &calls) != nil {
		r.fail(at, "must be a list of objects with id, type and function {name, arguments as a string}")
		return nil
	}
	for i := range calls {
		if calls[i].Type == "" {
			calls[i].Type = "function"
		}
		if calls[i].ID == "" {
			r.fail(fmt.Sprintf("%s[%d].id", at, i), "is required")
		}
		if calls[i].Function.Name == "" {
			r.fail(fmt.Sprintf("%s[%d].function.name", at, i), "is required")
		}
	}
	return calls
}
