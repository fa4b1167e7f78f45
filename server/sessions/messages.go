package sessions

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

const ofSession = ` FROM messages WHERE tenant_id = :tenant_id AND session_id = :session_id`

// wanted narrows a list of messages to an epoch (0 is every one) and to the branches that are continued, and counts the siblings of each.
const (
	counted = `, (SELECT COUNT(*) FROM messages s WHERE s.tenant_id = :tenant_id AND s.session_id = messages.session_id AND s.epoch = messages.epoch
		AND s.parent = messages.parent) AS siblings`
	wanted = ` AND (CAST(:epoch AS BIGINT) = 0 OR epoch = CAST(:epoch AS BIGINT)) AND (active = 1 OR CAST(:all AS BIGINT) = 1)`
)

var (
	bump = db.Scoped("sessions.bump", `UPDATE sessions SET last_sequence = last_sequence + 1, head = last_sequence + 1, version = version + 1, `+latest+`,
		title = CASE WHEN title = '' THEN :title ELSE title END, titled = CASE WHEN title = '' AND :title <> '' THEN 'words' ELSE titled END
		WHERE tenant_id = :tenant_id AND id = :id AND status = 'active' RETURNING last_sequence, epoch, title, titled`)
	// The head has moved already, so the message before it is the newest of the branch; the index messages_active ends there.
	insertMessage = db.Scoped("sessions.insert_message", `INSERT INTO messages (tenant_id, session_id, sequence, id, epoch, parent, active, run_id, role, content, reasoning, tool_calls,
		tool_call_id, name, model, finish_reason, taint, origin, input_tokens, output_tokens, created_at)
		VALUES (:tenant_id, :session_id, :sequence, :id, :epoch, COALESCE(:parent, (SELECT MAX(m.sequence) FROM messages m WHERE m.tenant_id = :tenant_id AND m.session_id = :session_id
			AND m.epoch = :epoch AND m.active = 1), 0), :active, :run_id, :role, :content, :reasoning, :tool_calls,
		:tool_call_id, :name, :model, :finish_reason, :taint, :origin, :input_tokens, :output_tokens, :now) RETURNING parent`)
	messages     = db.Scoped("sessions.messages", `SELECT `+messageColumns+counted+ofSession+` AND sequence > :after`+wanted+` ORDER BY sequence LIMIT :limit`)
	messagesBack = db.Scoped("sessions.messages_back", `SELECT `+messageColumns+counted+ofSession+` AND sequence < :before AND sequence > :after`+wanted+`
		ORDER BY sequence DESC LIMIT :limit`)
	newest = db.Scoped("sessions.newest", `SELECT `+messageColumns+ofSession+` AND epoch = :epoch AND active = 1 AND sequence < :before AND sequence > :after
		ORDER BY sequence DESC LIMIT :limit`)
	ofRun = db.Scoped("sessions.of_run", `SELECT `+messageColumns+ofSession+` AND run_id = :run_id ORDER BY sequence`)
	find  = db.Scoped("sessions.find", `SELECT `+messageColumns+ofSession+` AND id = :id
		AND EXISTS (SELECT 1 FROM sessions s WHERE s.tenant_id = :tenant_id AND s.id = :session_id AND (:owner = '' OR s.end_user = :owner) AND s.status = 'active')`)
)

// Append stores a message at the end of the branch that is continued and fills in its sequence, epoch, parent and time. The first user message gives the session its title.
func Append(ctx context.Context, q db.Querier, t db.Tenant, m *Message, now time.Time) error {
	title := ""
	if m.Role == "user" {
		title = TitleFrom(m.Content)
	}
	var at struct {
		LastSequence int64  `db:"last_sequence"`
		Epoch        int64  `db:"epoch"`
		Title        string `db:"title"`
		Titled       string `db:"titled"`
	}
	err := bump.Get(ctx, q, t, &at, db.Args{"id": m.SessionID, "title": title, "now": db.At(now)})
	if fault.Is(err, fault.NotFound) {
		return notFound()
	}
	if err != nil {
		return err
	}
	m.Sequence, m.Epoch, m.Active, m.CreatedAt = at.LastSequence, at.Epoch, true, db.At(now)
	if err := store(ctx, q, t, m, nil); err != nil {
		return err
	}
	if title != "" && at.Title == title && at.Titled == ByWords {
		return index(ctx, q, t, m.SessionID, 0, title)
	}
	return nil
}

// store writes a message as it is. A nil parent is the newest message of the branch.
func store(ctx context.Context, q db.Querier, t db.Tenant, m *Message, parent any) error {
	calls, err := listJSON(m.ToolCalls)
	if err != nil {
		return err
	}
	taint, err := listJSON(m.Taint)
	if err != nil {
		return err
	}
	err = insertMessage.Get(ctx, q, t, &m.Parent, db.Args{"session_id": m.SessionID, "sequence": m.Sequence, "id": m.ID, "epoch": m.Epoch, "parent": parent, "active": m.Active,
		"run_id": db.OrNull(m.RunID), "role": m.Role, "content": db.OrNull(string(m.Content)), "reasoning": db.OrNull(m.Reasoning), "tool_calls": db.OrNull(calls),
		"tool_call_id": db.OrNull(m.ToolCallID), "name": db.OrNull(m.Name), "model": db.OrNull(m.Model), "finish_reason": db.OrNull(m.FinishReason), "taint": taint, "origin": db.OrNull(m.Origin),
		"input_tokens": m.InputTokens, "output_tokens": m.OutputTokens, "now": m.CreatedAt})
	if err != nil || m.Role != "user" && m.Role != "assistant" {
		return err
	}
	return index(ctx, q, t, m.SessionID, m.Sequence, llm.TextOf(m.Content))
}

// Find reads one message. A non-empty owner sees only those of its own sessions.
func Find(ctx context.Context, q db.Querier, t db.Tenant, owner, sessionID, messageID string) (Message, error) {
	list, err := read(ctx, q, t, find, db.Args{"session_id": sessionID, "id": messageID, "owner": owner})
	if err == nil && len(list) == 0 {
		return Message{}, fault.New(fault.NotFound, "no such message in this session")
	}
	if err != nil {
		return Message{}, err
	}
	return list[0], nil
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
	return each(rows, messageRow.message)
}

// each turns rows into what they stand for.
func each[R, T any](rows []R, turn func(R) (T, error)) ([]T, error) {
	out := make([]T, len(rows))
	for i, r := range rows {
		v, err := turn(r)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}
