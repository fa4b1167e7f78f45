package sessions

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// The active messages of an epoch are one path from its start to the session's head: every statement here keeps it so.
const inEpoch = ` WHERE tenant_id = :tenant_id AND session_id = :session_id AND epoch = :epoch`

var (
	isActive = db.Scoped("sessions.is_active", `SELECT COUNT(*) FROM messages`+inEpoch+` AND sequence = :sequence AND active = 1`)
	// leaf is the newest message below one, itself included.
	leaf = db.Scoped("sessions.leaf", `WITH RECURSIVE below (sequence) AS (
			SELECT sequence FROM messages`+inEpoch+` AND sequence = :sequence
			UNION ALL SELECT m.sequence FROM below JOIN messages m ON m.tenant_id = :tenant_id AND m.session_id = :session_id AND m.epoch = :epoch AND m.parent = below.sequence)
		SELECT COALESCE(MAX(sequence), 0) FROM below`)
	// climb is the way from a message up to the first that is in the branch, which comes last, or to the start of the epoch.
	climb = db.Scoped("sessions.climb", `WITH RECURSIVE up (sequence, parent, active) AS (
			SELECT sequence, parent, active FROM messages`+inEpoch+` AND sequence = :sequence
			UNION ALL SELECT m.sequence, m.parent, m.active FROM up JOIN messages m ON m.tenant_id = :tenant_id AND m.session_id = :session_id AND m.sequence = up.parent
				WHERE up.active = 0 OR CAST(:whole AS BIGINT) = 1)
		SELECT sequence, active FROM up ORDER BY sequence DESC LIMIT :limit`)
	deactivate = db.Scoped("sessions.deactivate", `UPDATE messages SET active = 0`+inEpoch+` AND active = 1 AND sequence > :after`)
	activate   = db.Scoped("sessions.activate", `UPDATE messages SET active = 1`+inEpoch+` AND sequence = :sequence`)
	move       = db.Scoped("sessions.move", `UPDATE sessions SET head = :head, version = version + 1, `+latest+`
		WHERE tenant_id = :tenant_id AND id = :id AND status = 'active' RETURNING `+columns)
	// touch also takes the row's lock on Postgres, so that what follows sees the session as it is.
	touch = db.Scoped("sessions.touch", `UPDATE sessions SET version = version + 1`+theirs+` RETURNING `+columns)
)

type step struct {
	Sequence int64 `db:"sequence"`
	Active   bool  `db:"active"`
}

// Rewind takes the messages after a sequence out of the branch that is continued, so that the next one follows it; 0 goes back to the start of the epoch. Nothing is
// deleted. It refuses a sequence that is not in that branch.
func Rewind(ctx context.Context, q db.Querier, t db.Tenant, sessionID string, toSequence int64, now time.Time) (Session, error) {
	s, err := one(ctx, q, t, touch, db.Args{"id": sessionID, "owner": ""})
	if err != nil {
		return Session{}, err
	}
	if toSequence != 0 {
		var n int64
		if err := isActive.Get(ctx, q, t, &n, db.Args{"session_id": sessionID, "epoch": s.Epoch, "sequence": toSequence}); err != nil {
			return Session{}, err
		}
		if n == 0 {
			return Session{}, fault.New(fault.Conflict, "the message is not in the branch that is continued; select it first")
		}
	}
	if _, err := deactivate.Exec(ctx, q, t, db.Args{"session_id": sessionID, "epoch": s.Epoch, "after": toSequence}); err != nil {
		return Session{}, err
	}
	return one(ctx, q, t, move, db.Args{"id": sessionID, "head": toSequence, "now": db.At(now)})
}

// Select continues another branch: that of a message, down to the newest message below it. It refuses a message of an epoch that is over.
func Select(ctx context.Context, q db.Querier, t db.Tenant, owner, sessionID, messageID string, now time.Time) (Session, error) {
	s, err := one(ctx, q, t, touch, db.Args{"id": sessionID, "owner": owner})
	if err != nil {
		return Session{}, err
	}
	m, err := Find(ctx, q, t, owner, sessionID, messageID)
	if err != nil {
		return Session{}, err
	}
	if m.Epoch != s.Epoch {
		return Session{}, fault.New(fault.Conflict, "the message is from before a reset; undo the reset first, or fork the session there")
	}
	var end int64
	if err := leaf.Get(ctx, q, t, &end, db.Args{"session_id": sessionID, "epoch": s.Epoch, "sequence": m.Sequence}); err != nil {
		return Session{}, err
	}
	var way []step
	if err := climb.Select(ctx, q, t, &way, db.Args{"session_id": sessionID, "epoch": s.Epoch, "sequence": end, "whole": 0, "limit": end}); err != nil {
		return Session{}, err
	}
	from := int64(0)
	if n := len(way); n > 0 && way[n-1].Active {
		from, way = way[n-1].Sequence, way[:n-1]
	}
	if _, err := deactivate.Exec(ctx, q, t, db.Args{"session_id": sessionID, "epoch": s.Epoch, "after": from}); err != nil {
		return Session{}, err
	}
	for _, on := range way {
		if _, err := activate.Exec(ctx, q, t, db.Args{"session_id": sessionID, "epoch": s.Epoch, "sequence": on.Sequence}); err != nil {
			return Session{}, err
		}
	}
	return one(ctx, q, t, move, db.Args{"id": sessionID, "head": end, "now": db.At(now)})
}
