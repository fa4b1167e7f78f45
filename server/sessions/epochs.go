package sessions

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
)

var (
	reset = db.Scoped("sessions.reset", `UPDATE sessions SET epoch = last_epoch + 1, last_epoch = last_epoch + 1, head = 0, version = version + 1, `+latest+theirs+` RETURNING `+columns)
	// The newest message of the epoch's branch is the last entry of the index messages_active.
	undo = db.Scoped("sessions.undo", `UPDATE sessions SET epoch = :epoch, version = version + 1, `+latest+`,
		head = COALESCE((SELECT MAX(m.sequence) FROM messages m WHERE m.tenant_id = :tenant_id AND m.session_id = :id AND m.epoch = :epoch AND m.active = 1), 0)`+theirs+` RETURNING `+columns)
	addEpoch = db.Scoped("sessions.add_epoch", `INSERT INTO session_epochs (tenant_id, session_id, epoch, previous, reason, created_at)
		VALUES (:tenant_id, :session_id, :epoch, :previous, :reason, :created_at)`)
	previous = db.Scoped("sessions.previous", `SELECT previous FROM session_epochs WHERE tenant_id = :tenant_id AND session_id = :session_id AND epoch = :epoch`)
	epochs   = db.Scoped("sessions.epochs", `SELECT epoch, previous, reason, created_at, (SELECT COUNT(*) FROM messages m WHERE m.tenant_id = :tenant_id AND m.session_id = e.session_id
			AND m.epoch = e.epoch) AS messages
		FROM session_epochs e WHERE tenant_id = :tenant_id AND session_id = :session_id AND epoch > :after ORDER BY epoch LIMIT :limit`)
	addSummary = db.Scoped("sessions.add_summary", `INSERT INTO session_summaries (tenant_id, id, session_id, epoch, from_sequence, up_to, messages, content, taint, model, run_id, request_id,
		input_tokens, output_tokens, cost_micros, created_at)
		VALUES (:tenant_id, :id, :session_id, :epoch, :from_sequence, :up_to, :messages, :content, :taint, :model, :run_id, :request_id, :input_tokens, :output_tokens, :cost_micros, :created_at)`)
	holding = db.Scoped("sessions.holding_summary", `SELECT `+summaryColumns+` FROM session_summaries
		WHERE tenant_id = :tenant_id AND session_id = :session_id AND epoch = :epoch AND (up_to = 0 OR EXISTS (SELECT 1 FROM messages m
			WHERE m.tenant_id = :tenant_id AND m.session_id = :session_id AND m.epoch = :epoch AND m.sequence = session_summaries.up_to AND m.active = 1))
		ORDER BY up_to DESC, created_at DESC, id DESC LIMIT 1`)
	summaries = db.Scoped("sessions.summaries", `SELECT `+summaryColumns+` FROM session_summaries
		WHERE tenant_id = :tenant_id AND session_id = :session_id AND id > :after ORDER BY id LIMIT :limit`)
)

// Reset starts a new epoch with an empty context and returns the session. A text that is carried over stands for what was before. A non-empty owner resets only its own.
func Reset(ctx context.Context, q db.Querier, t db.Tenant, owner, id, reason, carry string, now time.Time) (Session, error) {
	before, err := one(ctx, q, t, touch, db.Args{"id": id, "owner": owner})
	if err != nil {
		return Session{}, err
	}
	s, err := one(ctx, q, t, reset, db.Args{"id": id, "owner": owner, "now": db.At(now)})
	if err != nil {
		return Session{}, err
	}
	if err := insertEpoch(ctx, q, t, id, Epoch{Epoch: s.Epoch, Previous: before.Epoch, Reason: reason, CreatedAt: db.At(now)}); err != nil || carry == "" {
		return s, err
	}
	return s, insertSummary(ctx, q, t, &Summary{SessionID: id, Epoch: s.Epoch, Content: carry}, now)
}

// Undo returns to the epoch before and returns the session. The epoch that it leaves stays readable. A non-empty owner changes only its own.
func Undo(ctx context.Context, q db.Querier, t db.Tenant, owner, id string, now time.Time) (Session, error) {
	s, err := one(ctx, q, t, touch, db.Args{"id": id, "owner": owner})
	if err != nil {
		return Session{}, err
	}
	to := s.Epoch - 1 // for one from before epochs were recorded
	err = previous.Get(ctx, q, t, &to, db.Args{"session_id": id, "epoch": s.Epoch})
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Session{}, err
	}
	if to < 1 {
		return Session{}, fault.New(fault.Conflict, "there is no reset to undo")
	}
	return one(ctx, q, t, undo, db.Args{"id": id, "owner": owner, "epoch": to, "now": db.At(now)})
}

func insertEpoch(ctx context.Context, q db.Querier, t db.Tenant, sessionID string, e Epoch) error {
	_, err := addEpoch.Exec(ctx, q, t, db.Args{"session_id": sessionID, "epoch": e.Epoch, "previous": e.Previous, "reason": e.Reason, "created_at": e.CreatedAt})
	return err
}

// Epochs reads up to limit epochs after one, the oldest first.
func Epochs(ctx context.Context, q db.Querier, t db.Tenant, sessionID string, after int64, limit int) ([]Epoch, error) {
	var rows []struct {
		Epoch     int64   `db:"epoch"`
		Previous  int64   `db:"previous"`
		Reason    string  `db:"reason"`
		CreatedAt db.Time `db:"created_at"`
		Messages  int64   `db:"messages"`
	}
	if err := epochs.Select(ctx, q, t, &rows, db.Args{"session_id": sessionID, "after": after, "limit": limit}); err != nil {
		return nil, err
	}
	out := make([]Epoch, len(rows))
	for i, r := range rows {
		out[i] = Epoch{Epoch: r.Epoch, Previous: r.Previous, Reason: r.Reason, Messages: r.Messages, CreatedAt: r.CreatedAt}
	}
	return out, nil
}

// AddSummary stores a summary and fills in its id and time. One that is carried over has FromSequence and UpTo 0.
func AddSummary(ctx context.Context, q db.Querier, t db.Tenant, s *Summary, now time.Time) error {
	if _, err := one(ctx, q, t, touch, db.Args{"id": s.SessionID, "owner": ""}); err != nil {
		return err
	}
	return insertSummary(ctx, q, t, s, now)
}

func insertSummary(ctx context.Context, q db.Querier, t db.Tenant, s *Summary, now time.Time) error {
	if s.ID == "" {
		s.ID = ids.New(ids.Summary)
	}
	taint, err := listJSON(s.Taint)
	if err != nil {
		return err
	}
	s.CreatedAt = db.At(now)
	_, err = addSummary.Exec(ctx, q, t, db.Args{"id": s.ID, "session_id": s.SessionID, "epoch": s.Epoch, "from_sequence": s.FromSequence, "up_to": s.UpTo, "messages": s.Messages,
		"content": s.Content, "taint": taint, "model": s.Model, "run_id": db.OrNull(s.RunID), "request_id": s.RequestID, "input_tokens": s.InputTokens, "output_tokens": s.OutputTokens,
		"cost_micros": s.CostMicros, "created_at": s.CreatedAt})
	return err
}

// HoldingSummary is the newest summary of a session's epoch that stands for messages of the branch that is continued, and whether there is one.
func HoldingSummary(ctx context.Context, q db.Querier, t db.Tenant, s Session) (Summary, bool, error) {
	var r summaryRow
	err := holding.Get(ctx, q, t, &r, db.Args{"session_id": s.ID, "epoch": s.Epoch})
	if fault.Is(err, fault.NotFound) {
		return Summary{}, false, nil
	}
	if err != nil {
		return Summary{}, false, err
	}
	sum, err := r.summary()
	return sum, err == nil, err
}

// Summaries reads up to limit summaries after one, the oldest first.
func Summaries(ctx context.Context, q db.Querier, t db.Tenant, sessionID, after string, limit int) ([]Summary, error) {
	var rows []summaryRow
	if err := summaries.Select(ctx, q, t, &rows, db.Args{"session_id": sessionID, "after": after, "limit": limit}); err != nil {
		return nil, err
	}
	return each(rows, summaryRow.summary)
}
