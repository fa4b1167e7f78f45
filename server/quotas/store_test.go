package quotas

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
)

var (
	newTenant  = db.System("test.tenant", `INSERT INTO tenants (id, name, tier, status, settings, version, created_at, updated_at) VALUES (:id, :name, 'starter', 'active', '{}', 1, 1, 1)`)
	newestLine = db.Scoped("test.newest_line", `SELECT cost_micros, price_version FROM usage_ledger WHERE tenant_id = :tenant_id ORDER BY id DESC LIMIT 1`)
	dropTenant = db.System("test.drop_tenant", `DELETE FROM tenants WHERE id = :id`)
	books      = db.Scoped("test.books", `SELECT p.period, p.used_tokens, p.reserved_tokens, p.used_micros, p.reserved_micros, p.requests,
		COALESCE((SELECT SUM(l.cost_micros) FROM usage_ledger l WHERE l.tenant_id = p.tenant_id AND l.period = p.period), 0) AS ledger_micros,
		COALESCE((SELECT SUM(r.micros) FROM reservations r WHERE r.tenant_id = p.tenant_id AND r.period = p.period), 0) AS held_micros,
		COALESCE((SELECT SUM(l.input_tokens + l.output_tokens) FROM usage_ledger l WHERE l.tenant_id = p.tenant_id AND l.period = p.period), 0) AS ledger,
		COALESCE((SELECT COUNT(*) FROM usage_ledger l WHERE l.tenant_id = p.tenant_id AND l.period = p.period), 0) AS lines,
		COALESCE((SELECT SUM(r.tokens) FROM reservations r WHERE r.tenant_id = p.tenant_id AND r.period = p.period), 0) AS held
		FROM usage_periods p WHERE p.tenant_id = :tenant_id ORDER BY p.period`)
)

type book struct {
	Period         string `db:"period"`
	Used           int64  `db:"used_tokens"`
	Reserved       int64  `db:"reserved_tokens"`
	UsedMicros     int64  `db:"used_micros"`
	ReservedMicros int64  `db:"reserved_micros"`
	Requests       int64  `db:"requests"`
	Ledger         int64  `db:"ledger"`
	LedgerMicros   int64  `db:"ledger_micros"`
	Lines          int64  `db:"lines"`
	Held           int64  `db:"held"`
	HeldMicros     int64  `db:"held_micros"`
}

// desk is a tenant's account under test.
type desk struct {
	t      *testing.T
	d      *db.DB
	tenant string
}

func newDesk(t *testing.T, d *db.DB) desk {
	t.Helper()
	k := desk{t, d, ids.New(ids.Tenant)}
	k.write(func(ctx context.Context, q db.Querier) error {
		_, err := newTenant.Exec(ctx, q, db.Args{"id": k.tenant, "name": k.tenant})
		return err
	})
	return k
}

func (k desk) write(fn func(context.Context, db.Querier) error) {
	k.t.Helper()
	if err := k.d.Write(k.t.Context(), func(q db.Querier) error { return fn(k.t.Context(), q) }); err != nil {
		k.t.Fatal(err)
	}
}

func (k desk) read() (rows []book) {
	k.t.Helper()
	err := k.d.Read(k.t.Context(), func(q db.Querier) error { return books.Select(k.t.Context(), q, db.TenantOf(k.tenant), &rows, nil) })
	if err != nil {
		k.t.Fatal(err)
	}
	return rows
}

// TestBooks: whatever is done to calls, in whatever order and how often, the month's totals are the sums of the ledger and of the holds, in tokens and in money, each
// request is billed once at most, and both budgets hold.
func TestBooks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		random := rand.New(rand.NewPCG(9, 10))
		k := newDesk(t, d)
		const monthly, micros = 20_000, 90_000
		now := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
		var calls []*held
		for i := range 600 {
			if len(calls) == 0 || random.IntN(3) == 0 {
				b := Budget{TenantID: k.tenant, RequestID: fmt.Sprint("req_", i), Monthly: monthly, MonthlyMicros: micros, Priced: true, Input: random.Int64N(100),
					Output: 1 + random.Int64N(1000), Exact: random.IntN(2) == 0,
					Price: catalog.Price{Input: random.Int64N(5_000_000), Output: random.Int64N(9_000_000), CacheWrite: random.Int64N(6_000_000)}}
				err := d.Write(t.Context(), func(q db.Querier) error {
					h, err := Reserve(t.Context(), q, b, now)
					if err == nil {
						calls = append(calls, &held{h, b, b.needs(h.Output)})
					}
					return err
				})
				if err != nil && !fault.Is(err, fault.QuotaExceeded) {
					t.Fatal(err)
				}
			} else {
				c := calls[random.IntN(len(calls))]
				k.write(func(ctx context.Context, q db.Querier) error { return k.touch(ctx, q, random, c, calls, now) })
			}
			k.check(monthly, micros)
		}
		if rows := k.read(); rows[0].Requests < 20 || rows[0].UsedMicros < micros/2 {
			t.Errorf("the test did little: %+v", rows)
		}
	})
}

// held is a call with what it was granted and has not used.
type held struct {
	Hold
	budget Budget
	has    amount
}

// part is a random part of an amount, with the tokens as an entry has them.
func part(random *rand.Rand, a amount) (amount, llm.Usage) {
	p := amount{random.Int64N(a.Tokens + 1), random.Int64N(a.Micros + 1)}
	return p, llm.Usage{Input: p.Tokens / 2, Output: p.Tokens - p.Tokens/2}
}

// touch does one of the things that can happen to a call, perhaps after it is settled. One that was given back has cost nothing and is not settled.
func (k desk) touch(ctx context.Context, q db.Querier, random *rand.Rand, c *held, calls []*held, now time.Time) error {
	spent, usage := part(random, c.has)
	e := Entry{TenantID: k.tenant, RequestID: c.ID, Provider: "lab", Model: "lab/m", Usage: usage, Micros: spent.Micros, PriceVersion: "v1", Source: Counted, Outcome: "completed"}
	gone := c.has == amount{}
	switch random.IntN(7) {
	case 0:
		n, err := Extend(ctx, q, c.Hold, 1+random.Int64N(2000))
		if n > 0 {
			c.has.Tokens, c.has.Micros = c.has.Tokens+n, c.has.Micros+cost(c.Price, 0, n)
		}
		return err
	case 1:
		return Delivered(ctx, q, c.Hold, spent.Tokens, spent.Micros, now)
	case 2:
		c.has = amount{}
		return GiveBack(ctx, q, c.Hold)
	case 3:
		lost, err := Lost(ctx, q, true, now)
		if err != nil || len(lost) == 0 {
			return err
		}
		one := lost[random.IntN(len(lost))]
		for _, other := range calls {
			if other.ID == one.ID {
				other.has = amount{}
			}
		}
		return Bury(ctx, q, one, now)
	case 4:
		if gone {
			return nil
		}
		e.RequestID += fmt.Sprint("/", random.IntN(3)) // now and then one that is booked already
		before, _, err := c.held(ctx, q)
		if err == nil {
			err = Also(ctx, q, c.Hold, e, now)
		}
		after, _, heldErr := c.held(ctx, q)
		if after != before && after != (amount{before.Tokens - spent.Tokens, before.Micros - spent.Micros}) {
			k.t.Errorf("of %+v, %+v was left after %+v", before, after, spent)
		}
		c.has = after
		return errors.Join(err, heldErr)
	case 5:
		h, err := Again(ctx, q, c.Hold, c.budget, now)
		if err == nil {
			c.Hold, c.has = h, c.budget.needs(h.Output)
		}
		if fault.Is(err, fault.QuotaExceeded) {
			err = nil
		}
		return err
	}
	if gone {
		return nil
	}
	_, err := Settle(ctx, q, c.Hold, e, now)
	c.has = amount{}
	return err
}

func (k desk) check(monthly, micros int64) {
	k.t.Helper()
	for _, b := range k.read() {
		if b.Used != b.Ledger || b.Requests != b.Lines || b.Reserved != b.Held || b.UsedMicros != b.LedgerMicros || b.ReservedMicros != b.HeldMicros {
			k.t.Fatalf("the books are wrong: %+v", b)
		}
		if b.Used+b.Reserved > monthly || b.UsedMicros+b.ReservedMicros > micros {
			k.t.Fatalf("the budgets of %d tokens and %d micro-dollars do not hold: %+v", monthly, micros, b)
		}
	}
}

// TestMoneyRace: of many calls at once as many are served as the money pays for, and not a micro-dollar more is ever used and set aside.
func TestMoneyRace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		now := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
		price := catalog.Price{Input: 1_000_000, Output: 7_000_000}
		const callers, rounds, input, output, each = 64, 8, 3, 10, 3 + 7*10 // micro-dollars
		const micros, fit = 100*each + each - 1, 100                        // all but one micro-dollar of one more
		done, watched := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(watched)
			for {
				for _, b := range k.read() {
					if b.UsedMicros+b.ReservedMicros > micros || b.UsedMicros != b.LedgerMicros || b.ReservedMicros != b.HeldMicros {
						t.Errorf("the budget of %d does not hold: %+v", micros, b)
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		}()
		var served, refused atomic.Int64
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				for j := range rounds {
					b := Budget{TenantID: k.tenant, RequestID: fmt.Sprint("req_", i, "_", j), MonthlyMicros: micros, Price: price, Priced: true, Input: input, Output: output, Exact: true}
					var h Hold
					err := d.Write(t.Context(), func(q db.Querier) (err error) {
						h, err = Reserve(t.Context(), q, b, now)
						return err
					})
					if fault.Is(err, fault.QuotaExceeded) {
						refused.Add(1)
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					u := llm.Usage{Input: input, Output: output}
					k.write(func(ctx context.Context, q db.Querier) error {
						e := Entry{TenantID: k.tenant, RequestID: h.ID, Provider: "lab", Model: "lab/m", Usage: u, Micros: price.Cost(u), PriceVersion: "v1", Source: FromProvider, Outcome: "completed"}
						_, err := Settle(ctx, q, h, e, now)
						return err
					})
					served.Add(1)
				}
			})
		}
		all.Wait()
		close(done)
		<-watched
		if b := k.read()[0]; b.UsedMicros != fit*each || b.ReservedMicros != 0 || served.Load() != fit || refused.Load() != callers*rounds-fit {
			t.Errorf("%d served, %d refused: %+v", served.Load(), refused.Load(), b)
		}
	})
}

// TestMoreThanHeld: a call that cost more than was held for it, in thoughts that nobody could see coming, is booked whole, and the month is then overdrawn and closed.
func TestMoreThanHeld(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		now := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
		b := Budget{TenantID: k.tenant, RequestID: "req_1", MonthlyMicros: 1000, Price: catalog.Price{Output: 1_000_000}, Priced: true, Output: 900, Exact: true}
		k.write(func(ctx context.Context, q db.Querier) error {
			h, err := Reserve(ctx, q, b, now)
			if err != nil {
				return err
			}
			e := Entry{TenantID: k.tenant, RequestID: "req_1", Provider: "lab", Model: "lab/m", Usage: llm.Usage{Output: 5000, Reasoning: 4500}, Micros: 5000, PriceVersion: "v1",
				Source: FromProvider, Outcome: "completed"}
			_, err = Settle(ctx, q, h, e, now)
			return err
		})
		if b := k.read()[0]; b.UsedMicros != 5000 || b.ReservedMicros != 0 || b.Used != 5000 {
			t.Errorf("%+v", b)
		}
		b.RequestID, b.Output = "req_2", 1
		err := d.Write(t.Context(), func(q db.Querier) error {
			_, err := Reserve(t.Context(), q, b, now)
			return err
		})
		if f := fault.From(err); f == nil || f.Code != fault.QuotaExceeded || f.RetryAfter < time.Hour {
			t.Errorf("after the month was overdrawn: %v", err)
		}
	})
}

// book settles a call of 15 tokens that held nothing.
func (k desk) book(id, model string, micros int64, version string) {
	k.t.Helper()
	k.write(func(ctx context.Context, q db.Querier) error {
		e := Entry{TenantID: k.tenant, RequestID: id, Provider: "lab", Model: model, Usage: llm.Usage{Input: 10, Output: 5}, Micros: micros, PriceVersion: version, Source: Counted, Outcome: "completed"}
		_, err := Settle(ctx, q, Hold{ID: id, TenantID: k.tenant, Period: "2026-03"}, e, march)
		return err
	})
}

var march = time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)

// TestReading: what is read of a month is what the ledger says, by model and by tenant, also of a tenant that is deleted.
func TestReading(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		one, two := newDesk(t, d), newDesk(t, d)
		one.book("req_1", "lab/cheap", 7, "v1")
		one.book("req_2", "lab/dear", 300, "v1")
		one.book("req_3", "lab/dear", 200, "v2")
		one.book("req_4", "lab/odd", 0, "")
		two.book("req_1", "lab/dear", 11, "v1")
		err := d.Read(t.Context(), func(q db.Querier) error {
			ctx, in := t.Context(), db.TenantOf(one.tenant)
			u, err := Month(ctx, q, in, "2026-03")
			models, modelsErr := Models(ctx, q, in, "2026-03", 2)
			none, reserved, noneErr := Left(ctx, q, in, "1999-01")
			if want := (Usage{Period: "2026-03", Used: 60, UsedMicros: 507, Requests: 4, Unpriced: 1, Input: 40, Output: 20}); u != want || none != 0 || reserved != 0 {
				t.Errorf("%+v, want %+v; %d and %d of another month", u, want, none, reserved)
			}
			if len(models) != 2 || models[0] != (ModelUsage{"lab/dear", 2, 20, 10, 500, 0}) || models[1] != (ModelUsage{"lab/cheap", 1, 10, 5, 7, 0}) {
				t.Errorf("%+v", models)
			}
			return errors.Join(err, modelsErr, noneErr)
		})
		if err != nil {
			t.Fatal(err)
		}
		one.write(func(ctx context.Context, q db.Querier) error {
			_, err := dropTenant.Exec(ctx, q, db.Args{"id": one.tenant})
			return err
		})
		err = d.Read(t.Context(), func(q db.Querier) error {
			first, err := Tenants(t.Context(), q, "2026-03", "", 1)
			rest, restErr := Tenants(t.Context(), q, "2026-03", two.tenant, 5)
			if want := (TenantUsage{two.tenant, two.tenant, 1, 10, 5, 11, 0}); len(first) != 1 || first[0] != want {
				t.Errorf("%+v, want %+v", first, want)
			}
			if want := (TenantUsage{one.tenant, "", 4, 40, 20, 507, 1}); len(rest) != 1 || rest[0] != want {
				t.Errorf("%+v, want %+v", rest, want)
			}
			return errors.Join(err, restErr)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestJournal: a killed server's call is billed at what it had journalled last, without the answer that was booked already.
func TestJournal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		const enough = 30 + 50 // for the two answers, as long as what the call holds itself is not counted twice
		b := Budget{TenantID: k.tenant, RequestID: "req_1", MonthlyMicros: enough, Price: catalog.Price{Output: 1_000_000}, Priced: true, Output: 50}
		expect := func(step string, used, reserved, line int64, version string) {
			t.Helper()
			err := d.Read(t.Context(), func(q db.Querier) error {
				gone, held, err := Left(t.Context(), q, db.TenantOf(k.tenant), "2026-03")
				var last struct {
					Micros  int64  `db:"cost_micros"`
					Version string `db:"price_version"`
				}
				lastErr := newestLine.Get(t.Context(), q, db.TenantOf(k.tenant), &last, nil)
				if gone != used || held != reserved || last.Micros != line || last.Version != version {
					t.Errorf("%s: %d used, %d reserved, the last line %+v", step, gone, held, last)
				}
				return errors.Join(err, lastErr)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		var h Hold
		k.write(func(ctx context.Context, q db.Querier) (err error) {
			if h, err = Reserve(ctx, q, b, march); err == nil {
				err = Delivered(ctx, q, h, 20, 20, march)
			}
			return err
		})
		weak := Entry{TenantID: k.tenant, RequestID: "req_1/weak", Provider: "lab", Model: "lab/w", Usage: llm.Usage{Output: 30}, Micros: 30, PriceVersion: "v1", Source: Counted, Outcome: "completed"}
		k.write(func(ctx context.Context, q db.Querier) error { return Also(ctx, q, h, weak, march) })
		expect("after the weak answer", 30, 20, 30, "v1")
		k.write(func(ctx context.Context, q db.Querier) error {
			lost, err := Lost(ctx, q, true, march)
			if err != nil || len(lost) != 1 || lost[0].Delivered != 0 || lost[0].Micros != 0 {
				t.Errorf("what is booked is still in the journal: %+v, %v", lost, err)
			}
			return nil
		})
		k.write(func(ctx context.Context, q db.Querier) (err error) {
			if h, err = Again(ctx, q, h, b, march); err == nil {
				err = Delivered(ctx, q, h, 9, 9, march)
			}
			return err
		})
		expect("during the second", 30, 50, 30, "v1")
		k.write(func(ctx context.Context, q db.Querier) error {
			lost, err := Lost(ctx, q, true, march)
			if err != nil || len(lost) != 1 {
				t.Fatalf("%+v, %v", lost, err)
			}
			return Bury(ctx, q, lost[0], march)
		})
		expect("after the sweep", 39, 0, 9, FromJournal)
	})
}

// TestMonthEnd: a call that runs over the end of the month is billed to the month in which it was admitted, and neither month grants it twice.
func TestMonthEnd(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		before := time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC)
		after := before.Add(2 * time.Second)
		b := Budget{TenantID: k.tenant, RequestID: "req_1", Monthly: 1000, Input: 100, Output: 900, Exact: true}
		var h Hold
		k.write(func(ctx context.Context, q db.Querier) (err error) {
			h, err = Reserve(ctx, q, b, before)
			return err
		})
		b.RequestID = "req_2"
		k.write(func(ctx context.Context, q db.Querier) error {
			_, err := Reserve(ctx, q, b, after) // the new month is whole
			return err
		})
		k.write(func(ctx context.Context, q db.Querier) error {
			e := Entry{TenantID: k.tenant, RequestID: "req_1", Provider: "lab", Model: "lab/m", Usage: llm.Usage{Input: 100, Output: 200}, Source: FromProvider, Outcome: "completed"}
			booked, err := Settle(ctx, q, h, e, after)
			if again, againErr := Settle(ctx, q, h, e, after); !booked || again || err != nil || againErr != nil {
				t.Errorf("settled %v, again %v, %v, %v", booked, again, err, againErr)
			}
			return err
		})
		rows := k.read()
		if len(rows) != 2 || rows[0].Period != "2028-02" || rows[0].Used != 300 || rows[0].Reserved != 0 || rows[1].Period != "2028-03" || rows[1].Used != 0 || rows[1].Reserved != 1000 {
			t.Errorf("%+v", rows)
		}
	})
}
