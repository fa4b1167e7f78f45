package quotas

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
)

var (
	newTenant = db.System("test.tenant", `INSERT INTO tenants (id, name, tier, status, settings, version, created_at, updated_at) VALUES (:id, :name, 'starter', 'active', '{}', 1, 1, 1)`)
	books     = db.Scoped("test.books", `SELECT p.period, p.used_tokens, p.reserved_tokens, p.requests,
		COALESCE((SELECT SUM(l.input_tokens + l.output_tokens) FROM usage_ledger l WHERE l.tenant_id = p.tenant_id AND l.period = p.period), 0) AS ledger,
		COALESCE((SELECT COUNT(*) FROM usage_ledger l WHERE l.tenant_id = p.tenant_id AND l.period = p.period), 0) AS lines,
		COALESCE((SELECT SUM(r.tokens) FROM reservations r WHERE r.tenant_id = p.tenant_id AND r.period = p.period), 0) AS held
		FROM usage_periods p WHERE p.tenant_id = :tenant_id ORDER BY p.period`)
)

type book struct {
	Period   string `db:"period"`
	Used     int64  `db:"used_tokens"`
	Reserved int64  `db:"reserved_tokens"`
	Requests int64  `db:"requests"`
	Ledger   int64  `db:"ledger"`
	Lines    int64  `db:"lines"`
	Held     int64  `db:"held"`
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

// TestBooks: whatever is done to calls, in whatever order and how often, the month's totals are the sums of the ledger and of the holds, each request is billed once at
// most, and the budget holds.
func TestBooks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		random := rand.New(rand.NewPCG(9, 10))
		k := newDesk(t, d)
		const monthly = 20_000
		now := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
		var holds []Hold
		granted := map[string]int64{}
		for i := range 600 {
			if len(holds) == 0 || random.IntN(3) == 0 {
				b := Budget{TenantID: k.tenant, RequestID: fmt.Sprint("req_", i), Monthly: monthly, Input: random.Int64N(100), Output: 1 + random.Int64N(1000), Exact: random.IntN(2) == 0}
				err := d.Write(t.Context(), func(q db.Querier) error {
					h, err := Reserve(t.Context(), q, b, now)
					if err == nil {
						holds = append(holds, h)
						granted[h.ID] = b.Input + h.Output
					}
					return err
				})
				if err != nil && !fault.Is(err, fault.QuotaExceeded) {
					t.Fatal(err)
				}
				continue
			}
			h := holds[random.IntN(len(holds))]
			k.write(func(ctx context.Context, q db.Querier) error { return k.touch(ctx, q, random, h, granted, now) })
			if i%20 == 0 {
				k.check(monthly)
			}
		}
		k.check(monthly)
		if rows := k.read(); rows[0].Requests < 20 {
			t.Errorf("the test did little: %+v", rows)
		}
	})
}

// touch does one of the things that can happen to a call, perhaps after it is settled. One that was given back has cost nothing and is not settled.
func (k desk) touch(ctx context.Context, q db.Querier, random *rand.Rand, h Hold, granted map[string]int64, now time.Time) error {
	switch random.IntN(5) {
	case 0:
		n, err := Extend(ctx, q, h, 1+random.Int64N(2000))
		granted[h.ID] += n
		return err
	case 1:
		return Delivered(ctx, q, h, random.Int64N(granted[h.ID]+1), now)
	case 2:
		granted[h.ID] = 0
		return GiveBack(ctx, q, h)
	case 3:
		lost, err := Lost(ctx, q, true, now)
		if err != nil || len(lost) == 0 {
			return err
		}
		one := lost[random.IntN(len(lost))]
		granted[one.ID] = 0
		return Bury(ctx, q, one, now)
	}
	if granted[h.ID] == 0 {
		return nil
	}
	used := random.Int64N(granted[h.ID] + 1)
	_, err := Settle(ctx, q, h, Entry{TenantID: k.tenant, RequestID: h.ID, Provider: "lab", Model: "lab/m", Usage: llm.Usage{Input: used / 2, Output: used - used/2}, Source: Counted, Outcome: "completed"}, now)
	return err
}

func (k desk) check(monthly int64) {
	k.t.Helper()
	for _, b := range k.read() {
		if b.Used != b.Ledger || b.Requests != b.Lines || b.Reserved != b.Held {
			k.t.Fatalf("the books are wrong: %+v", b)
		}
		if b.Used+b.Reserved > monthly {
			k.t.Fatalf("the budget of %d does not hold: %+v", monthly, b)
		}
	}
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
