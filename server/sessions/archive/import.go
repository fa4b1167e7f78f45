package archive

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/sessions/serve"
)

// Import takes in an exported conversation as a new session of the tenant, whole or not at all. It takes over what was said and how it is set, and no right: what spawned it,
// how deep, and which runs wrote it stay behind. It counts as used now, so that it is kept as long as any other.
func Import(ctx context.Context, d *db.DB, tenantID string, raw []byte, now time.Time) (sessions.Session, error) {
	x, err := read(raw)
	if err != nil {
		return sessions.Session{}, err
	}
	s, err := x.session(tenantID, now)
	if err != nil {
		return sessions.Session{}, err
	}
	b, err := sessions.Build(ctx, d, s)
	if err != nil {
		return sessions.Session{}, err
	}
	for _, m := range x.Messages {
		if err = b.Add(ctx, message(m, now)); err != nil {
			break
		}
	}
	if err == nil {
		s, err = b.Done(ctx, x.epochs(now), x.summaries(now))
	}
	if err != nil {
		b.Drop(ctx)
		return sessions.Session{}, err
	}
	return s, nil
}

func (x *SessionExport) session(tenantID string, now time.Time) (sessions.Session, error) {
	in := x.Session
	narrowing, err := in.Tools.Narrow()
	if err != nil {
		return sessions.Session{}, err
	}
	s := sessions.New(tenantID, now)
	s.ExternalID, s.Title, s.Titled, s.Model, s.SystemPrompt, s.Thinking = in.ExternalID, in.Title, in.Titled, in.Model, in.SystemPrompt, in.Thinking
	s.Tools, s.EndUser, s.Pinned, s.Epoch, s.LastEpoch, s.CreatedAt = narrowing, in.User, in.Pinned, in.Epoch, in.LastEpoch, past(in.CreatedAt, now)
	if in.Metadata != nil {
		s.Metadata = in.Metadata
	}
	if in.Archived {
		s.ArchivedAt = db.At(now)
	}
	return s, nil
}

// past is a time of an export, none of which is in the future or missing.
func past(t, now time.Time) db.Time {
	if t.IsZero() || t.Unix() < 0 || t.After(now) {
		return db.At(now)
	}
	return db.At(t)
}

func message(m serve.MessageBody, now time.Time) sessions.Message {
	return sessions.Message{ID: ids.New(ids.Message), Sequence: m.Sequence, Epoch: m.Epoch, Parent: m.Parent, Active: m.Active, Role: m.Role, Content: content(m.Content),
		Reasoning: m.Reasoning, ToolCalls: m.ToolCalls, ToolCallID: m.ToolCallID, Name: m.Name, Model: m.Model, FinishReason: m.FinishReason, Taint: m.Taint, Origin: m.Origin,
		CreatedAt: past(m.CreatedAt, now)}
}

func content(raw []byte) []byte {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// epochs are the exported ones; one that is continued and not among them, as in a session that a very old release began, is said to be imported.
func (x *SessionExport) epochs(now time.Time) (out []sessions.Epoch) {
	known := false
	for _, e := range x.Epochs {
		out = append(out, sessions.Epoch{Epoch: e.Epoch, Previous: e.Previous, Reason: e.Reason, CreatedAt: past(e.CreatedAt, now)})
		known = known || e.Epoch == x.Session.Epoch
	}
	if !known {
		out = append(out, sessions.Epoch{Epoch: x.Session.Epoch, Reason: sessions.Imported, CreatedAt: db.At(now)})
	}
	return out
}

func (x *SessionExport) summaries(now time.Time) (out []sessions.Summary) {
	for _, s := range x.Summaries {
		out = append(out, sessions.Summary{Epoch: s.Epoch, FromSequence: s.FromSequence, UpTo: s.UpTo, Messages: s.Messages, Content: s.Content, Taint: s.Taint, Model: s.Model,
			InputTokens: s.InputTokens, OutputTokens: s.OutputTokens, CostMicros: s.CostMicros, CreatedAt: past(s.CreatedAt, now)})
	}
	return out
}
