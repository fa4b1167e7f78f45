// Package retention deletes sessions that nobody has used for as long as their tenant keeps them.
package retention

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/sessions"
)

const (
	day           = 24 * time.Hour
	batchSessions = 50    // that are looked at in one write
	batchMessages = 1_000 // that are deleted in one write, so that others' writes wait a moment only
)

// A pinned session is kept, and one whose run is under way.
const outdated = ` FROM sessions WHERE tenant_id = :tenant_id AND status = 'active' AND pinned = 0 AND updated_at < :before
	AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = :tenant_id AND r.session_id = sessions.id AND r.status = 'running')`

var (
	count = db.Scoped("retention.count", `SELECT COUNT(*) AS sessions, COALESCE(SUM(last_sequence), 0) AS messages`+outdated)
	// oldest goes along sessions_newest from its end.
	oldest = db.Scoped("retention.oldest", `SELECT updated_at FROM sessions WHERE tenant_id = :tenant_id AND status = 'active' AND pinned = 0 ORDER BY updated_at LIMIT 1`)
	pick   = db.Scoped("retention.pick", `SELECT id, last_sequence`+outdated+` ORDER BY updated_at LIMIT :limit`)
	// still decides again, under the row's lock: on Postgres a turn may have begun since it was picked.
	still = db.Scoped("retention.still", `UPDATE sessions SET version = version + 1 WHERE tenant_id = :tenant_id AND id IN (SELECT id`+outdated+` AND id = :id)`)
	// tenants skips from one tenant to the next.
	tenants = db.System("retention.tenants", `WITH RECURSIVE t (id) AS (SELECT MIN(tenant_id) FROM sessions
			UNION ALL SELECT (SELECT MIN(s.tenant_id) FROM sessions s WHERE s.tenant_id > t.id) FROM t WHERE t.id IS NOT NULL)
		SELECT id FROM t WHERE id IS NOT NULL`)
)

// Keeper deletes what is older than its tenant keeps.
type Keeper struct {
	DB *db.DB
	// Days is how many days a tenant keeps a session that nobody uses; 0 is for ever.
	Days func(ctx context.Context, tenantID string) (int, error)
	// Audit records each deletion in its transaction. Deleted is told of it afterwards, and may be nil.
	Audit   func(ctx context.Context, q db.Querier, tenantID, action, target string) error
	Deleted func(ctx context.Context, tenantID, sessionID string)
}

// Plan is what a run for one tenant would delete.
type Plan struct {
	Days     int
	Sessions int64
	Messages int64
	Oldest   db.Time // when the session was used that nobody has used for longest, pinned ones aside; zero without one
}

type total struct {
	Sessions int64 `db:"sessions"`
	Messages int64 `db:"messages"`
}

// Plan counts what a run would delete now.
func (k Keeper) Plan(ctx context.Context, tenantID string, now time.Time) (Plan, error) {
	days, err := k.Days(ctx, tenantID)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Days: days}
	t := db.TenantOf(tenantID)
	err = k.DB.Read(ctx, func(q db.Querier) error {
		var at []db.Time
		if err := oldest.Select(ctx, q, t, &at, nil); err != nil {
			return err
		}
		if len(at) > 0 {
			p.Oldest = at[0]
		}
		if days == 0 {
			return nil
		}
		var n total
		if err := count.Get(ctx, q, t, &n, db.Args{"before": limit(days, now)}); err != nil {
			return err
		}
		p.Sessions, p.Messages = n.Sessions, n.Messages
		return nil
	})
	return p, err
}

// Run deletes what is too old now, in small steps, and reports what it was.
func (k Keeper) Run(ctx context.Context, tenantID string, now time.Time) (Plan, error) {
	days, err := k.Days(ctx, tenantID)
	if err != nil || days == 0 {
		return Plan{Days: days}, err
	}
	p := Plan{Days: days}
	for {
		var gone []victim
		err := k.DB.Write(ctx, func(q db.Querier) (err error) {
			gone, err = k.step(ctx, q, tenantID, limit(days, now))
			return err
		})
		if err != nil || len(gone) == 0 {
			return p, err
		}
		for _, v := range gone {
			p.Sessions++
			p.Messages += v.Messages
			if k.Deleted != nil {
				k.Deleted(ctx, tenantID, v.ID)
			}
		}
	}
}

type victim struct {
	ID       string `db:"id"`
	Messages int64  `db:"last_sequence"`
}

func (k Keeper) step(ctx context.Context, q db.Querier, tenantID string, before db.Time) (gone []victim, err error) {
	t := db.TenantOf(tenantID)
	var picked []victim
	if err := pick.Select(ctx, q, t, &picked, db.Args{"before": before, "limit": batchSessions}); err != nil {
		return nil, err
	}
	messages := int64(0)
	for _, v := range picked {
		if messages += v.Messages; messages > batchMessages && len(gone) > 0 {
			break
		}
		n, err := still.Exec(ctx, q, t, db.Args{"before": before, "id": v.ID})
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		if err := sessions.Delete(ctx, q, t, "", v.ID); err != nil {
			return nil, err
		}
		if err := k.Audit(ctx, q, tenantID, "session.expire", v.ID); err != nil {
			return nil, err
		}
		gone = append(gone, v)
	}
	return gone, nil
}

// RunAll runs for every tenant. It also removes what a server left incomplete when it stopped.
func (k Keeper) RunAll(ctx context.Context) error {
	now := time.Now()
	err := k.DB.Write(ctx, func(q db.Querier) error {
		_, err := sessions.Sweep(ctx, q, now)
		return err
	})
	if err != nil {
		return err
	}
	var list []string
	if err := k.DB.Read(ctx, func(q db.Querier) error { return tenants.Select(ctx, q, &list, nil) }); err != nil {
		return err
	}
	for _, id := range list {
		if _, err := k.Run(ctx, id, now); err != nil {
			return err
		}
	}
	return nil
}

func limit(days int, now time.Time) db.Time { return db.At(now.Add(-time.Duration(days) * day)) }
