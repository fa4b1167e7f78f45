package dialect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/llm"
)

const maxLabel = 256 // of names and ids, far above what anybody makes

var roles = []string{"system", "developer", "user", "assistant", "tool"}

// messages reads the conversation. Fields that are not looked for here (refusal, annotations, audio, cache_control…) are sent back by clients verbatim and ignored.
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
		fields, ok := asObject(v)
		if !ok {
			r.fail(at, "must be an object with role and content")
			continue
		}
		inner := reader{fields: fields}
		out = append(out, inner.message())
		r.take(at, inner)
	}
	return out
}

func (r *reader) message() llm.Message {
	m := llm.Message{Content: r.content()}
	if json.Unmarshal(r.fields["role"], &m.Role) != nil || !slices.Contains(roles, m.Role) {
		r.fail("role", "must be one of %s", strings.Join(roles, ", "))
	}
	r.read("name", &m.Name, "a string", false)
	r.read("tool_call_id", &m.ToolCallID, "a string", false)
	if len(m.Name) > maxLabel || len(m.ToolCallID) > maxLabel {
		r.fail("name", "name and tool_call_id have at most %d characters", maxLabel)
	}
	m.ToolCalls = r.toolCalls()
	switch {
	case m.Role == "tool" && m.ToolCallID == "":
		r.fail("tool_call_id", "is required for a tool's result")
	case m.Role == "user" && isNull(m.Content):
		r.fail("content", "is required for a user's message")
	}
	return m
}

// content keeps the bytes: a text, a list of parts, or nothing.
func (r *reader) content() json.RawMessage {
	v, ok := r.fields["content"]
	if !ok || v[0] == '"' {
		return v
	}
	var parts []json.RawMessage
	if json.Unmarshal(v, &parts) != nil {
		r.fail("content", "must be a string, a list of parts or null")
		return nil
	}
	for i, p := range parts {
		if r.full() {
			break
		}
		part, ok := asObject(p)
		for key := range part { // decoders take Text for text, and the last of the two would be counted while the provider reads the first
			if plain := strings.ToLower(key); plain != key && (plain == "text" || plain == "type") {
				r.fail(fmt.Sprintf("content[%d].%s", i, key), "must be spelt %s", plain)
			}
		}
		var kind string
		if !ok || json.Unmarshal(part["type"], &kind) != nil || kind == "" {
			r.fail(fmt.Sprintf("content[%d].type", i), "is required, for example text or image_url")
		}
	}
	return v
}

func (r *reader) toolCalls() []llm.ToolCall {
	var raw []json.RawMessage
	if !r.read("tool_calls", &raw, "a list of calls", false) {
		return nil
	}
	calls := make([]llm.ToolCall, 0, len(raw))
	for i, v := range raw {
		if r.full() {
			break
		}
		at := fmt.Sprintf("tool_calls[%d]", i)
		fields, ok := asObject(v)
		if !ok {
			r.fail(at, "must be an object with id, type and function")
			continue
		}
		inner := reader{fields: fields}
		calls = append(calls, inner.toolCall())
		r.take(at, inner)
	}
	return calls
}

func (r *reader) toolCall() llm.ToolCall {
	c := llm.ToolCall{Type: "function"}
	if !r.read("id", &c.ID, "a string", true) || c.ID == "" {
		r.required("id")
	}
	if r.read("type", &c.Type, "function", false) && c.Type != "function" {
		r.fail("type", "must be function")
	}
	fn, _ := r.object("function")
	inner := reader{fields: fn}
	if !inner.read("name", &c.Function.Name, "a string", true) || c.Function.Name == "" {
		inner.required("name")
	}
	inner.read("arguments", &c.Function.Arguments, "a JSON text in a string", false)
	r.take("function", inner)
	return c
}

// required refuses an empty text; an absent one was refused already.
func (r *reader) required(name string) {
	if string(r.fields[name]) == `""` {
		r.fail(name, "is required")
	}
}
