package sessions

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// MaxBuilt is how many messages a session may have that is put together at once: by a fork, or from an export.
const MaxBuilt = 20_000

const (
	builtMessages = 100       // that are written at a time, so that others' writes wait a moment only
	builtBytes    = 256 << 10 // likewise
	abandoned     = time.Hour // after which a session that is not complete was left by a server that stopped
)

var (
	complete = db.Scoped("sessions.complete", `UPDATE sessions SET status = 'active', epoch = :epoch, last_epoch = :last_epoch, head = :head, last_sequence = :last_sequence
		WHERE tenant_id = :tenant_id AND id = :id AND status = 'building' RETURNING `+columns)
	drop  = db.Scoped("sessions.drop", `DELETE FROM sessions WHERE tenant_id = :tenant_id AND id = :id AND status = 'building'`)
	sweep = db.System("sessions.sweep", `DELETE FROM sessions WHERE status = 'building' AND updated_at < :before`)
)

// Building is a session that is put together of many messages, in many writes. It is not there for anybody before Done; Drop gives it up.
type Building struct {
	db      *db.DB
	s       Session
	pending []Message
	bytes   int64
	last    int64
	heads   map[int64]int64 // the newest active message of each epoch
}

// Build begins a session. Its id, external id and settings are taken at once.
func Build(ctx context.Context, d *db.DB, s Session) (*Building, error) {
	err := d.Write(ctx, func(q db.Querier) error { return insertAs(ctx, q, s, "building") })
	return &Building{db: d, s: s, heads: map[int64]int64{}}, err
}

// Add puts a message at the end. Its id, sequence, epoch, parent, time and whether it is active are the caller's to give.
func (b *Building) Add(ctx context.Context, m Message) error {
	m.SessionID = b.s.ID
	b.pending = append(b.pending, m)
	b.bytes += m.size()
	b.last = m.Sequence
	if m.Active {
		b.heads[m.Epoch] = m.Sequence
	}
	if len(b.pending) < builtMessages && b.bytes < builtBytes {
		return nil
	}
	err := b.db.Write(ctx, func(q db.Querier) error { return b.flush(ctx, q) })
	b.pending, b.bytes = b.pending[:0], 0
	return err
}

func (b *Building) flush(ctx context.Context, q db.Querier) error {
	t := db.TenantOf(b.s.TenantID)
	for i := range b.pending {
		if err := store(ctx, q, t, &b.pending[i], b.pending[i].Parent); err != nil {
			return err
		}
	}
	return nil
}

// Done writes what is left, the epochs and the summaries, and makes the session visible as a whole. The session's epoch is the one that is continued.
func (b *Building) Done(ctx context.Context, epochs []Epoch, summaries []Summary) (s Session, err error) {
	t := db.TenantOf(b.s.TenantID)
	err = b.db.Write(ctx, func(q db.Querier) error {
		if err := b.flush(ctx, q); err != nil {
			return err
		}
		for _, e := range epochs {
			if err := insertEpoch(ctx, q, t, b.s.ID, e); err != nil {
				return err
			}
		}
		for i := range summaries {
			summaries[i].SessionID = b.s.ID
			if err := insertSummary(ctx, q, t, &summaries[i], summaries[i].CreatedAt.Time); err != nil {
				return err
			}
		}
		s, err = one(ctx, q, t, complete, db.Args{"id": b.s.ID, "epoch": b.s.Epoch, "last_epoch": b.s.LastEpoch, "head": b.heads[b.s.Epoch], "last_sequence": b.last})
		return err
	})
	return s, err
}

// Drop removes what was built. It does so also when ctx has ended.
func (b *Building) Drop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = b.db.Write(ctx, func(q db.Querier) error { // what is left is swept later
		_, err := drop.Exec(ctx, q, db.TenantOf(b.s.TenantID), db.Args{"id": b.s.ID})
		return err
	})
}

// Sweep removes the sessions that a server left incomplete when it stopped, and reports how many.
func Sweep(ctx context.Context, q db.Querier, now time.Time) (int64, error) {
	return sweep.Exec(ctx, q, db.Args{"before": db.At(now.Add(-abandoned))})
}

func tooManyMessages() error {
	return fault.New(fault.Conflict, "this is more than %d messages, which is the most that can be taken over at once", MaxBuilt)
}
