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
	hold    = db.Scoped("quotas.hold", `INSERT INTO reservations (tenant_id, id, period, tokens, delivered_tokens, run_id, created_at, expires_at)
		VALUES (:tenant_id, :id, :period, :tokens, 0, :run_id, :now, :expires_at)`)
	widen   = db.Scoped("quotas.widen", `UPDATE reservations SET tokens = tokens + :tokens WHERE tenant_id = :tenant_id AND id = :id`)
	release = db.Scoped("quotas.release", `DELETE FROM reservations WHERE tenant_id = :tenant_id AND id = :id RETURNING tokens`)
	deliver = db.Scoped("quotas.deliver", `UPDATE reservations SET delivered_tokens = :delivered, expires_at = :expires_at WHERE tenant_id = :tenant_id AND id = :id`)
	// A tenant that was deleted meanwhile has no totals any more; its ledger stays.
	total = db.Scoped("quotas.total", `INSERT INTO usage_periods (tenant_id, period, used_tokens, reserved_tokens, requests)
		SELECT :tenant_id, :period, CAST(:used AS BIGINT), 0, CAST(:requests AS BIGINT) FROM tenants WHERE id = :tenant_id
		ON CONFLICT (tenant_id, period) DO UPDATE SET used_tokens = usage_periods.used_tokens + :used,
		reserved_tokens = usage_periods.reserved_tokens - :released, requests = usage_periods.requests + :requests`)
	appendEntry = db.Scoped("quotas.append", `INSERT INTO usage_ledger (tenant_id, id, period, run_id, request_id, session_id, key_id, end_user, provider, model,
		input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, source, outcome, created_at)
		VALUES (:tenant_id, :id, :period, :run_id, :request_id, :session_id, :key_id, :end_user, :provider, :model,
		:input, :output, :cached, :cache_write, :reasoning, :source, :outcome, :now) ON CONFLICT (tenant_id, request_id) DO NOTHING`)
	month = db.Scoped("quotas.month", `SELECT used_tokens, reserved_tokens, requests FROM usage_periods WHERE tenant_id = :tenant_id AND period = :period`)
	sums  = db.Scoped("quotas.sums", `SELECT COALESCE(SUM(input_tokens), 0) AS input, COALESCE(SUM(output_tokens), 0) AS output, COUNT(*) AS requests
		FROM usage_ledger WHERE tenant_id = :tenant_id AND period = :period`)

	// The sweep gives back what dead servers held, of all tenants.
	dead = db.System("quotas.dead", `SELECT h.tenant_id, h.id, h.period, h.delivered_tokens, COALESCE(h.run_id, '') AS run_id, COALESCE(r.session_id, '') AS session_id,
		COALESCE(r.key_id, '') AS key_id, COALESCE(r.end_user, '') AS end_user, COALESCE(r.provider, '') AS provider, COALESCE(r.model, '') AS model
		FROM reservations h LEFT JOIN runs r ON r.tenant_id = h.tenant_id AND r.id = h.run_id
		WHERE h.expires_at < :now OR :everything = 1 ORDER BY h.tenant_id, h.id LIMIT 500`)
)

// Reserve sets tokens aside for a call, or fails with quota_exceeded and sets nothing aside.
func Reserve(ctx context.Context, q db.Querier, b Budget, now time.Time) (Hold, error) {
	t := db.TenantOf(b.TenantID)
	h := Hold{ID: b.RequestID, TenantID: b.TenantID, Period: Period(now), Monthly: b.Monthly}
	used, reserved, err := h.gone(ctx, q)
	if fault.Is(err, fault.NotFound) { // the tenant's first call of the month
		if _, err := open.Exec(ctx, q, t, db.Args{"period": h.Period}); err != nil {
			return Hold{}, err
		}
		used, reserved, err = h.gone(ctx, q)
	}
	if err != nil {
		return Hold{}, err
	}
	if h.Output, err = b.take(used, reserved, now); err != nil {
		return Hold{}, err
	}
	if _, err := reserve.Exec(ctx, q, t, db.Args{"period": h.Period, "tokens": b.Input + h.Output}); err != nil {
		return Hold{}, err
	}
	_, err = hold.Exec(ctx, q, t, db.Args{"id": h.ID, "period": h.Period, "tokens": b.Input + h.Output, "run_id": orNull(b.RunID), "now": db.At(now), "expires_at": db.At(now.Add(holdLife))})
	return h, err
}

// gone locks the month's totals and reads them.
func (h Hold) gone(ctx context.Context, q db.Querier) (used, reserved int64, err error) {
	var row struct {
		Used     int64 `db:"used_tokens"`
		Reserved int64 `db:"reserved_tokens"`
	}
	err = lock.Get(ctx, q, db.TenantOf(h.TenantID), &row, db.Args{"period": h.Period})
	return row.Used, row.Reserved, err
}

// Extend sets aside up to tokens more for an answer that goes on, and returns how many it got: none when the budget is used up or the call is settled.
// It locks the hold before the month, as Settle does, so that the two never wait for each other.
func Extend(ctx context.Context, q db.Querier, h Hold, tokens int64) (int64, error) {
	t := db.TenantOf(h.TenantID)
	if n, err := widen.Exec(ctx, q, t, db.Args{"id": h.ID, "tokens": 0}); err != nil || n == 0 {
		return 0, err
	}
	used, reserved, err := h.gone(ctx, q)
	if err != nil {
		return 0, err
	}
	if h.Monthly > 0 {
		tokens = min(tokens, h.Monthly-used-reserved)
	}
	if tokens < smallestAnswer {
		return 0, nil
	}
	if _, err := widen.Exec(ctx, q, t, db.Args{"id": h.ID, "tokens": tokens}); err != nil {
		return 0, err
	}
	_, err = reserve.Exec(ctx, q, t, db.Args{"period": h.Period, "tokens": tokens})
	return tokens, err
}

// Delivered journals what a call has cost so far, so that a killed server's calls can be billed, and keeps the hold alive.
func Delivered(ctx context.Context, q db.Querier, h Hold, tokens int64, now time.Time) error {
	_, err := deliver.Exec(ctx, q, db.TenantOf(h.TenantID), db.Args{"id": h.ID, "delivered": tokens, "expires_at": db.At(now.Add(holdLife))})
	return err
}

// Settle writes the ledger's line, adds it to the month's total and gives the hold back, all in the caller's transaction. A request is billed once:
// it reports false when that was done before.
func Settle(ctx context.Context, q db.Querier, h Hold, e Entry, now time.Time) (bool, error) {
	t, u := db.TenantOf(e.TenantID), e.Usage
	released, err := h.free(ctx, q)
	if err != nil {
		return false, err
	}
	n, err := appendEntry.Exec(ctx, q, t, db.Args{"id": ids.New(ids.Usage), "period": h.Period, "run_id": orNull(e.RunID), "request_id": e.RequestID, "session_id": orNull(e.SessionID),
		"key_id": e.KeyID, "end_user": orNull(e.EndUser), "provider": e.Provider, "model": e.Model, "input": u.Input, "output": u.Output, "cached": u.Cached,
		"cache_write": u.CacheWrite, "reasoning": u.Reasoning, "source": string(e.Source), "outcome": e.Outcome, "now": db.At(now)})
	if err != nil {
		return false, err
	}
	used := u.Total()
	if n == 0 {
		used = 0
	}
	_, err = total.Exec(ctx, q, t, db.Args{"period": h.Period, "used": used, "requests": n, "released": released})
	return n == 1, err
}

// free drops the hold and returns how many tokens it had: none when it is gone already.
func (h Hold) free(ctx context.Context, q db.Querier) (tokens int64, err error) {
	err = release.Get(ctx, q, db.TenantOf(h.TenantID), &tokens, db.Args{"id": h.ID})
	if fault.Is(err, fault.NotFound) {
		return 0, nil
	}
	return tokens, err
}

// GiveBack releases a hold of a call that cost nothing.
func GiveBack(ctx context.Context, q db.Querier, h Hold) error {
	tokens, err := h.free(ctx, q)
	if err != nil || tokens == 0 {
		return err
	}
	_, err = reserve.Exec(ctx, q, db.TenantOf(h.TenantID), db.Args{"period": h.Period, "tokens": -tokens})
	return err
}

// Dead is a hold whose server is gone, with what its run says of it.
type Dead struct {
	TenantID  string `db:"tenant_id"`
	ID        string `db:"id"`
	Period    string `db:"period"`
	Delivered int64  `db:"delivered_tokens"`
	RunID     string `db:"run_id"`
	SessionID string `db:"session_id"`
	KeyID     string `db:"key_id"`
	EndUser   string `db:"end_user"`
	Provider  string `db:"provider"`
	Model     string `db:"model"`
}

// Lost reads up to 500 holds of calls whose server is gone: those past their time, or any when this server is the only one and has just started.
func Lost(ctx context.Context, q db.Querier, everything bool, now time.Time) (rows []Dead, err error) {
	flag := 0
	if everything {
		flag = 1
	}
	err = dead.Select(ctx, q, &rows, db.Args{"now": db.At(now), "everything": flag})
	return rows, err
}

// Bury releases a dead hold and bills what had been delivered, as counted: prompt and answer in one sum. One that somebody else has settled stays as it is.
// Where several servers sweep, each needs a transaction of its own, or they could wait for each other.
func Bury(ctx context.Context, q db.Querier, d Dead, now time.Time) error {
	h := Hold{ID: d.ID, TenantID: d.TenantID, Period: d.Period}
	if d.Delivered == 0 {
		return GiveBack(ctx, q, h)
	}
	e := Entry{TenantID: d.TenantID, RequestID: d.ID, RunID: d.RunID, SessionID: d.SessionID, KeyID: d.KeyID, EndUser: d.EndUser, Provider: d.Provider, Model: d.Model,
		Source: Counted, Outcome: "interrupted"}
	e.Usage.Output = d.Delivered
	_, err := Settle(ctx, q, h, e, now)
	return err
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
