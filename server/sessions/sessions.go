// Package sessions keeps conversations: their settings, and their messages in branches and epochs.
package sessions

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/tool"
)

// Session is one conversation.
type Session struct {
	ID           string
	TenantID     string
	ExternalID   string // the caller's own id of it, unique in the tenant; empty when it has none
	Title        string
	Titled       string // who gave the title: ByNobody, ByWords, ByModel or ByCaller
	Model        string // overrides the tenant's default; empty takes it
	SystemPrompt string // overrides the tenant's; empty takes it
	Thinking     string // an llm.Effort, which overrides the tenant's; empty takes it
	Tools        *Narrowing
	Metadata     map[string]string
	EndUser      string // the visitor or the caller's own user id; empty when there is none
	ArchivedAt   db.Time
	Pinned       bool
	Epoch        int64 // of the messages that are the model's context
	LastEpoch    int64 // the newest there ever was; a reset takes the next
	Head         int64 // sequence of the newest message of the branch that is continued; 0 in an empty epoch
	LastSequence int64 // of its newest message, over all epochs and branches
	Version      int64 // grows with every change of the session and of its messages
	ParentID     string
	Depth        int64 // 0 for one that people started, one more for each spawn
	ForkedFrom   string
	ForkedAt     int64 // sequence of the last message that was taken over
	CreatedAt    db.Time
	UpdatedAt    db.Time // never goes back
}

// Who gave a session its title. A later one in this order replaces an earlier one, never the other way round.
const (
	ByNobody = ""
	ByWords  = "words"  // the first of the first message
	ByModel  = "model"  // a model's
	ByCaller = "caller" // the caller's own
)

// Narrowing is what a session allows of the tools that its tenant allows: names, or patterns with *. A nil Allow allows all, an empty one nothing; Deny wins.
type Narrowing struct {
	Allow []string `json:"allow,omitzero"`
	Deny  []string `json:"deny,omitempty"`
}

// Message is one message of a session. Sequence counts 1, 2, 3… without gaps; within a branch it is the order.
type Message struct {
	ID           string
	SessionID    string
	Sequence     int64
	Epoch        int64
	Parent       int64 // the message before it in its branch, 0 at the start of an epoch; siblings have the same
	Active       bool  // whether it is in the branch that is continued
	RunID        string
	Role         string
	Content      json.RawMessage // as in OpenAI's dialect; nil when there is none
	Reasoning    string
	ToolCalls    []llm.ToolCall
	ToolCallID   string
	Name         string
	Model        string // provider/model that wrote it; empty for other roles
	FinishReason string
	Taint        []tool.Taint // where its content is from that nobody in the conversation wrote
	Origin       string       // the session that sent it; empty for people
	InputTokens  int64
	OutputTokens int64
	CreatedAt    db.Time
	Siblings     int64 // how many messages have its parent, itself included; only lists count them
}

// Epoch is a stretch of a session that began with an empty context.
type Epoch struct {
	Epoch     int64
	Previous  int64  // to which Undo returns; 0 for the first
	Reason    string // Started, Asked, Idle, Daily or Imported
	Messages  int64  // of all its branches
	CreatedAt db.Time
}

// Why an epoch began.
const (
	Started  = "start"
	Asked    = "reset"
	Idle     = "idle"
	Daily    = "daily"
	Imported = "import"
)

// Summary stands for older messages in a model's context. They stay; it holds while the message at UpTo is in the branch that is continued.
type Summary struct {
	ID           string
	SessionID    string
	Epoch        int64
	FromSequence int64 // 0, as UpTo, for one that was carried over from the epoch before
	UpTo         int64
	Messages     int64 // that it stands for
	Content      string
	Taint        []tool.Taint // of the messages that it stands for
	Model        string
	RunID        string
	RequestID    string
	InputTokens  int64
	OutputTokens int64
	CostMicros   int64
	CreatedAt    db.Time
}

// New makes a session for the tenant.
func New(tenantID string, now time.Time) Session {
	return Session{ID: ids.New(ids.Session), TenantID: tenantID, Metadata: map[string]string{}, Epoch: 1, LastEpoch: 1, Version: 1, CreatedAt: db.At(now), UpdatedAt: db.At(now)}
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
