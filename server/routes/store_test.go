package routes

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/policy"
)

var (
	newTenant = db.System("test.tenant", `INSERT INTO tenants (id, name, tier, status, settings, version, created_at, updated_at) VALUES (:id, :id, 'starter', 'active', '{}', 1, 1, 1)`)
	whole     = db.Scoped("test.whole", `SELECT id, request_id, COALESCE(run_id, 'none') AS run_id, COALESCE(session_id, 'none') AS session_id, asked, used, reason, ask, candidates,
		input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micros, price_version, outcome, created_at
		FROM route_decisions WHERE tenant_id = :tenant_id ORDER BY created_at, id`)
)

type stored struct {
	ID           string  `db:"id"`
	RequestID    string  `db:"request_id"`
	RunID        string  `db:"run_id"`
	SessionID    string  `db:"session_id"`
	Asked        string  `db:"asked"`
	Used         string  `db:"used"`
	Reason       string  `db:"reason"`
	Ask          string  `db:"ask"`
	Candidates   string  `db:"candidates"`
	Input        int64   `db:"input_tokens"`
	Output       int64   `db:"output_tokens"`
	Cached       int64   `db:"cached_tokens"`
	CacheWrite   int64   `db:"cache_write_tokens"`
	Reasoning    int64   `db:"reasoning_tokens"`
	Micros       int64   `db:"cost_micros"`
	PriceVersion string  `db:"price_version"`
	Outcome      string  `db:"outcome"`
	CreatedAt    db.Time `db:"created_at"`
}

// bench is a database with a tenant in it.
type bench struct {
	t      *testing.T
	d      *db.DB
	tenant string
}

func newBench(t *testing.T, d *db.DB) *bench {
	t.Helper()
	b := &bench{t: t, d: d}
	b.tenant = b.newTenant()
	return b
}

func (b *bench) newTenant() string {
	b.t.Helper()
	id := ids.New(ids.Tenant)
	b.write(func(ctx context.Context, q db.Querier) error {
		_, err := newTenant.Exec(ctx, q, db.Args{"id": id})
		return err
	})
	return id
}

func (b *bench) write(fn func(context.Context, db.Querier) error) {
	b.t.Helper()
	if err := b.d.Write(b.t.Context(), func(q db.Querier) error { return fn(b.t.Context(), q) }); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) insert(records ...Record) {
	b.t.Helper()
	b.write(func(ctx context.Context, q db.Querier) error {
		for _, r := range records {
			if err := Insert(ctx, q, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) rows(tenant string) (rows []stored) {
	b.t.Helper()
	if err := b.d.Read(b.t.Context(), func(q db.Querier) error { return whole.Select(b.t.Context(), q, db.TenantOf(tenant), &rows, nil) }); err != nil {
		b.t.Fatal(err)
	}
	return rows
}

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestInsert(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		b.insert(
			Record{TenantID: b.tenant, ID: "rte_1", RequestID: "req_1", RunID: "run_1", SessionID: "ses_1", Asked: "auto", Used: "lab/big", Reason: policy.ReasonScore,
				Ask: policy.Ask{Model: "auto", Fallback: true, Tools: true, Vision: true, Schema: true, Effort: llm.EffortHigh, Input: 10, Output: 20, Scored: true, Failure: 0.75,
					Threshold: 0.5, Last: "lab/small", Idle: 90 * time.Second, Micros: 0},
				Candidates: []policy.Candidate{{ID: "lab/big", Micros: 7, Priced: true}, {ID: "lab/x", Skip: policy.SkipTools}},
				Usage:      llm.Usage{Input: 1, Output: 2, Cached: 3, CacheWrite: 4, Reasoning: 5}, Micros: 6, PriceVersion: "v1", Outcome: "ok", CreatedAt: db.At(noon)},
			Record{TenantID: b.tenant, Asked: "auto", Reason: policy.ReasonGate, Ask: policy.Ask{Model: "auto", Micros: -1}, Outcome: "failed", CreatedAt: db.At(noon.Add(time.Minute))})
		rows := b.rows(b.tenant)
		if len(rows) != 2 {
			t.Fatalf("%d rows", len(rows))
		}
		want := stored{ID: "rte_1", RequestID: "req_1", RunID: "run_1", SessionID: "ses_1", Asked: "auto", Used: "lab/big", Reason: "score",
			Ask:        `{"model":"auto","fallback":true,"tools":true,"vision":true,"schema":true,"effort":"high","input":10,"output":20,"scored":true,"failure":0.75,"threshold":0.5,"last":"lab/small","idle_ms":90000,"micros":0}`,
			Candidates: `[{"model":"lab/big","estimated_cost_micros":7,"priced":true},{"model":"lab/x","skipped":"no_tools","estimated_cost_micros":0,"priced":false}]`,
			Input:      1, Output: 2, Cached: 3, CacheWrite: 4, Reasoning: 5, Micros: 6, PriceVersion: "v1", Outcome: "ok", CreatedAt: db.At(noon)}
		if rows[0] != want {
			t.Errorf("got  %+v\nwant %+v", rows[0], want)
		}
		ask, err := row{Ask: rows[0].Ask}.ask()
		if again := formOf(ask); err != nil || again.IdleMS != 90_000 || again.Failure != 0.75 || !again.Vision || again.Last != "lab/small" {
			t.Errorf("%+v %v", again, err)
		}
		if r := rows[1]; !ids.Valid(prefix, r.ID) || r.RunID != "none" || r.SessionID != "none" || r.Candidates != "[]" || r.Ask != `{"model":"auto","micros":-1}` {
			t.Errorf("a stateless one: %+v", r)
		}
		err = d.Write(t.Context(), func(q db.Querier) error {
			return Insert(t.Context(), q, Record{TenantID: b.tenant, ID: "rte_1", CreatedAt: db.At(noon)})
		})
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("the same id twice: %v", err)
		}
	})
}

func TestPrune(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		other := b.newTenant()
		for i := range 6 {
			b.insert(Record{TenantID: []string{b.tenant, other}[i%2], ID: fmt.Sprint("rte_", i), CreatedAt: db.At(noon.Add(time.Duration(i) * time.Hour))})
		}
		for _, want := range []struct{ dropped, mine, others int }{{3, 1, 2}, {1, 1, 1}, {0, 1, 1}} {
			var n int64
			b.write(func(ctx context.Context, q db.Querier) (err error) {
				n, err = Prune(ctx, q, noon.Add(4*time.Hour), 3)
				return err
			})
			if int(n) != want.dropped || len(b.rows(b.tenant)) != want.mine || len(b.rows(other)) != want.others {
				t.Errorf("dropped %d, left %d and %d, want %+v", n, len(b.rows(b.tenant)), len(b.rows(other)), want)
			}
		}
	})
}

func TestStatementsNameTheirTenant(t *testing.T) { dbtest.Lint(t) }
