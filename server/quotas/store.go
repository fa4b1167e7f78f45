package quotas

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm/catalog"
)

var (
	open = db.Scoped("quotas.open", `INSERT INTO usage_periods (tenant_id, period, used_tokens, reserved_tokens, used_micros, reserved_micros, requests)
		VALUES (:tenant_id, :period, 0, 0, 0, 0, 0) ON CONFLICT (tenant_id, period) DO NOTHING`)
	// Changing nothing takes the row's lock on Postgres, so that two replicas cannot both read the same rest.
	lock = db.Scoped("quotas.lock", `UPDATE usage_periods SET requests = requests WHERE tenant_id = :tenant_id AND period = :period
		RETURNING used_tokens, reserved_tokens, used_micros, reserved_micros`)
	reserve = db.Scoped("quotas.reserve", `UPDATE usage_periods SET reserved_tokens = reserved_tokens + :tokens, reserved_micros = reserved_micros + :micros
		WHERE tenant_id = :tenant_id AND period = :period`)
	hold = db.Scoped("quotas.hold", `INSERT INTO reservations (tenant_id, id, period, tokens, micros, delivered_tokens, delivered_micros, run_id, created_at, expires_at)
		VALUES (:tenant_id, :id, :period, :tokens, :micros, 0, 0, :run_id, :now, :expires_at)`)
	widen   = db.Scoped("quotas.widen", `UPDATE reservations SET tokens = tokens + :tokens, micros = micros + :micros WHERE tenant_id = :tenant_id AND id = :id`)
	look    = db.Scoped("quotas.look", `UPDATE reservations SET tokens = tokens WHERE tenant_id = :tenant_id AND id = :id RETURNING tokens, micros`)
	shrink  = db.Scoped("quotas.shrink", `UPDATE reservations SET tokens = :tokens, micros = :micros, delivered_tokens = 0, delivered_micros = 0 WHERE tenant_id = :tenant_id AND id = :id`)
	release = db.Scoped("quotas.release", `DELETE FROM reservations WHERE tenant_id = :tenant_id AND id = :id RETURNING tokens, micros`)
	deliver = db.Scoped("quotas.deliver", `UPDATE reservations SET delivered_tokens = :delivered, delivered_micros = :micros, expires_at = :expires_at
		WHERE tenant_id = :tenant_id AND id = :id`)
	// A tenant that was deleted meanwhile has no totals any more; its ledger stays.
	total = db.Scoped("quotas.total", `INSERT INTO usage_periods (tenant_id, period, used_tokens, reserved_tokens, used_micros, reserved_micros, requests)
		SELECT :tenant_id, :period, CAST(:used AS BIGINT), 0, CAST(:used_micros AS BIGINT), 0, CAST(:requests AS BIGINT) FROM tenants WHERE id = :tenant_id
		ON CONFLICT (tenant_id, period) DO UPDATE SET used_tokens = usage_periods.used_tokens + :used, reserved_tokens = usage_periods.reserved_tokens - :released,
		used_micros = usage_periods.used_micros + :used_micros, reserved_micros = usage_periods.reserved_micros - :released_micros,
		requests = usage_periods.requests + :requests`)
	appendEntry = db.Scoped("quotas.append", `INSERT INTO usage_ledger (tenant_id, id, period, run_id, request_id, session_id, key_id, end_user, provider, model,
		input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micros, price_version, source, outcome, created_at)
		VALUES (:tenant_id, :id, :period, :run_id, :request_id, :session_id, :key_id, :end_user, :provider, :model,
		:input, :output, :cached, :cache_write, :reasoning, :micros, :price_version, :source, :outcome, :now) ON CONFLICT (tenant_id, request_id) DO NOTHING`)

	// The sweep gives back what dead servers held, of all tenants.
	dead = db.System("quotas.dead", `SELECT h.tenant_id, h.id, h.period, h.delivered_tokens, h.delivered_micros, COALESCE(h.run_id, '') AS run_id, COALESCE(r.session_id, '') AS session_id,
		COALESCE(r.key_id, '') AS key_id, COALESCE(r.end_user, '') AS end_user, COALESCE(r.provider, '') AS provider, COALESCE(r.model, '') AS model
		FROM reservations h LEFT JOIN runs r ON r.tenant_id = h.tenant_id AND r.id = h.run_id
		WHERE h.expires_at < :now OR :everything = 1 ORDER BY h.tenant_id, h.id LIMIT 500`)
)

// Reserve sets tokens and money aside for a call, or fails with quota_exceeded or price_unknown and sets nothing aside.
func Reserve(ctx context.Context, q db.Querier, b Budget, now time.Time) (Hold, error) {
	if !b.Priced {
		b.Price = catalog.Price{}
	}
	t := db.TenantOf(b.TenantID)
	h := Hold{ID: b.RequestID, TenantID: b.TenantID, Period: Period(now), Monthly: b.Monthly, MonthlyMicros: b.MonthlyMicros, Price: b.Price}
	m, err := h.month(ctx, q)
	if fault.Is(err, fault.NotFound) { // the tenant's first call of the month
		if _, err := open.Exec(ctx, q, t, db.Args{"period": h.Period}); err != nil {
			return Hold{}, err
		}
		m, err = h.month(ctx, q)
	}
	if err != nil {
		return Hold{}, err
	}
	if h.Output, err = b.take(m, now); err != nil {
		return Hold{}, err
	}
	needs := b.needs(h.Output)
	if err := h.reserve(ctx, q, needs); err != nil {
		return Hold{}, err
	}
	_, err = hold.Exec(ctx, q, t, db.Args{"id": h.ID, "period": h.Period, "tokens": needs.Tokens, "micros": needs.Micros, "run_id": db.OrNull(b.RunID), "now": db.At(now),
		"expires_at": db.At(now.Add(holdLife))})
	return h, err
}

// month locks the month's totals and reads them.
func (h Hold) month(ctx context.Context, q db.Querier) (m totals, err error) {
	err = lock.Get(ctx, q, db.TenantOf(h.TenantID), &m, db.Args{"period": h.Period})
	return m, err
}

// reserve adds to what the month has set aside.
func (h Hold) reserve(ctx context.Context, q db.Querier, a amount) error {
	_, err := reserve.Exec(ctx, q, db.TenantOf(h.TenantID), db.Args{"period": h.Period, "tokens": a.Tokens, "micros": a.Micros})
	return err
}

// widen adds to the hold and to the month, both of which the caller has locked in this order.
func (h Hold) widen(ctx context.Context, q db.Querier, a amount) error {
	if _, err := widen.Exec(ctx, q, db.TenantOf(h.TenantID), db.Args{"id": h.ID, "tokens": a.Tokens, "micros": a.Micros}); err != nil {
		return err
	}
	return h.reserve(ctx, q, a)
}

// Extend sets aside up to tokens more, with the money for them, for an answer that goes on, and returns how many it got: none when a budget is used up or the call is
// settled. It locks the hold before the month, as Settle does, so that the two never wait for each other.
func Extend(ctx context.Context, q db.Querier, h Hold, tokens int64) (int64, error) {
	if n, err := widen.Exec(ctx, q, db.TenantOf(h.TenantID), db.Args{"id": h.ID, "tokens": 0, "micros": 0}); err != nil || n == 0 {
		return 0, err
	}
	m, err := h.month(ctx, q)
	if err != nil {
		return 0, err
	}
	rest := m.left(h.Monthly, h.MonthlyMicros)
	tokens = min(tokens, rest.Tokens, affordable(h.Price, rest.Micros, tokens))
	if tokens < smallestAnswer {
		return 0, nil
	}
	return tokens, h.widen(ctx, q, amount{tokens, cost(h.Price, 0, tokens)})
}

// Again brings a hold to what a second answer of the same call needs, after Also has booked the first: it takes more of the month, or gives back what is too much.
// Where the budgets do not cover it, it fails as Reserve does and changes nothing; so it does when the hold was swept meanwhile.
func Again(ctx context.Context, q db.Querier, h Hold, b Budget, now time.Time) (Hold, error) {
	if !b.Priced {
		b.Price = catalog.Price{}
	}
	held, found, err := h.held(ctx, q)
	if err != nil {
		return h, err
	}
	if !found {
		return h, fault.New(fault.QuotaExceeded, "the reservation of this call was given back, for it took too long; send it again").WithRetryAfter(soon)
	}
	m, err := h.month(ctx, q)
	if err != nil {
		return h, err
	}
	m.Reserved, m.ReservedMicros = m.Reserved-held.Tokens, m.ReservedMicros-held.Micros
	output, err := b.take(m, now)
	if err != nil {
		return h, err
	}
	needs := b.needs(output)
	h.Monthly, h.MonthlyMicros, h.Price, h.Output = b.Monthly, b.MonthlyMicros, b.Price, output
	return h, h.widen(ctx, q, amount{needs.Tokens - held.Tokens, needs.Micros - held.Micros})
}

// held locks the hold and reads what it has; it is gone when the call is settled or swept.
func (h Hold) held(ctx context.Context, q db.Querier) (a amount, found bool, err error) {
	err = look.Get(ctx, q, db.TenantOf(h.TenantID), &a, db.Args{"id": h.ID})
	if fault.Is(err, fault.NotFound) {
		return amount{}, false, nil
	}
	return a, err == nil, err
}

// Delivered journals what a call has cost so far, in tokens and micro-dollars, so that a killed server's calls can be billed, and keeps the hold alive.
func Delivered(ctx context.Context, q db.Querier, h Hold, tokens, micros int64, now time.Time) error {
	_, err := deliver.Exec(ctx, q, db.TenantOf(h.TenantID), db.Args{"id": h.ID, "delivered": tokens, "micros": micros, "expires_at": db.At(now.Add(holdLife))})
	return err
}

// Settle writes the ledger's line, adds it to the month's totals and gives the hold back, all in the caller's transaction. What was really spent is booked, also where it
// is more than was held: the ledger tells the truth. A request is billed once: it reports false when that was done before.
func Settle(ctx context.Context, q db.Querier, h Hold, e Entry, now time.Time) (bool, error) {
	released, err := h.free(ctx, q)
	if err != nil {
		return false, err
	}
	booked, err := e.append(ctx, q, h.Period, now)
	if err != nil {
		return false, err
	}
	return booked, e.total(ctx, q, h.Period, booked, released)
}

// Also writes a further line of the ledger for a call that goes on: an answer that was thrown away. What it has used is taken out of the hold, whose journal starts
// again, so that a killed server's call is not billed for it twice. The caller gives the line a RequestID of its own; a second one with the same id changes nothing.
func Also(ctx context.Context, q db.Querier, h Hold, e Entry, now time.Time) error {
	held, found, err := h.held(ctx, q)
	if err != nil {
		return err
	}
	booked, err := e.append(ctx, q, h.Period, now)
	if err != nil || !booked {
		return err
	}
	var moved amount
	if found {
		moved = amount{min(held.Tokens, e.Usage.Total()), min(held.Micros, e.Micros)}
		if _, err := shrink.Exec(ctx, q, db.TenantOf(h.TenantID), db.Args{"id": h.ID, "tokens": held.Tokens - moved.Tokens, "micros": held.Micros - moved.Micros}); err != nil {
			return err
		}
	}
	return e.total(ctx, q, h.Period, true, moved)
}

// append writes the line; it reports false when the request has one already.
func (e Entry) append(ctx context.Context, q db.Querier, period string, now time.Time) (bool, error) {
	u := e.Usage
	n, err := appendEntry.Exec(ctx, q, db.TenantOf(e.TenantID), db.Args{"id": ids.New(ids.Usage), "period": period, "run_id": db.OrNull(e.RunID), "request_id": e.RequestID,
		"session_id": db.OrNull(e.SessionID), "key_id": e.KeyID, "end_user": db.OrNull(e.EndUser), "provider": e.Provider, "model": e.Model, "input": u.Input, "output": u.Output,
		"cached": u.Cached, "cache_write": u.CacheWrite, "reasoning": u.Reasoning, "micros": e.Micros, "price_version": e.PriceVersion, "source": string(e.Source),
		"outcome": e.Outcome, "now": db.At(now)})
	return n == 1, err
}

// total adds the line to the month's totals, if it was booked, and takes what was released off what is reserved.
func (e Entry) total(ctx context.Context, q db.Querier, period string, booked bool, released amount) error {
	args := db.Args{"period": period, "used": 0, "used_micros": 0, "requests": 0, "released": released.Tokens, "released_micros": released.Micros}
	if booked {
		args["used"], args["used_micros"], args["requests"] = e.Usage.Total(), e.Micros, 1
	}
	_, err := total.Exec(ctx, q, db.TenantOf(e.TenantID), args)
	return err
}

// free drops the hold and returns what it had: nothing when it is gone already.
func (h Hold) free(ctx context.Context, q db.Querier) (a amount, err error) {
	err = release.Get(ctx, q, db.TenantOf(h.TenantID), &a, db.Args{"id": h.ID})
	if fault.Is(err, fault.NotFound) {
		return amount{}, nil
	}
	return a, err
}

// GiveBack releases a hold of a call that cost nothing.
func GiveBack(ctx context.Context, q db.Querier, h Hold) error {
	a, err := h.free(ctx, q)
	if err != nil || a == (amount{}) {
		return err
	}
	return h.reserve(ctx, q, amount{-a.Tokens, -a.Micros})
}

// Dead is a hold whose server is gone, with what its run says of it.
type Dead struct {
	TenantID  string `db:"tenant_id"`
	ID        string `db:"id"`
	Period    string `db:"period"`
	Delivered int64  `db:"delivered_tokens"`
	Micros    int64  `db:"delivered_micros"`
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

// FromJournal stands in for the version of the price table where a dead server's journal is billed: the server that wrote the amount knew it.
const FromJournal = "journal"

// Bury releases a dead hold and bills what had been delivered, as counted: prompt and answer in one sum. One that somebody else has settled stays as it is.
// Where several servers sweep, each needs a transaction of its own, or they could wait for each other.
func Bury(ctx context.Context, q db.Querier, d Dead, now time.Time) error {
	h := Hold{ID: d.ID, TenantID: d.TenantID, Period: d.Period}
	if d.Delivered == 0 {
		return GiveBack(ctx, q, h)
	}
	e := Entry{TenantID: d.TenantID, RequestID: d.ID, RunID: d.RunID, SessionID: d.SessionID, KeyID: d.KeyID, EndUser: d.EndUser, Provider: d.Provider, Model: d.Model,
		Micros: d.Micros, Source: Counted, Outcome: "interrupted"}
	e.Usage.Output = d.Delivered
	if d.Micros > 0 {
		e.PriceVersion = FromJournal
	}
	_, err := Settle(ctx, q, h, e, now)
	return err
}
