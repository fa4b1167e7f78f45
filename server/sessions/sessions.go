// Package sessions keeps conversations: their settings and their messages in one stable order.
package sessions

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
)

// Session is one conversation.
type Session struct {
	ID           string
	TenantID     string
	Title        string
	Model        string // overrides the tenant's default; empty takes it
	SystemPrompt string // overrides the tenant's; empty takes it
	Thinking     string // an llm.Effort, which overrides the tenant's; empty takes it
	Metadata     map[string]string
	EndUser      string // the visitor or the caller's own user id; empty when there is none
	Epoch        int64  // grows with each reset; only the newest epoch's messages are the model's context
	LastSequence int64  // of its newest message, over all epochs
	CreatedAt    db.Time
	UpdatedAt    db.Time
}

// Message is one message of a session. Sequence counts 1, 2, 3… without gaps and is the order.
type Message struct {
	ID           string
	SessionID    string
	Sequence     int64
	Epoch        int64
	RunID        string
	Role         string
	Content      json.RawMessage // as in OpenAI's dialect; nil when there is none
	Reasoning    string
	ToolCalls    []llm.ToolCall
	ToolCallID   string
	Name         string
	Model        string // provider/model that wrote it; empty for other roles
	FinishReason string
	InputTokens  int64
	OutputTokens int64
	CreatedAt    db.Time
}

// New makes a session for the tenant.
func New(tenantID string, now time.Time) Session {
	return Session{ID: ids.New(ids.Session), TenantID: tenantID, Metadata: map[string]string{}, Epoch: 1, CreatedAt: db.At(now), UpdatedAt: db.At(now)}
}

// LLM is the message as a provider gets it.
func (m Message) LLM() llm.Message {
	return llm.Message{Role: m.Role, Content: m.Content, Name: m.Name, ToolCalls: m.ToolCalls, ToolCallID: m.ToolCallID}
}

const titleRunes = 60

// TitleFrom makes a title of the first words of a user's text.
func TitleFrom(content json.RawMessage) string {
	text := strings.Join(strings.Fields(llm.TextOf(content)), " ")
	if utf8.RuneCountInString(text) <= titleRunes {
		return text
	}
	cut := string([]rune(text)[:titleRunes])
	if i := strings.LastIndexByte(cut, ' '); i > titleRunes/2 {
		cut = cut[:i]
	}
	return cut + "…"
}
