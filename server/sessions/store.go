package sessions

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

const columns = `id, tenant_id, title, model, system_prompt, thinking, metadata, COALESCE(end_user, '') AS end_user, epoch, last_sequence, created_at, updated_at`

// :owner narrows a statement to one end user's sessions; the empty owner is the tenant itself, who sees all.
var (
	insert = db.Scoped("sessions.insert", `INSERT INTO sessions (tenant_id, id, title, model, system_prompt, thinking, metadata, end_user, status, epoch, last_sequence, created_at, updated_at)
		VALUES (:tenant_id, :id, :title, :model, :system_prompt, :thinking, :metadata, :end_user, 'active', 1, 0, :now, :now)`)
	get  = db.Scoped("sessions.get", `SELECT `+columns+` FROM sessions WHERE tenant_id = :tenant_id AND id = :id AND (:owner = '' OR end_user = :owner)`)
	list = db.Scoped("sessions.list", `SELECT `+columns+` FROM sessions
		WHERE tenant_id = :tenant_id AND (updated_at < :at OR (updated_at = :at AND id < :id))
		ORDER BY updated_at DESC, id DESC LIMIT :limit`)
	listOwn = db.Scoped("sessions.list_own", `SELECT `+columns+` FROM sessions
		WHERE tenant_id = :tenant_id AND end_user = :owner AND (updated_at < :at OR (updated_at = :at AND id < :id))
		ORDER BY updated_at DESC, id DESC LIMIT :limit`)
	// Each changes in one step, so that two at once lose nothing of one another. NULL leaves a setting as it is.
	update = db.Scoped("sessions.update", `UPDATE sessions SET title = COALESCE(:title, title), model = COALESCE(:model, model),
		system_prompt = COALESCE(:system_prompt, system_prompt), thinking = COALESCE(:thinking, thinking), metadata = COALESCE(:metadata, metadata), updated_at = :now
		WHERE tenant_id = :tenant_id AND id = :id AND (:owner = '' OR end_user = :owner) RETURNING `+columns)
	reset = db.Scoped("sessions.reset", `UPDATE sessions SET epoch = epoch + 1, updated_at = :now
		WHERE tenant_id = :tenant_id AND id = :id AND (:owner = '' OR end_user = :owner) RETURNING `+columns)
	remove = db.Scoped("sessions.delete", `DELETE FROM sessions WHERE tenant_id = :tenant_id AND id = :id AND (:owner = '' OR end_user = :owner)`)
	bump   = db.Scoped("sessions.bump", `UPDATE sessions SET last_sequence = last_sequence + 1, updated_at = :now,
		title = CASE WHEN title = '' THEN :title ELSE title END
		WHERE tenant_id = :tenant_id AND id = :id RETURNING last_sequence, epoch`)
	insertMessage = db.Scoped("sessions.insert_message", `INSERT INTO messages (tenant_id, session_id, sequence, id, epoch, run_id, role, content, reasoning, tool_calls, tool_call_id,
		name, model, finish_reason, input_tokens, output_tokens, created_at)
		VALUES (:tenant_id, :session_id, :sequence, :id, :epoch, :run_id, :role, :content, :reasoning, :tool_calls, :tool_call_id,
		:name, :model, :finish_reason, :input_tokens, :output_tokens, :now)`)
	messages = db.Scoped("sessions.messages", `SELECT `+messageColumns+` FROM messages
		WHERE tenant_id = :tenant_id AND session_id = :session_id AND sequence > :after ORDER BY sequence LIMIT :limit`)
	messagesBack = db.Scoped("sessions.messages_back", `SELECT `+messageColumns+` FROM messages
		WHERE tenant_id = :tenant_id AND session_id = :session_id AND sequence < :before ORDER BY sequence DESC LIMIT :limit`)
	newest = db.Scoped("sessions.newest", `SELECT `+messageColumns+` FROM messages
		WHERE tenant_id = :tenant_id AND session_id = :session_id AND epoch = :epoch AND sequence < :before ORDER BY sequence DESC LIMIT :limit`)
	ofRun = db.Scoped("sessions.of_run", `SELECT `+messageColumns+` FROM messages
		WHERE tenant_id = :tenant_id AND session_id = :session_id AND run_id = :run_id ORDER BY sequence`)
)

const messageColumns = `id, session_id, sequence, epoch, COALESCE(run_id, '') AS run_id, role, COALESCE(content, '') AS content, COALESCE(reasoning, '') AS reasoning,
	COALESCE(tool_calls, '') AS tool_calls, COALESCE(tool_call_id, '') AS tool_call_id, COALESCE(name, '') AS name, COALESCE(model, '') AS model,
	COALESCE(finish_reason, '') AS finish_reason, input_tokens, output_tokens, created_at`

type row struct {
	ID           string  `db:"id"`
	TenantID     string  `db:"tenant_id"`
	Title        string  `db:"title"`
	Model        string  `db:"model"`
	SystemPrompt string  `db:"system_prompt"`
	Thinking     string  `db:"thinking"`
	Metadata     string  `db:"metadata"`
	EndUser      string  `db:"end_user"`
	Epoch        int64   `db:"epoch"`
	LastSequence int64   `db:"last_sequence"`
	CreatedAt    db.Time `db:"created_at"`
	UpdatedAt    db.Time `db:"updated_at"`
}

func (r row) session() (Session, error) {
	s := Session{ID: r.ID, TenantID: r.TenantID, Title: r.Title, Model: r.Model, SystemPrompt: r.SystemPrompt, Thinking: r.Thinking, EndUser: r.EndUser, Epoch: r.Epoch,
		LastSequence: r.LastSequence, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
	if err := json.Unmarshal([]byte(r.Metadata), &s.Metadata); err != nil {
		return Session{}, fmt.Errorf("metadata of session %s: %w", r.ID, err)
	}
	return s, nil
}

type messageRow struct {
	ID           string  `db:"id"`
	SessionID    string  `db:"session_id"`
	Sequence     int64   `db:"sequence"`
	Epoch        int64   `db:"epoch"`
	RunID        string  `db:"run_id"`
	Role         string  `db:"role"`
	Content      string  `db:"content"`
	Reasoning    string  `db:"reasoning"`
	ToolCalls    string  `db:"tool_calls"`
	ToolCallID   string  `db:"tool_call_id"`
	Name         string  `db:"name"`
	Model        string  `db:"model"`
	FinishReason string  `db:"finish_reason"`
	InputTokens  int64   `db:"input_tokens"`
	OutputTokens int64   `db:"output_tokens"`
	CreatedAt    db.Time `db:"created_at"`
}

func (r messageRow) message() (Message, error) {
	m := Message{ID: r.ID, SessionID: r.SessionID, Sequence: r.Sequence, Epoch: r.Epoch, RunID: r.RunID, Role: r.Role, Reasoning: r.Reasoning,
		ToolCallID: r.ToolCallID, Name: r.Name, Model: r.Model, FinishReason: r.FinishReason, InputTokens: r.InputTokens, OutputTokens: r.OutputTokens, CreatedAt: r.CreatedAt}
	if r.Content != "" {
		m.Content = json.RawMessage(r.Content)
	}
	if r.ToolCalls != "" {
		if err := json.Unmarshal([]byte(r.ToolCalls), &m.ToolCalls); err != nil {
			return Message{}, fmt.Errorf("tool calls of message %s: %w", r.ID, err)
		}
	}
	return m, nil
}

// Insert stores a new session.
func Insert(ctx context.Context, q db.Querier, s Session) error {
	meta, err := json.Marshal(s.Metadata)
	if err != nil {
		return err
	}
	_, err = insert.Exec(ctx, q, db.TenantOf(s.TenantID), db.Args{"id": s.ID, "title": s.Title, "model": s.Model, "system_prompt": s.SystemPrompt,
		"thinking": s.Thinking, "metadata": string(meta), "end_user": orNull(s.EndUser), "now": s.CreatedAt})
	return err
}

// Get reads a session. A non-empty owner sees only its own; anything else is as if it did not exist.
func Get(ctx context.Context, q db.Querier, t db.Tenant, owner, id string) (Session, error) {
	return one(ctx, q, t, get, db.Args{"id": id, "owner": owner})
}

// one runs a statement that gives a session.
func one(ctx context.Context, q db.Querier, t db.Tenant, stmt db.ScopedStatement, args db.Args) (Session, error) {
	var r row
	err := stmt.Get(ctx, q, t, &r, args)
	if fault.Is(err, fault.NotFound) {
		return Session{}, notFound()
	}
	if err != nil {
		return Session{}, err
	}
	return r.session()
}

func notFound() error { return fault.New(fault.NotFound, "no such session") }

// List reads up to limit sessions that come after the position, the last used first.
func List(ctx context.Context, q db.Querier, t db.Tenant, owner string, at time.Time, id string, limit int) ([]Session, error) {
	stmt := list
	args := db.Args{"at": db.At(at), "id": id, "limit": limit}
	if owner != "" {
		stmt = listOwn
		args["owner"] = owner
	}
	var rows []row
	if err := stmt.Select(ctx, q, t, &rows, args); err != nil {
		return nil, err
	}
	out := make([]Session, len(rows))
	for i, r := range rows {
		s, err := r.session()
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

// Change is what is new in a session's settings; nil leaves one as it is.
type Change struct {
	Title, Model, SystemPrompt, Thinking *string
	Metadata                             map[string]string
}

// Update changes a session's settings and returns it. A non-empty owner changes only its own.
func Update(ctx context.Context, q db.Querier, t db.Tenant, owner, id string, c Change, now time.Time) (Session, error) {
	args := db.Args{"id": id, "owner": owner, "title": c.Title, "model": c.Model, "system_prompt": c.SystemPrompt, "thinking": c.Thinking, "metadata": nil, "now": db.At(now)}
	for _, name := range []string{"title", "model", "system_prompt", "thinking"} {
		if p := args[name].(*string); p != nil {
			args[name] = *p
		} else {
			args[name] = nil
		}
	}
	if c.Metadata != nil {
		meta, err := json.Marshal(c.Metadata)
		if err != nil {
			return Session{}, err
		}
		args["metadata"] = string(meta)
	}
	return one(ctx, q, t, update, args)
}

// Reset starts a session over with an empty context and returns it. A non-empty owner resets only its own.
func Reset(ctx context.Context, q db.Querier, t db.Tenant, owner, id string, now time.Time) (Session, error) {
	return one(ctx, q, t, reset, db.Args{"id": id, "owner": owner, "now": db.At(now)})
}

// Delete removes a session with its messages and runs. A non-empty owner removes only its own.
func Delete(ctx context.Context, q db.Querier, t db.Tenant, owner, id string) error {
	n, err := remove.Exec(ctx, q, t, db.Args{"id": id, "owner": owner})
	if err == nil && n == 0 {
		return notFound()
	}
	return err
}

// Append stores a message at the end of its session and fills in its id, sequence, epoch and time. The first user message gives the session its title.
func Append(ctx context.Context, q db.Querier, t db.Tenant, m *Message, now time.Time) error {
	title := ""
	if m.Role == "user" {
		title = TitleFrom(m.Content)
	}
	var at struct {
		LastSequence int64 `db:"last_sequence"`
		Epoch        int64 `db:"epoch"`
	}
	err := bump.Get(ctx, q, t, &at, db.Args{"id": m.SessionID, "title": title, "now": db.At(now)})
	if fault.Is(err, fault.NotFound) {
		return notFound()
	}
	if err != nil {
		return err
	}
	m.Sequence, m.Epoch, m.CreatedAt = at.LastSequence, at.Epoch, db.At(now)
	calls := ""
	if len(m.ToolCalls) > 0 {
		b, err := json.Marshal(m.ToolCalls)
		if err != nil {
			return err
		}
		calls = string(b)
	}
	_, err = insertMessage.Exec(ctx, q, t, db.Args{"session_id": m.SessionID, "sequence": m.Sequence, "id": m.ID, "epoch": m.Epoch, "run_id": orNull(m.RunID), "role": m.Role,
		"content": orNull(string(m.Content)), "reasoning": orNull(m.Reasoning), "tool_calls": orNull(calls), "tool_call_id": orNull(m.ToolCallID), "name": orNull(m.Name),
		"model": orNull(m.Model), "finish_reason": orNull(m.FinishReason), "input_tokens": m.InputTokens, "output_tokens": m.OutputTokens, "now": m.CreatedAt})
	return err
}

// OfRun reads the messages that a run wrote, oldest first.
func OfRun(ctx context.Context, q db.Querier, t db.Tenant, sessionID, runID string) ([]Message, error) {
	return read(ctx, q, t, ofRun, db.Args{"session_id": sessionID, "run_id": runID})
}

func read(ctx context.Context, q db.Querier, t db.Tenant, stmt db.ScopedStatement, args db.Args) ([]Message, error) {
	var rows []messageRow
	if err := stmt.Select(ctx, q, t, &rows, args); err != nil {
		return nil, err
	}
	out := make([]Message, len(rows))
	for i, r := range rows {
		m, err := r.message()
		if err != nil {
			return nil, err
		}
		out[i] = m
	}
	return out, nil
}

// orNull stores NULL for an absent text.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
