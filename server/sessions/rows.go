package sessions

import (
	"encoding/json"
	"fmt"

	"github.com/clawless/clawless/server/db"
)

const columns = `id, tenant_id, COALESCE(external_id, '') AS external_id, title, titled, model, system_prompt, thinking, tools, metadata, COALESCE(end_user, '') AS end_user,
	archived_at, pinned, epoch, last_epoch, head, last_sequence, version, COALESCE(parent_id, '') AS parent_id, depth, COALESCE(forked_from, '') AS forked_from,
	COALESCE(forked_at, 0) AS forked_at, created_at, updated_at`

const messageColumns = `id, session_id, sequence, epoch, parent, active, COALESCE(run_id, '') AS run_id, role, COALESCE(content, '') AS content, COALESCE(reasoning, '') AS reasoning,
	COALESCE(tool_calls, '') AS tool_calls, COALESCE(tool_call_id, '') AS tool_call_id, COALESCE(name, '') AS name, COALESCE(model, '') AS model,
	COALESCE(finish_reason, '') AS finish_reason, taint, COALESCE(origin, '') AS origin, input_tokens, output_tokens, created_at`

const summaryColumns = `id, session_id, epoch, from_sequence, up_to, messages, content, taint, model, COALESCE(run_id, '') AS run_id, request_id, input_tokens, output_tokens,
	cost_micros, created_at`

type row struct {
	ID           string  `db:"id"`
	TenantID     string  `db:"tenant_id"`
	ExternalID   string  `db:"external_id"`
	Title        string  `db:"title"`
	Titled       string  `db:"titled"`
	Model        string  `db:"model"`
	SystemPrompt string  `db:"system_prompt"`
	Thinking     string  `db:"thinking"`
	Tools        string  `db:"tools"`
	Metadata     string  `db:"metadata"`
	EndUser      string  `db:"end_user"`
	ArchivedAt   db.Time `db:"archived_at"`
	Pinned       bool    `db:"pinned"`
	Epoch        int64   `db:"epoch"`
	LastEpoch    int64   `db:"last_epoch"`
	Head         int64   `db:"head"`
	LastSequence int64   `db:"last_sequence"`
	Version      int64   `db:"version"`
	ParentID     string  `db:"parent_id"`
	Depth        int64   `db:"depth"`
	ForkedFrom   string  `db:"forked_from"`
	ForkedAt     int64   `db:"forked_at"`
	CreatedAt    db.Time `db:"created_at"`
	UpdatedAt    db.Time `db:"updated_at"`
}

func (r row) session() (Session, error) {
	s := Session{ID: r.ID, TenantID: r.TenantID, ExternalID: r.ExternalID, Title: r.Title, Titled: r.Titled, Model: r.Model, SystemPrompt: r.SystemPrompt, Thinking: r.Thinking,
		EndUser: r.EndUser, ArchivedAt: r.ArchivedAt, Pinned: r.Pinned, Epoch: r.Epoch, LastEpoch: r.LastEpoch, Head: r.Head, LastSequence: r.LastSequence, Version: r.Version,
		ParentID: r.ParentID, Depth: r.Depth, ForkedFrom: r.ForkedFrom, ForkedAt: r.ForkedAt, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
	if err := json.Unmarshal([]byte(r.Metadata), &s.Metadata); err != nil {
		return Session{}, fmt.Errorf("metadata of session %s: %w", r.ID, err)
	}
	if err := parse(r.Tools, &s.Tools); err != nil {
		return Session{}, fmt.Errorf("tools of session %s: %w", r.ID, err)
	}
	return s, nil
}

type messageRow struct {
	ID           string  `db:"id"`
	SessionID    string  `db:"session_id"`
	Sequence     int64   `db:"sequence"`
	Epoch        int64   `db:"epoch"`
	Parent       int64   `db:"parent"`
	Active       bool    `db:"active"`
	RunID        string  `db:"run_id"`
	Role         string  `db:"role"`
	Content      string  `db:"content"`
	Reasoning    string  `db:"reasoning"`
	ToolCalls    string  `db:"tool_calls"`
	ToolCallID   string  `db:"tool_call_id"`
	Name         string  `db:"name"`
	Model        string  `db:"model"`
	FinishReason string  `db:"finish_reason"`
	Taint        string  `db:"taint"`
	Origin       string  `db:"origin"`
	InputTokens  int64   `db:"input_tokens"`
	OutputTokens int64   `db:"output_tokens"`
	CreatedAt    db.Time `db:"created_at"`
	Siblings     int64   `db:"siblings"`
}

func (r messageRow) message() (Message, error) {
	m := Message{ID: r.ID, SessionID: r.SessionID, Sequence: r.Sequence, Epoch: r.Epoch, Parent: r.Parent, Active: r.Active, RunID: r.RunID, Role: r.Role, Reasoning: r.Reasoning,
		ToolCallID: r.ToolCallID, Name: r.Name, Model: r.Model, FinishReason: r.FinishReason, Origin: r.Origin, InputTokens: r.InputTokens, OutputTokens: r.OutputTokens,
		CreatedAt: r.CreatedAt, Siblings: r.Siblings}
	if r.Content != "" {
		m.Content = json.RawMessage(r.Content)
	}
	if err := parse(r.ToolCalls, &m.ToolCalls); err != nil {
		return Message{}, fmt.Errorf("tool calls of message %s: %w", r.ID, err)
	}
	if err := parse(r.Taint, &m.Taint); err != nil {
		return Message{}, fmt.Errorf("taint of message %s: %w", r.ID, err)
	}
	return m, nil
}

type summaryRow struct {
	ID           string  `db:"id"`
	SessionID    string  `db:"session_id"`
	Epoch        int64   `db:"epoch"`
	FromSequence int64   `db:"from_sequence"`
	UpTo         int64   `db:"up_to"`
	Messages     int64   `db:"messages"`
	Content      string  `db:"content"`
	Taint        string  `db:"taint"`
	Model        string  `db:"model"`
	RunID        string  `db:"run_id"`
	RequestID    string  `db:"request_id"`
	InputTokens  int64   `db:"input_tokens"`
	OutputTokens int64   `db:"output_tokens"`
	CostMicros   int64   `db:"cost_micros"`
	CreatedAt    db.Time `db:"created_at"`
}

func (r summaryRow) summary() (Summary, error) {
	s := Summary{ID: r.ID, SessionID: r.SessionID, Epoch: r.Epoch, FromSequence: r.FromSequence, UpTo: r.UpTo, Messages: r.Messages, Content: r.Content, Model: r.Model,
		RunID: r.RunID, RequestID: r.RequestID, InputTokens: r.InputTokens, OutputTokens: r.OutputTokens, CostMicros: r.CostMicros, CreatedAt: r.CreatedAt}
	if err := parse(r.Taint, &s.Taint); err != nil {
		return Summary{}, fmt.Errorf("taint of summary %s: %w", r.ID, err)
	}
	return s, nil
}

// parse reads a column of JSON, of which the empty text is nothing.
func parse(text string, into any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), into)
}

// listJSON stores a list, of which an empty one is the empty text.
func listJSON[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}

// value is what a pointer points to, or nil for NULL.
func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
