package admit

import (
	"slices"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// FitsSession refuses what the session keeps by itself.
func FitsSession(r *dialect.Request) error {
	if r.Regenerate != "" {
		if len(r.Messages) > 0 {
			return fault.New(fault.InvalidRequest, "regenerate answers a message that the session has; send no messages with it").WithParam("messages")
		}
		return nil
	}
	if r.Edit != "" && (len(Kept(r.Messages)) != 1 || Kept(r.Messages)[0].Role != "user") {
		return fault.New(fault.InvalidRequest, "with edit send exactly one user message, which replaces the one that it names").WithParam("messages")
	}
	for _, m := range r.Messages {
		if m.Role == "assistant" {
			return fault.New(fault.InvalidRequest, "with session_id send only what is new; the session keeps the assistant's messages itself").WithParam("messages")
		}
	}
	if !slices.ContainsFunc(r.Messages, func(m llm.Message) bool { return m.Role == "user" || m.Role == "tool" }) {
		return fault.New(fault.InvalidRequest, "with session_id send at least one user or tool message").WithParam("messages")
	}
	return nil
}

// IsKept reports whether a message becomes part of the session. A system message with a turn is for that turn alone.
func IsKept(m llm.Message) bool { return m.Role != "system" && m.Role != "developer" }

// Kept are the messages that become part of the session.
func Kept(messages []llm.Message) []llm.Message {
	return slices.DeleteFunc(slices.Clone(messages), func(m llm.Message) bool { return !IsKept(m) })
}
