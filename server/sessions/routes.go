package sessions

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// Routes serves a tenant's sessions to its keys, and to a widget's visitor those that are theirs.
type Routes struct {
	DB *db.DB
	// Audit records a deletion in the transaction that makes it.
	Audit func(ctx context.Context, q db.Querier, tenantID, action, target string) error
}

// SessionBody is the wire form of a session.
type SessionBody struct {
	ID           string            `json:"id"`
	Title        string            `json:"title"`
	Model        string            `json:"model" doc:"Empty takes the tenant's default"`
	SystemPrompt string            `json:"system_prompt" doc:"Empty takes the tenant's; never shown to widget visitors"`
	Thinking     string            `json:"thinking" doc:"How much the model thinks before it answers: off, minimal, low, medium or high; empty takes the tenant's"`
	Metadata     map[string]string `json:"metadata"`
	User         string            `json:"user" doc:"The end user it belongs to; empty when there is none"`
	Epoch        int64             `json:"epoch" doc:"Grows with each reset"`
	MessageCount int64             `json:"message_count"`
	CreatedAt    time.Time         `json:"created_at"`
	UpdatedAt    time.Time         `json:"updated_at"`
}

// CreateSessionRequest makes a session.
type CreateSessionRequest struct {
	Title        string            `json:"title,omitempty" maxLength:"200" doc:"Empty takes the first words of the first message"`
	Model        string            `json:"model,omitempty" maxLength:"200"`
	SystemPrompt string            `json:"system_prompt,omitempty" maxLength:"100000"`
	Thinking     string            `json:"thinking,omitempty" maxLength:"20" doc:"off, minimal, low, medium or high; empty takes the tenant's"`
	Metadata     map[string]string `json:"metadata,omitempty" maxProperties:"32" doc:"Your own notes: at most 32 texts"`
	User         string            `json:"user,omitempty" maxLength:"200" doc:"Your id of the end user"`
}

// UpdateSessionRequest changes a session: a field that is left out stays as it is.
type UpdateSessionRequest struct {
	Title        *string           `json:"title,omitempty" maxLength:"200"`
	Model        *string           `json:"model,omitempty" maxLength:"200"`
	SystemPrompt *string           `json:"system_prompt,omitempty" maxLength:"100000"`
	Thinking     *string           `json:"thinking,omitempty" maxLength:"20" doc:"off, minimal, low, medium or high; empty takes the tenant's"`
	Metadata     map[string]string `json:"metadata,omitempty" maxProperties:"32" doc:"Replaces the whole map"`
}

// MessageBody is the wire form of a message.
type MessageBody struct {
	ID           string         `json:"id"`
	Sequence     int64          `json:"sequence" doc:"Counts 1, 2, 3… in the session; the order"`
	Epoch        int64          `json:"epoch"`
	RunID        string         `json:"run_id,omitempty"`
	Role         string         `json:"role" enum:"system,developer,user,assistant,tool"`
	Content      api.Content    `json:"content" doc:"A text, a list of parts, or null"`
	Reasoning    string         `json:"reasoning_content,omitempty"`
	ToolCalls    []llm.ToolCall `json:"tool_calls,omitempty"`
	ToolCallID   string         `json:"tool_call_id,omitempty"`
	Name         string         `json:"name,omitempty"`
	Model        string         `json:"model,omitempty" doc:"The model that wrote it"`
	FinishReason string         `json:"finish_reason,omitempty"`
	CreatedAt    time.Time      `json:"created_at"`
}

// SessionPath names a session.
type SessionPath struct {
	Session string `path:"session" maxLength:"64" doc:"The session's id"`
}

type (
	createIn struct {
		api.Idempotent
		Body *CreateSessionRequest `required:"false"`
	}
	updateIn struct {
		SessionPath
		Body UpdateSessionRequest
	}
	listIn struct {
		api.PageParams
		User string `query:"user" maxLength:"200" doc:"Only this end user's sessions"`
	}
	messagesIn struct {
		SessionPath
		api.PageParams
		Order string `query:"order" enum:"asc,desc" default:"asc" doc:"asc gives the oldest first, desc the newest"`
	}
	sessionOut  struct{ Body SessionBody }
	listOut     struct{ Body api.Page[SessionBody] }
	messagesOut struct{ Body api.Page[MessageBody] }
	none        struct{}
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, DefaultStatus: status, Tags: []string{"sessions"}}
	}
	read, write := api.KeyOrVisitor(auth.ScopeSessionsRead), api.KeyOrVisitor(auth.ScopeSessionsWrite)
	api.Handle(a, write, op("create-session", "POST", "/v1/sessions", "Start a conversation", 201), r.create)
	api.Handle(a, read, op("list-sessions", "GET", "/v1/sessions", "List conversations, the last used first", 200), r.list)
	api.Handle(a, read, op("get-session", "GET", "/v1/sessions/{session}", "Read a conversation", 200), r.get)
	api.Handle(a, write, op("update-session", "PATCH", "/v1/sessions/{session}", "Change a conversation's settings", 200), r.update)
	api.Handle(a, write, op("delete-session", "DELETE", "/v1/sessions/{session}", "Delete a conversation with its messages", 204), r.delete)
	api.Handle(a, write, op("reset-session", "POST", "/v1/sessions/{session}/reset", "Start over with an empty context; the messages stay readable", 200), r.reset)
	api.Handle(a, read, op("list-messages", "GET", "/v1/sessions/{session}/messages", "List a conversation's messages in order", 200), r.messages)
}

// Owner is the end user to whom the caller is narrowed: a visitor to itself, a key to nobody.
func Owner(ctx context.Context) string { return auth.From(ctx).VisitorID }

func (r Routes) create(ctx context.Context, in *createIn) (*sessionOut, error) {
	p := auth.From(ctx)
	s := New(p.TenantID, time.Now())
	if b := in.Body; b != nil {
		if p.Kind == auth.Visitor && (b.Model != "" || b.SystemPrompt != "" || b.Thinking != "" || b.User != "") {
			return nil, fault.New(fault.Forbidden, "a widget's visitor cannot choose model, system_prompt, thinking or user")
		}
		thinking, err := level(b.Thinking)
		if err != nil {
			return nil, err
		}
		if err := checkMetadata(b.Metadata); err != nil {
			return nil, err
		}
		s.Title, s.Model, s.SystemPrompt, s.Thinking, s.EndUser = b.Title, b.Model, b.SystemPrompt, thinking, b.User
		maps.Copy(s.Metadata, b.Metadata)
	}
	if p.VisitorID != "" {
		s.EndUser = p.VisitorID
	}
	err := r.DB.Write(ctx, func(q db.Querier) error { return Insert(ctx, q, s) })
	return answer(ctx, s, err)
}

// level reads a level of thinking; the empty one is none of its own.
func level(s string) (string, error) {
	e, ok := llm.ParseEffort(s)
	if s != "" && !ok {
		d := fault.Detail{Field: "thinking", Message: "must be off, minimal, low, medium, high, or empty"}
		f := fault.New(fault.ValidationFailed, "%s: %s", d.Field, d.Message).WithParam(d.Field)
		f.Details = []fault.Detail{d}
		return "", f
	}
	return string(e), nil
}

func (r Routes) list(ctx context.Context, in *listIn) (*listOut, error) {
	at, id, err := api.ParseTimeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	owner := Owner(ctx)
	if owner == "" {
		owner = in.User
	}
	var rows []Session
	err = r.DB.Read(ctx, func(q db.Querier) error {
		rows, err = List(ctx, q, tenant(ctx), owner, at, id, in.Limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	body := func(s Session) SessionBody { return wire(ctx, s) }
	return &listOut{Body: api.PageOf(rows, in.Limit, body, func(s Session) string { return api.TimeCursor(s.UpdatedAt.Time, s.ID) })}, nil
}

func (r Routes) get(ctx context.Context, in *SessionPath) (*sessionOut, error) {
	var s Session
	err := r.DB.Read(ctx, func(q db.Querier) (err error) {
		s, err = Get(ctx, q, tenant(ctx), Owner(ctx), in.Session)
		return err
	})
	return answer(ctx, s, err)
}

func (r Routes) update(ctx context.Context, in *updateIn) (*sessionOut, error) {
	b := in.Body
	if auth.From(ctx).Kind == auth.Visitor && (b.Model != nil || b.SystemPrompt != nil || b.Thinking != nil) {
		return nil, fault.New(fault.Forbidden, "a widget's visitor cannot choose model, system_prompt or thinking")
	}
	if b.Thinking != nil {
		thinking, err := level(*b.Thinking)
		if err != nil {
			return nil, err
		}
		b.Thinking = &thinking
	}
	if err := checkMetadata(b.Metadata); err != nil {
		return nil, err
	}
	return r.change(ctx, func(q db.Querier, now time.Time) (Session, error) {
		return Update(ctx, q, tenant(ctx), Owner(ctx), in.Session, Change(b), now)
	})
}

func (r Routes) reset(ctx context.Context, in *SessionPath) (*sessionOut, error) {
	return r.change(ctx, func(q db.Querier, now time.Time) (Session, error) {
		return Reset(ctx, q, tenant(ctx), Owner(ctx), in.Session, now)
	})
}

func (r Routes) change(ctx context.Context, alter func(db.Querier, time.Time) (Session, error)) (*sessionOut, error) {
	var s Session
	err := r.DB.Write(ctx, func(q db.Querier) (err error) {
		s, err = alter(q, time.Now())
		return err
	})
	return answer(ctx, s, err)
}

func (r Routes) delete(ctx context.Context, in *SessionPath) (*none, error) {
	return nil, r.DB.Write(ctx, func(q db.Querier) error {
		if err := Delete(ctx, q, tenant(ctx), Owner(ctx), in.Session); err != nil {
			return err
		}
		return r.Audit(ctx, q, auth.From(ctx).TenantID, "session.delete", in.Session)
	})
}

// The longest that a key and a text of metadata may be, in bytes.
const (
	maxMetadataKey  = 64
	maxMetadataText = 2000
)

// checkMetadata validates what a schema of a map cannot.
func checkMetadata(m map[string]string) error {
	for k, v := range m {
		if len(k) > maxMetadataKey || len(v) > maxMetadataText {
			d := fault.Detail{Field: "metadata", Message: fmt.Sprintf("a key may have %d characters and its text %d", maxMetadataKey, maxMetadataText)}
			f := fault.New(fault.ValidationFailed, "%s: %s", d.Field, d.Message).WithParam(d.Field)
			f.Details = []fault.Detail{d}
			return f
		}
	}
	return nil
}

func (r Routes) messages(ctx context.Context, in *messagesIn) (*messagesOut, error) {
	after, err := api.ParseNumberCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []Message
	var more bool
	err = r.DB.Read(ctx, func(q db.Querier) error {
		s, err := Get(ctx, q, tenant(ctx), Owner(ctx), in.Session)
		if err != nil {
			return err
		}
		if in.Order == "asc" {
			rows, more, err = Messages(ctx, q, tenant(ctx), s.ID, after, in.Limit)
			return err
		}
		if after == 0 {
			after = s.LastSequence + 1
		}
		rows, more, err = MessagesBack(ctx, q, tenant(ctx), s.ID, after, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	page := api.Page[MessageBody]{Data: make([]MessageBody, len(rows)), HasMore: more}
	for i, m := range rows {
		page.Data[i] = wireMessage(ctx, m)
	}
	if more {
		next := api.NumberCursor(rows[len(rows)-1].Sequence)
		page.NextCursor = &next
	}
	return &messagesOut{Body: page}, nil
}

func tenant(ctx context.Context) db.Tenant { return db.TenantOf(auth.From(ctx).TenantID) }

func answer(ctx context.Context, s Session, err error) (*sessionOut, error) {
	if err != nil {
		return nil, err
	}
	return &sessionOut{Body: wire(ctx, s)}, nil
}

func wire(ctx context.Context, s Session) SessionBody {
	b := SessionBody{ID: s.ID, Title: s.Title, Model: s.Model, SystemPrompt: s.SystemPrompt, Thinking: s.Thinking, Metadata: s.Metadata, User: s.EndUser, Epoch: s.Epoch,
		MessageCount: s.LastSequence, CreatedAt: s.CreatedAt.Time, UpdatedAt: s.UpdatedAt.Time}
	if b.Metadata == nil {
		b.Metadata = map[string]string{}
	}
	if auth.From(ctx).Kind == auth.Visitor {
		b.SystemPrompt = "" // the tenant's instructions are not for its visitors
	}
	return b
}

func wireMessage(ctx context.Context, m Message) MessageBody {
	b := MessageBody{ID: m.ID, Sequence: m.Sequence, Epoch: m.Epoch, RunID: m.RunID, Role: m.Role, Content: api.Content(m.Content), Reasoning: m.Reasoning, ToolCalls: m.ToolCalls,
		ToolCallID: m.ToolCallID, Name: m.Name, Model: m.Model, FinishReason: m.FinishReason, CreatedAt: m.CreatedAt.Time}
	if auth.From(ctx).Kind == auth.Visitor {
		b.Reasoning, b.Model = "", ""
	}
	return b
}
