// Package serve is the API of the sessions: their wire forms, who may do what with them, and the operations.
package serve

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tool"
)

// SessionBody is the wire form of a session.
type SessionBody struct {
	ID           string            `json:"id"`
	ExternalID   string            `json:"external_id" doc:"Your own id of it; empty when it has none. Never shown to widget visitors"`
	Title        string            `json:"title"`
	Titled       string            `json:"titled" doc:"Who gave the title: words (the first message's), model, caller, or empty for nobody"`
	Model        string            `json:"model" doc:"Empty takes the tenant's default"`
	SystemPrompt string            `json:"system_prompt" doc:"Empty takes the tenant's; never shown to widget visitors"`
	Thinking     string            `json:"thinking" doc:"How much the model thinks before it answers: off, minimal, low, medium or high; empty takes the tenant's"`
	Tools        *SessionTools     `json:"tools,omitempty" doc:"What it narrows its tools to; absent narrows nothing. Never shown to widget visitors"`
	Metadata     map[string]string `json:"metadata"`
	User         string            `json:"user" doc:"The end user it belongs to; empty when there is none"`
	Archived     bool              `json:"archived"`
	Pinned       bool              `json:"pinned" doc:"A pinned session is kept, whatever the retention"`
	Epoch        int64             `json:"epoch" doc:"The messages of this epoch are the context; a reset starts the next"`
	LastEpoch    int64             `json:"last_epoch" doc:"The newest epoch there ever was"`
	Head         int64             `json:"head" doc:"Sequence of the newest message of the branch that is continued; 0 in an empty epoch"`
	Version      int64             `json:"version" doc:"Grows with every change of the session and of its messages"`
	MessageCount int64             `json:"message_count" doc:"Of all epochs and branches"`
	ParentID     string            `json:"parent_id,omitempty" doc:"The session that spawned it"`
	Depth        int64             `json:"depth" doc:"0 for one that people started, one more for each spawn"`
	ForkedFrom   *ForkOrigin       `json:"forked_from,omitempty"`
	Match        *SearchMatch      `json:"match,omitempty" doc:"With q: where the words are"`
	CreatedAt    time.Time         `json:"created_at"`
	UpdatedAt    time.Time         `json:"updated_at"`
}

// SessionTools narrows a session's tools to less than the tenant allows.
type SessionTools struct {
	Allow []string `json:"allow,omitzero" required:"false" maxItems:"200" doc:"Names, or patterns with *; an empty list allows nothing, none allows what the tenant does"`
	Deny  []string `json:"deny,omitzero" required:"false" maxItems:"200" doc:"Names, or patterns with *; it wins over allow"`
}

// ForkOrigin says where a session was forked.
type ForkOrigin struct {
	SessionID string `json:"session_id"`
	Sequence  int64  `json:"sequence" doc:"Of the last message that was taken over"`
}

// SearchMatch is where a search found its words.
type SearchMatch struct {
	Sequence int64  `json:"sequence" doc:"Of the message; 0 is the title"`
	Snippet  string `json:"snippet" doc:"The text around the first of the words"`
}

// CreateSessionRequest makes a session.
type CreateSessionRequest struct {
	ExternalID   string            `json:"external_id,omitempty" maxLength:"200" doc:"Your own id of it, which no other session of yours may have"`
	Title        string            `json:"title,omitempty" maxLength:"200" doc:"Empty takes the first words of the first message"`
	Model        string            `json:"model,omitempty" maxLength:"200"`
	SystemPrompt string            `json:"system_prompt,omitempty" maxLength:"100000"`
	Thinking     string            `json:"thinking,omitempty" maxLength:"20" doc:"off, minimal, low, medium or high; empty takes the tenant's"`
	Tools        *SessionTools     `json:"tools,omitempty" doc:"Narrows the tools to less than the tenant allows"`
	Metadata     map[string]string `json:"metadata,omitempty" maxProperties:"32" doc:"Your own notes: at most 32 texts"`
	User         string            `json:"user,omitempty" maxLength:"200" doc:"Your id of the end user"`
}

// UpdateSessionRequest changes a session: a field that is left out stays as it is.
type UpdateSessionRequest struct {
	Title        *string           `json:"title,omitempty" maxLength:"200"`
	Model        *string           `json:"model,omitempty" maxLength:"200"`
	SystemPrompt *string           `json:"system_prompt,omitempty" maxLength:"100000"`
	Thinking     *string           `json:"thinking,omitempty" maxLength:"20" doc:"off, minimal, low, medium or high; empty takes the tenant's"`
	Tools        *SessionTools     `json:"tools,omitempty" doc:"Replaces what the session narrows its tools to; {} narrows nothing"`
	Metadata     map[string]string `json:"metadata,omitempty" maxProperties:"32" doc:"Replaces the whole map"`
	Archived     *bool             `json:"archived,omitempty" doc:"Archived sessions are left out of lists that do not ask for them"`
	Pinned       *bool             `json:"pinned,omitempty" doc:"A pinned session is kept, whatever the retention"`
}

// ResetSessionRequest starts a session over.
type ResetSessionRequest struct {
	Summary string `json:"summary,omitempty" maxLength:"100000" doc:"Stands in the new context for what was before"`
}

// ForkSessionRequest says where a session is forked: at a message, or at its newest when neither is named.
type ForkSessionRequest struct {
	MessageID  string `json:"message_id,omitempty" maxLength:"64" doc:"The last message that is taken over"`
	Sequence   int64  `json:"sequence,omitempty" minimum:"0" doc:"The same by its sequence"`
	Title      string `json:"title,omitempty" maxLength:"200" doc:"Empty takes the session's"`
	ExternalID string `json:"external_id,omitempty" maxLength:"200" doc:"Your own id of the fork"`
}

// MessageBody is the wire form of a message.
type MessageBody struct {
	ID           string         `json:"id"`
	Sequence     int64          `json:"sequence" doc:"Counts 1, 2, 3… in the session; within a branch it is the order"`
	Epoch        int64          `json:"epoch"`
	Parent       int64          `json:"parent" doc:"Sequence of the message before it in its branch; 0 at the start of an epoch"`
	Active       bool           `json:"active" doc:"Whether it is in the branch that is continued"`
	Siblings     int64          `json:"siblings,omitempty" doc:"How many messages follow the same one, itself included: answers that were given again, questions that were edited"`
	RunID        string         `json:"run_id,omitempty"`
	Role         string         `json:"role" enum:"system,developer,user,assistant,tool"`
	Content      api.Content    `json:"content" doc:"A text, a list of parts, or null"`
	Reasoning    string         `json:"reasoning_content,omitempty"`
	ToolCalls    []llm.ToolCall `json:"tool_calls,omitempty"`
	ToolCallID   string         `json:"tool_call_id,omitempty"`
	Name         string         `json:"name,omitempty"`
	Model        string         `json:"model,omitempty" doc:"The model that wrote it"`
	FinishReason string         `json:"finish_reason,omitempty"`
	Taint        []tool.Taint   `json:"taint,omitempty" doc:"Where its content is from that nobody in the conversation wrote"`
	Origin       string         `json:"origin,omitempty" doc:"The session that sent it"`
	CreatedAt    time.Time      `json:"created_at"`
}

// SessionEpochBody is the wire form of an epoch.
type SessionEpochBody struct {
	Epoch     int64     `json:"epoch"`
	Previous  int64     `json:"previous" doc:"The epoch to which undo returns; 0 for the first"`
	Reason    string    `json:"reason" doc:"start, reset, idle, daily or import"`
	Messages  int64     `json:"messages" doc:"Of all its branches"`
	CreatedAt time.Time `json:"created_at"`
}

// SessionSummaryBody is the wire form of a summary that stands for older messages in a model's context.
type SessionSummaryBody struct {
	ID           string       `json:"id"`
	Epoch        int64        `json:"epoch"`
	FromSequence int64        `json:"from_sequence" doc:"0 where it was carried over from the epoch before"`
	UpTo         int64        `json:"up_to" doc:"It holds while this message is in the branch that is continued; 0 where it was carried over"`
	Messages     int64        `json:"messages" doc:"That it stands for"`
	Content      string       `json:"content"`
	Taint        []tool.Taint `json:"taint,omitempty"`
	Model        string       `json:"model,omitempty" doc:"The model that wrote it"`
	RunID        string       `json:"run_id,omitempty"`
	InputTokens  int64        `json:"input_tokens"`
	OutputTokens int64        `json:"output_tokens"`
	CostMicros   int64        `json:"cost_micros"`
	CreatedAt    time.Time    `json:"created_at"`
}

// Wire is the session as the caller may see it: the tenant's instructions and ids are not for its visitors.
func Wire(ctx context.Context, s sessions.Session) SessionBody {
	b := SessionBody{ID: s.ID, ExternalID: s.ExternalID, Title: s.Title, Titled: s.Titled, Model: s.Model, SystemPrompt: s.SystemPrompt, Thinking: s.Thinking, Metadata: s.Metadata,
		User: s.EndUser, Archived: !s.ArchivedAt.IsZero(), Pinned: s.Pinned, Epoch: s.Epoch, LastEpoch: s.LastEpoch, Head: s.Head, Version: s.Version, MessageCount: s.LastSequence,
		ParentID: s.ParentID, Depth: s.Depth, CreatedAt: s.CreatedAt.Time, UpdatedAt: s.UpdatedAt.Time}
	if b.Metadata == nil {
		b.Metadata = map[string]string{}
	}
	if s.ForkedFrom != "" {
		b.ForkedFrom = &ForkOrigin{SessionID: s.ForkedFrom, Sequence: s.ForkedAt}
	}
	if s.Tools != nil {
		b.Tools = &SessionTools{Allow: s.Tools.Allow, Deny: s.Tools.Deny}
	}
	if auth.From(ctx).Kind == auth.Visitor {
		b.SystemPrompt, b.ExternalID, b.Tools = "", "", nil
	}
	return b
}

// WireMessage is the message as the caller may see it: how the answer came about is not for visitors.
func WireMessage(ctx context.Context, m sessions.Message) MessageBody {
	b := MessageBody{ID: m.ID, Sequence: m.Sequence, Epoch: m.Epoch, Parent: m.Parent, Active: m.Active, Siblings: m.Siblings, RunID: m.RunID, Role: m.Role,
		Content: api.Content(m.Content), Reasoning: m.Reasoning, ToolCalls: m.ToolCalls, ToolCallID: m.ToolCallID, Name: m.Name, Model: m.Model, FinishReason: m.FinishReason,
		Taint: m.Taint, Origin: m.Origin, CreatedAt: m.CreatedAt.Time}
	if auth.From(ctx).Kind == auth.Visitor {
		b.Reasoning, b.Model = "", ""
	}
	return b
}

// WireEpoch is the epoch as callers see it.
func WireEpoch(e sessions.Epoch) SessionEpochBody {
	return SessionEpochBody{Epoch: e.Epoch, Previous: e.Previous, Reason: e.Reason, Messages: e.Messages, CreatedAt: e.CreatedAt.Time}
}

// WireSummary is the summary as the caller may see it: what it cost is not for visitors.
func WireSummary(ctx context.Context, s sessions.Summary) SessionSummaryBody {
	b := SessionSummaryBody{ID: s.ID, Epoch: s.Epoch, FromSequence: s.FromSequence, UpTo: s.UpTo, Messages: s.Messages, Content: s.Content, Taint: s.Taint, Model: s.Model,
		RunID: s.RunID, InputTokens: s.InputTokens, OutputTokens: s.OutputTokens, CostMicros: s.CostMicros, CreatedAt: s.CreatedAt.Time}
	if auth.From(ctx).Kind == auth.Visitor {
		b.Model, b.InputTokens, b.OutputTokens, b.CostMicros = "", 0, 0, 0
	}
	return b
}
