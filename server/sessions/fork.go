package sessions

import (
	"context"
	"slices"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
)

var bySequence = db.Scoped("sessions.by_sequence", `SELECT `+messageColumns+ofSession+` AND sequence = :sequence`)

// Forking says where a session is forked and what is new in the fork.
type Forking struct {
	MessageID  string // the last one that is taken over; empty with Sequence 0 takes the newest
	Sequence   int64
	Title      string // empty takes the session's
	ExternalID string
}

// origin is what a fork takes over.
type origin struct {
	session  Session
	epoch    int64
	path     []int64       // sequences, oldest first
	at       map[int64]int // each one's place in the path
	summary  Summary
	isSummed bool
}

// Fork copies a session with the messages of one branch up to one of them, and with the summary that holds there. The copy has ids and sequences of its own and nobody sees it
// before it is complete. A non-empty owner forks only its own.
func Fork(ctx context.Context, d *db.DB, t db.Tenant, owner, sessionID string, f Forking, now time.Time) (Session, error) {
	var o origin
	err := d.Read(ctx, func(q db.Querier) (err error) {
		o, err = trace(ctx, q, t, owner, sessionID, f)
		return err
	})
	if err != nil {
		return Session{}, err
	}
	s := o.session
	s.ID, s.ExternalID, s.ForkedFrom, s.ForkedAt = ids.New(ids.Session), f.ExternalID, s.ID, 0
	s.ParentID, s.ArchivedAt, s.Pinned, s.Epoch, s.LastEpoch, s.CreatedAt, s.UpdatedAt = "", db.Time{}, false, 1, 1, db.At(now), db.At(now)
	if n := len(o.path); n > 0 {
		s.ForkedAt = o.path[n-1]
	}
	if f.Title != "" {
		s.Title, s.Titled = f.Title, ByCaller
	}
	b, err := Build(ctx, d, s)
	if err != nil {
		return Session{}, err
	}
	if err = o.copy(ctx, d, t, b); err == nil {
		var summaries []Summary
		if o.isSummed {
			summaries = append(summaries, o.renumbered())
		}
		s, err = b.Done(ctx, []Epoch{{Epoch: 1, Reason: Started, CreatedAt: db.At(now)}}, summaries)
	}
	if err != nil {
		b.Drop(ctx)
		return Session{}, err
	}
	return s, nil
}

// trace finds the branch that leads to a message.
func trace(ctx context.Context, q db.Querier, t db.Tenant, owner, sessionID string, f Forking) (o origin, err error) {
	if o.session, err = Get(ctx, q, t, owner, sessionID); err != nil {
		return o, err
	}
	o.epoch = o.session.Epoch
	end := o.session.Head
	if f.MessageID != "" || f.Sequence != 0 {
		m, err := last(ctx, q, t, owner, sessionID, f)
		if err != nil {
			return o, err
		}
		o.epoch, end = m.Epoch, m.Sequence
	}
	var way []step
	if err := climb.Select(ctx, q, t, &way, db.Args{"session_id": sessionID, "epoch": o.epoch, "sequence": end, "whole": 1, "limit": MaxBuilt + 1}); err != nil {
		return o, err
	}
	if len(way) > MaxBuilt {
		return o, tooManyMessages()
	}
	slices.Reverse(way)
	o.at = make(map[int64]int, len(way))
	for i, on := range way {
		o.path = append(o.path, on.Sequence)
		o.at[on.Sequence] = i
	}
	return o, o.sum(ctx, q, t)
}

func last(ctx context.Context, q db.Querier, t db.Tenant, owner, sessionID string, f Forking) (Message, error) {
	if f.MessageID != "" {
		return Find(ctx, q, t, owner, sessionID, f.MessageID)
	}
	list, err := read(ctx, q, t, bySequence, db.Args{"session_id": sessionID, "sequence": f.Sequence})
	if err == nil && len(list) == 0 {
		err = fault.New(fault.NotFound, "no such message in this session")
	}
	if err != nil {
		return Message{}, err
	}
	return list[0], nil
}

// sum finds the newest summary that stands for a beginning of the path.
func (o *origin) sum(ctx context.Context, q db.Querier, t db.Tenant) error {
	after := ""
	for {
		list, err := Summaries(ctx, q, t, o.session.ID, after, maxBatch)
		if err != nil {
			return err
		}
		for _, s := range list {
			_, isPast := o.at[s.UpTo]
			if s.Epoch == o.epoch && (isPast || s.UpTo == 0) && (!o.isSummed || s.UpTo >= o.summary.UpTo) {
				o.summary, o.isSummed = s, true
			}
			after = s.ID
		}
		if len(list) < maxBatch {
			return nil
		}
	}
}

// renumbered is the summary in the copy's sequences.
func (o *origin) renumbered() Summary {
	s := o.summary
	s.ID, s.Epoch, s.RunID = "", 1, ""
	if s.UpTo != 0 {
		from, _ := slices.BinarySearch(o.path, s.FromSequence)
		s.FromSequence, s.UpTo = int64(from)+1, int64(o.at[s.UpTo])+1
	}
	return s
}

// copy adds the path's messages, which nobody changes meanwhile. A run belongs to one session, so that the copies name none.
func (o *origin) copy(ctx context.Context, d *db.DB, t db.Tenant, b *Building) error {
	if len(o.path) == 0 {
		return nil
	}
	end, copied := o.path[len(o.path)-1], 0
	for at, more := o.path[0]-1, true; more && at < end; {
		var rows []Message
		err := d.Read(ctx, func(q db.Querier) (err error) {
			rows, more, err = Forward(ctx, q, t, o.session.ID, Filter{Epoch: o.epoch, All: true}, at, maxBatch)
			return err
		})
		if err != nil {
			return err
		}
		for _, m := range rows {
			at = m.Sequence
			i, isPast := o.at[m.Sequence]
			if !isPast {
				continue
			}
			m.ID, m.RunID, m.Epoch, m.Sequence, m.Parent, m.Active = ids.New(ids.Message), "", 1, int64(i)+1, int64(i), true
			if err := b.Add(ctx, m); err != nil {
				return err
			}
			copied++
		}
	}
	if copied < len(o.path) {
		return notFound() // it was deleted meanwhile
	}
	return nil
}
