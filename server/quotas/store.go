package quotas

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
)

var (
	open = db.Scoped("quotas.open", `INSERT INTO usage_periods (tenant_id, period, used_tokens, reserved_tokens, requests)
		VALUES (:tenant_id, :period, 0, 0, 0) ON CONFLICT (tenant_id, period) DO NOTHING`)
	// Changing nothing takes the row's lock on Postgres, so that two replicas cannot both read the same rest.
	lock = db.Scoped("quotas.lock", `UPDATE usage_periods SET requests = requests WHERE tenant_id = :tenant_id AND period = :period
		RETURNING used_tokens, reserved_tokens`)
	reserve = db.Scoped("quotas.reserve", `UPDATE usage_periods SET reserved_tokens = reserved_tokens + :tokens WHERE tenant_id = :tenant_id AND period = :period`)
	settle  = db.Scoped("quotas.settle", `INSERT INTO usage_periods (tenant_id, period, used_tokens, reserved_tokens, requests)
		VALUES (:tenant_id, :period, :used, 0, 1)
		ON CONFLICT (tenant_id, period) DO UPDATE SET used_tokens = usage_periods.used_tokens + :used,
		reserved_tokens = usage_periods.reserved_tokens - :released, requests = usage_periods.requests + 1`)
	giveBack = db.Scoped("quotas.give_back", `UPDATE usage_periods SET reserved_tokens = reserved_tokens - :tokens WHERE tenant_id = :tenant_id AND period = :period`)
	hold     = db.Scoped("quotas.hold", `INSERT INTO reservations (tenant_id, id, period, tokens, delivered_tokens, run_id, created_at, expires_at)
		VALUES (:tenant_id, :id, :period, :tokens, 0, :run_id, :now, :expires_at)`)
	release     = db.Scoped("quotas.release", `DELETE FROM reservations WHERE tenant_id = :tenant_id AND id = :id`)
	extend      = db.Scoped("quotas.extend", `UPDATE reservations SET delivered_tokens = :delivered, expires_at = :expires_at WHERE tenant_id = :tenant_id AND id = :id`)
	appendEntry = db.Scoped("quotas.append", `INSERT INTO usage_ledger (tenant_id, id, period, run_id, request_id, session_id, key_id, end_user, provider, model,
		input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, source, outcome, created_at)
		VALUES (:tenant_id, :id, :period, :run_id, :request_id, :session_id, :key_id, :end_user, :provider, :model,
		:input, :output, :cached, :cache_write, :reasoning, :source, :outcome, :now)`)
	month = db.Scoped("quotas.month", `SELECT used_tokens, reserved_tokens, requests FROM usage_periods WHERE tenant_id = :tenant_id AND period = :period`)
	sums  = db.Scoped("quotas.sums", `SELECT COALESCE(SUM(input_tokens), 0) AS input, COALESCE(SUM(output_tokens), 0) AS output, COUNT(*) AS requests
		FROM usage_ledger WHERE tenant_id = :tenant_id AND period = :period`)

	// The sweep gives back what dead servers held, of all tenants.
	dead = db.System("quotas.dead", `SELECT tenant_id, id, period, tokens, delivered_tokens, COALESCE(run_id, '') AS run_id FROM reservations WHERE expires_at < :now OR :all = 1 LIMIT 500`)
)

// Reserve sets tokens aside for a call, or fails with quota_exceeded and sets nothing aside. A tenant without a limit gets the zero Hold and no write.
func Reserve(ctx context.Context, q db.Querier, b Budget, runID string, now time.Time) (Hold, error) {
	if b.Monthly == 0 {
		return Hold{}, nil
	}
	t, period := db.TenantOf(b.TenantID), Period(now)
	if _, err := open.Exec(ctx, q, t, db.Args{"period": period}); err != nil {
		return Hold{}, err
	}
	var gone struct {
		Used     int64 `db:"used_tokens"`
		Reserved int64 `db:"reserved_tokens"`
	}
	if err := lock.Get(ctx, q, t, &gone, db.Args{"period": period}); err != nil {
		return Hold{}, err
	}
	output, err := b.take(gone.Used, gone.Reserved)
	if err != nil {
		return Hold{}, err
	}
	h := Hold{ID: ids.New(ids.Hold), TenantID: b.TenantID, Period: period, Tokens: b.Input + output, Output: output}
	if _, err := reserve.Exec(ctx, q, t, db.Args{"period": period, "tokens": h.Tokens}); err != nil {
		return Hold{}, err
	}
	_, err = hold.Exec(ctx, q, t, db.Args{"id": h.ID, "period": period, "tokens": h.Tokens, "run_id": orNull(runID), "now": db.At(now), "expires_at": db.At(now.Add(holdLife))})
	return h, err
}

// Delivered journals what an answer has had so far, so that a killed server's calls can be billed, and keeps the hold alive.
func Delivered(ctx context.Context, q db.Querier, h Hold, tokens int64, now time.Time) error {
	if h.ID == "" {
		return nil
	}
	_, err := extend.Exec(ctx, q, db.TenantOf(h.TenantID), db.Args{"id": h.ID, "delivered": tokens, "expires_at": db.At(now.Add(holdLife))})
	return err
}

// Settle writes the ledger's line, adds it to the month's total and gives the hold back, all in the caller's transaction. A request is settled once:
// a second time fails with conflict and changes nothing.
func Settle(ctx context.Context, q db.Querier, h Hold, e Entry, now time.Time) error {
	t, period := db.TenantOf(e.TenantID), Period(now)
	if h.ID != "" {
		period = h.Period
		n, err := release.Exec(ctx, q, t, db.Args{"id": h.ID})
		if err != nil {
			return err
		}
		if n == 0 { // the sweep was faster and has billed it
			return fault.New(fault.Conflict, "the call was settled already")
		}
	}
	u := e.Usage
	_, err := appendEntry.Exec(ctx, q, t, db.Args{"id": ids.New(ids.Usage), "period": period, "run_id": orNull(e.RunID), "request_id": e.RequestID, "session_id": orNull(e.SessionID),
		"key_id": e.KeyID, "end_user": orNull(e.EndUser), "provider": e.Provider, "model": e.Model, "input": u.Input, "output": u.Output, "cached": u.Cached,
		"cache_write": u.CacheWrite, "reasoning": u.Reasoning, "source": string(e.Source), "outcome": e.Outcome, "now": db.At(now)})
	if err != nil {
		return err
	}
	_, err = settle.Exec(ctx, q, t, db.Args{"period": period, "used": u.Total(), "released": h.Tokens})
	return err
}

// GiveBack releases a hold of a call that was never made.
func GiveBack(ctx context.Context, q db.Querier, h Hold) error {
	if h.ID == "" {
		return nil
	}
	t := db.TenantOf(h.TenantID)
	n, err := release.Exec(ctx, q, t, db.Args{"id": h.ID})
	if err != nil || n == 0 {
		return err
	}
	_, err = giveBack.Exec(ctx, q, t, db.Args{"period": h.Period, "tokens": h.Tokens})
	return err
}

// Sweep bills and releases the holds of calls whose server is gone: those past their time, or all of them when this server is the only one and has just started.
// What had been delivered is billed as counted; it returns how many holds there were.
func Sweep(ctx context.Context, q db.Querier, all bool, now time.Time) (int, error) {
	flag := 0
	if all {
		flag = 1
	}
	var rows []struct {
		TenantID  string `db:"tenant_id"`
		ID        string `db:"id"`
		Period    string `db:"period"`
		Tokens    int64  `db:"tokens"`
		Delivered int64  `db:"delivered_tokens"`
		RunID     string `db:"run_id"`
	}
	if err := dead.Select(ctx, q, &rows, db.Args{"now": db.At(now), "all": flag}); err != nil {
		return 0, err
	}
	for _, r := range rows {
		h := Hold{ID: r.ID, TenantID: r.TenantID, Period: r.Period, Tokens: r.Tokens}
		if r.Delivered == 0 {
			if err := GiveBack(ctx, q, h); err != nil {
				return 0, err
			}
			continue
		}
		e := Entry{TenantID: r.TenantID, RequestID: r.ID, RunID: r.RunID, Source: Counted, Outcome: "interrupted"}
		e.Usage.Output = r.Delivered
		if err := Settle(ctx, q, h, e, now); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// Month reads a tenant's usage of a period.
func Month(ctx context.Context, q db.Querier, t db.Tenant, period string) (Usage, error) {
	u := Usage{Period: period}
	var m struct {
		Used     int64 `db:"used_tokens"`
		Reserved int64 `db:"reserved_tokens"`
		Requests int64 `db:"requests"`
	}
	err := month.Get(ctx, q, t, &m, db.Args{"period": period})
	if fault.Is(err, fault.NotFound) {
		return u, nil
	}
	if err != nil {
		return u, err
	}
	var s struct {
		Input    int64 `db:"input"`
		Output   int64 `db:"output"`
		Requests int64 `db:"requests"`
	}
	if err := sums.Get(ctx, q, t, &s, db.Args{"period": period}); err != nil {
		return u, err
	}
	u.Used, u.Reserved, u.Requests, u.Input, u.Output = m.Used, m.Reserved, m.Requests, s.Input, s.Output
	return u, nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
