package sessions

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
)

// explained are the statements of a turn and of the lists, as each engine tells how it would run them.
var explained = map[string]db.ScopedStatement{
	"messages_active":   explain("newest", `SELECT `+messageColumns+ofSession+` AND epoch = :epoch AND active = 1 AND sequence < :before AND sequence > :after ORDER BY sequence DESC LIMIT :limit`),
	"sessions_end_user": explain("own", `SELECT id FROM sessions WHERE tenant_id = :tenant_id AND end_user = :owner AND status = 'active' ORDER BY updated_at DESC, id DESC LIMIT :limit`),
	"sessions_newest":   explain("all", `SELECT id FROM sessions WHERE tenant_id = :tenant_id AND status = 'active' AND updated_at < :at ORDER BY updated_at DESC, id DESC LIMIT :limit`),
	"search_words_words": explainPair("found", `SELECT rowid FROM search_words WHERE tenant_id MATCH '"' || :tenant_id || '"' AND words MATCH :match`, `SELECT x.session_id
		FROM search_words w JOIN search_texts x ON x.id = w.id AND x.tenant_id = :tenant_id
		WHERE w.words @@ CAST('''_' || CAST(:tenant_id AS TEXT) || ''' & ' || CAST(:match AS TEXT) AS tsquery)`),
}

func explain(name, text string) db.ScopedStatement { return explainPair(name, text, text) }

func explainPair(name, lite, postgres string) db.ScopedStatement {
	return db.ScopedPair("test.explain_"+name, "EXPLAIN QUERY PLAN "+lite, "EXPLAIN "+postgres)
}

type explanation struct {
	ID, Parent, NotUsed int64
	Detail              string
}

// planOf is how the engine would run a statement.
func planOf(t *testing.T, d *db.DB, tenant db.Tenant, stmt db.ScopedStatement, args db.Args) string {
	t.Helper()
	var lines []string
	var rows []explanation
	err := d.Read(t.Context(), func(q db.Querier) error {
		if d.Dialect() == db.Postgres {
			return stmt.Select(t.Context(), q, tenant, &lines, args)
		}
		return stmt.Select(t.Context(), q, tenant, &rows, args)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		lines = append(lines, r.Detail)
	}
	return strings.Join(lines, "\n")
}

var (
	addTenant = db.System("test.add_tenant", `INSERT INTO tenants (id, name, tier, status, created_at, updated_at) VALUES (:id, :id, 'free', 'active', 1, 1)`)
	analyze   = db.System("test.analyze", `ANALYZE`)
)

// TestPlans: what a turn reads of a long session, and a page of a long list, is found by an index that ends where it begins, whatever the length.
func TestPlans(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tenant, s := longSession(t, d, 10_000, 5_000)
		plans := map[string]db.Args{"messages_active": {"session_id": s.ID, "epoch": 1, "before": 99_999, "after": 0, "limit": 100}, "sessions_end_user": {"owner": "u1", "limit": 50},
			"sessions_newest": {"at": db.At(time.Now()), "limit": 50}, "search_words_words": {"match": `"word7"`}}
		if d.Dialect() == db.Postgres {
			plans["search_words_words"] = db.Args{"match": `'word7'`}
		}
		for index, args := range plans {
			plan := planOf(t, d, tenant, explained[index], args)
			if d.Dialect() == db.SQLite && index == "search_words_words" {
				index = "VIRTUAL TABLE INDEX 0:M"
			}
			if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort") {
				t.Errorf("%s is not used alone:\n%s", index, plan)
			}
		}
	})
}

// longSession is one of many, with n messages of which only the oldest are in the branch that is continued.
func longSession(t *testing.T, d *db.DB, n, active int) (db.Tenant, Session) {
	t.Helper()
	tenant := db.TenantOf(ids.New(ids.Tenant))
	err := d.Write(t.Context(), func(q db.Querier) error {
		if _, err := addTenant.Exec(t.Context(), q, db.Args{"id": tenant.ID()}); err != nil {
			return err
		}
		for i := range 1000 {
			s := New(tenant.ID(), time.Unix(int64(i), 0))
			s.EndUser, s.Title = []string{"u1", "u2", "u3"}[i%3], "some words"
			if err := Insert(t.Context(), q, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := New(tenant.ID(), time.Now())
	b, err := Build(t.Context(), d, s)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		text := ""
		for range 30 {
			text += fmt.Sprintf("word%d ", random.IntN(5000))
		}
		m := Message{ID: ids.New(ids.Message), Sequence: int64(i) + 1, Parent: int64(i), Epoch: 1, Active: i < active, Role: "user", Content: llm.Text(text), CreatedAt: s.CreatedAt}
		if err := b.Add(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = b.Done(t.Context(), []Epoch{{Epoch: 1, Reason: Started, CreatedAt: s.CreatedAt}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), func(q db.Querier) error { _, err := analyze.Exec(t.Context(), q, nil); return err }); err != nil {
		t.Fatal(err)
	}
	return tenant, s
}

// TestForkWithin: a fork of the longest session that can be forked keeps no write of others waiting for long, and one message more is refused.
func TestForkWithin(t *testing.T) {
	d := dbtest.New(t)
	tenant, s := longSession(t, d, MaxBuilt+1, MaxBuilt+1)
	at := time.Now()
	done := make(chan error, 1)
	var fork Session
	go func() {
		var err error
		fork, err = Fork(t.Context(), d, tenant, "", s.ID, Forking{Sequence: MaxBuilt}, time.Now())
		done <- err
	}()
	var longest time.Duration
	for waiting := true; waiting; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			waiting = false
		default:
			begun := time.Now()
			if err := d.Write(t.Context(), func(db.Querier) error { return nil }); err != nil {
				t.Fatal(err)
			}
			longest = max(longest, time.Since(begun))
		}
	}
	took := time.Since(at)
	t.Logf("%d messages in %s, the longest wait of another write %s", fork.LastSequence, took, longest)
	if fork.LastSequence != MaxBuilt || longest > took/5 {
		t.Errorf("%d messages in %s; another write waited %s", fork.LastSequence, took, longest)
	}
	at = time.Now()
	if err := d.Write(t.Context(), func(q db.Querier) error { return Delete(t.Context(), q, tenant, "", fork.ID) }); err != nil {
		t.Fatal(err)
	}
	t.Logf("deleted in %s", time.Since(at))
	if _, err := Fork(t.Context(), d, tenant, "", s.ID, Forking{}, time.Now()); err == nil || !strings.Contains(err.Error(), "20000") {
		t.Errorf("one message more: %v", err)
	}
}
