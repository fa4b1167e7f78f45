package replays

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

var (
	insert = db.Scoped("replays.insert", `INSERT INTO idempotency (tenant_id, scope, key, body_hash, state, status, headers, body, created_at, expires_at)
		VALUES (:tenant_id, :scope, :key, :body_hash, 'in_flight', 0, '{}', NULL, :now, :expires_at) ON CONFLICT (tenant_id, scope, key) DO NOTHING`)
	get = db.Scoped("replays.get", `SELECT body_hash, state, status, headers, body FROM idempotency WHERE tenant_id = :tenant_id AND scope = :scope AND key = :key`)
	set = db.Scoped("replays.set", `UPDATE idempotency SET state = :state, status = :status, headers = :headers, body = :body
		WHERE tenant_id = :tenant_id AND scope = :scope AND key = :key`)
	drop  = db.Scoped("replays.drop", `DELETE FROM idempotency WHERE tenant_id = :tenant_id AND scope = :scope AND key = :key`)
	stale = db.Scoped("replays.stale", `DELETE FROM idempotency WHERE tenant_id = :tenant_id AND scope = :scope AND key = :key
		AND (expires_at < :now OR (state = 'in_flight' AND created_at < :abandoned))`)
	dropOld = db.System("replays.prune", `DELETE FROM idempotency WHERE expires_at < :now`)
	dropAll = db.System("replays.drop_in_flight", `DELETE FROM idempotency WHERE state = 'in_flight'`)
)

type row struct {
	BodyHash string `db:"body_hash"`
	State    string `db:"state"`
	Status   int    `db:"status"`
	Headers  string `db:"headers"`
	Body     []byte `db:"body"`
}

// owner is whose record it is. The operator has no tenant, and its records are kept under a name that no tenant's id can have.
func owner(c api.Claim) db.Tenant {
	if c.TenantID == "" {
		return db.TenantOf("operator")
	}
	return db.TenantOf(c.TenantID)
}

func args(c api.Claim, more db.Args) db.Args {
	a := db.Args{"scope": c.Route, "key": digest(c.Key)}
	for k, v := range more {
		a[k] = v
	}
	return a
}

// claim inserts the record, or returns the one that is there.
func claim(ctx context.Context, q db.Querier, c api.Claim, now time.Time, ttl time.Duration) (*row, error) {
	n, err := insert.Exec(ctx, q, owner(c), args(c, db.Args{"body_hash": c.BodyHash, "now": db.At(now), "expires_at": db.At(now.Add(ttl))}))
	if err != nil || n == 1 {
		return nil, err
	}
	var r row
	if err := get.Get(ctx, q, owner(c), &r, args(c, nil)); err != nil {
		if fault.Is(err, fault.NotFound) { // given up between the two statements
			return nil, fault.New(fault.IdempotencyInFlight, "the first request with this Idempotency-Key has just failed; repeat this one").WithRetryAfter(time.Second)
		}
		return nil, err
	}
	return &r, nil
}

func forget(ctx context.Context, q db.Querier, c api.Claim, now time.Time) error {
	_, err := stale.Exec(ctx, q, owner(c), args(c, db.Args{"now": db.At(now), "abandoned": db.At(now.Add(-abandoned))}))
	return err
}

func finish(ctx context.Context, q db.Querier, c api.Claim, ans *api.Answer) error {
	body, err := seal(c.Key, ans.Body)
	if err != nil {
		return err
	}
	return store(ctx, q, c, db.Args{"state": answered, "status": ans.Status, "headers": api.MarshalHeader(ans.Header), "body": body})
}

func store(ctx context.Context, q db.Querier, c api.Claim, values db.Args) error {
	_, err := set.Exec(ctx, q, owner(c), args(c, values))
	return err
}

func giveUp(ctx context.Context, q db.Querier, c api.Claim) error {
	_, err := drop.Exec(ctx, q, owner(c), args(c, nil))
	return err
}

func prune(ctx context.Context, q db.Querier, now time.Time) error {
	_, err := dropOld.Exec(ctx, q, db.Args{"now": db.At(now)})
	return err
}

// Release frees the keys of requests that a stopped server never answered. Only a server that is alone on its database may call it.
func Release(ctx context.Context, q db.Querier) error {
	_, err := dropAll.Exec(ctx, q, nil)
	return err
}
