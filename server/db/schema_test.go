package db_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/clawless/clawless/migrations"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/jmoiron/sqlx"
)

func TestStepsOfBothEnginesMatch(t *testing.T) {
	names := func(dir string) []string {
		files, err := fs.Glob(migrations.FS, dir+"/*.sql")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for i, f := range files {
			files[i] = strings.TrimPrefix(f, dir+"/")
			if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(files[i], want) {
				t.Errorf("%s: want the number %s", f, want)
			}
			text, err := fs.ReadFile(migrations.FS, f)
			if err != nil || strings.Contains(string(text), "+goose Down") {
				t.Errorf("%s: steps go forward only: %v", f, err)
			}
		}
		return files
	}
	if lite, pg := names("sqlite"), names("postgres"); !slices.Equal(lite, pg) {
		t.Errorf("SQLite has %v, Postgres %v", lite, pg)
	}
}

// shape lists columns, keys, references and unique constraints in words that are the same on both engines.
func shape(t *testing.T, d *db.DB) []string {
	t.Helper()
	queries := []string{
		`SELECT m.name || '.' || c.name || CASE c.type WHEN 'TEXT' THEN ' text' WHEN 'BLOB' THEN ' bytea' WHEN 'INTEGER' THEN ' bigint' ELSE c.type END
			|| CASE WHEN c."notnull" = 1 THEN ' not null' ELSE '' END || CASE WHEN c.dflt_value IS NULL THEN '' ELSE ' default ' || trim(c.dflt_value, '''') END
			FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'goose%' AND m.name NOT LIKE 'sqlite%'`,
		`SELECT 'unique ' || m.name || CASE i.origin WHEN 'pk' THEN '_pkey' ELSE (SELECT '_' || group_concat(x.name, '_') FROM pragma_index_info(i.name) x) || '_key' END
			FROM sqlite_schema m, pragma_index_list(m.name) i WHERE m.type = 'table' AND i."unique" = 1 AND m.name NOT LIKE 'goose%'`,
		`SELECT 'ref ' || m.name || ' ' || f."from" || ' to ' || f."table" || '.' || f."to" || ' ' || f.on_delete
			FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`,
		`SELECT 'index ' || name FROM sqlite_schema WHERE type = 'index' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '%_key' AND name NOT LIKE 'goose%'`,
	}
	if d.Dialect() == db.Postgres {
		queries = []string{
			`SELECT table_name || '.' || column_name || ' ' || data_type || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
				|| CASE WHEN column_default IS NULL THEN '' ELSE ' default ' || trim(replace(column_default, '::text', ''), '''') END
				FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT LIKE 'goose%'`,
			`SELECT 'unique ' || indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexdef LIKE 'CREATE UNIQUE%' AND tablename NOT LIKE 'goose%'`,
			`SELECT 'ref ' || c.conrelid::regclass || ' ' || a.attname || ' to ' || c.confrelid::regclass || '.' || b.attname || CASE c.confdeltype WHEN 'c' THEN ' CASCADE' ELSE ' ?' END
				FROM pg_constraint c, unnest(c.conkey, c.confkey) AS k (here, there), pg_attribute a, pg_attribute b
				WHERE c.contype = 'f' AND a.attrelid = c.conrelid AND a.attnum = k.here AND b.attrelid = c.confrelid AND b.attnum = k.there`,
			`SELECT 'index ' || indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexdef NOT LIKE 'CREATE UNIQUE%' AND tablename NOT LIKE 'goose%'`,
		}
	}
	var all []string
	withAdmin(t, d, func(handle *sqlx.DB) {
		for _, query := range queries {
			var part []string
			if err := handle.Select(&part, query); err != nil {
				t.Fatal(err)
			}
			all = append(all, part...)
		}
	})
	slices.Sort(all)
	return slices.DeleteFunc(all, func(line string) bool { return searches.MatchString(line) })
}

// searches are the parts of the search, which each engine has in its own way.
var searches = regexp.MustCompile(`search_words|search_texts(_words|_pkey|_tenant_id_session_id_sequence_key|\.id|\.words)`)

func withAdmin(t *testing.T, d *db.DB, fn func(handle *sqlx.DB)) {
	t.Helper()
	handle, release, err := db.Admin(d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = release() }()
	fn(handle)
}

// TestSchemaIsTheSameOnBothEngines compares every column, default, key, reference, unique constraint and index.
func TestSchemaIsTheSameOnBothEngines(t *testing.T) {
	pg := dbtest.Open(t, db.Options{URL: dbtest.PostgresURL(t), Migrate: true})
	// SQLite lists the key of a table without rowid like any other, and that of a rowid table by the name of its hidden index.
	lite, other := shape(t, dbtest.New(t)), shape(t, pg)
	for _, line := range lite {
		if !slices.Contains(other, line) {
			t.Errorf("only SQLite has: %s", line)
		}
	}
	for _, line := range other {
		if !slices.Contains(lite, line) {
			t.Errorf("only Postgres has: %s", line)
		}
	}
	if len(lite) < 150 {
		t.Errorf("only %d facts were compared", len(lite))
	}
}

// TestTenantIsInEveryKey: rows of a tenant are keyed by the tenant first, and refer to nothing without it.
func TestTenantIsInEveryKey(t *testing.T) {
	facts := shape(t, dbtest.New(t))
	for _, fact := range facts {
		if rest, ok := strings.CutPrefix(fact, "ref "); ok && !strings.Contains(rest, "CASCADE") {
			t.Errorf("a deleted parent leaves orphans: %s", fact)
		}
	}
	for _, table := range []string{"api_keys", "sessions", "messages", "runs", "tool_executions", "widgets", "widget_visitors", "usage_periods", "reservations", "route_decisions"} {
		if table != "messages" && !slices.Contains(facts, "ref "+table+" tenant_id to tenants.id CASCADE") {
			t.Errorf("%s has no reference to its tenant", table)
		}
	}
	for _, ref := range []string{"messages tenant_id to sessions.tenant_id", "messages session_id to sessions.id", "runs tenant_id to sessions.tenant_id", "widget_visitors tenant_id to widgets.tenant_id"} {
		if !slices.Contains(facts, "ref "+ref+" CASCADE") {
			t.Errorf("missing: %s", ref)
		}
	}
}

func TestTwoServersMigrateAtOnce(t *testing.T) {
	url := dbtest.PostgresURL(t)
	var all sync.WaitGroup
	servers := make([]*db.DB, 4)
	for i := range servers {
		all.Go(func() {
			var err error
			if servers[i], err = db.Open(context.Background(), db.Options{URL: url, Migrate: true, MaxConns: 4}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, d := range servers {
		if d == nil {
			continue
		}
		defer d.Close()
		withAdmin(t, d, func(handle *sqlx.DB) {
			var times int
			if err := handle.Get(&times, "SELECT count(*) FROM goose_db_version WHERE version_id = 1"); err != nil || times != 1 {
				t.Errorf("the first step was applied %d times: %v", times, err)
			}
		})
		if err := d.Ready(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func TestLedgerIsAppendOnly(t *testing.T) { dbtest.Each(t, testLedger) }

func testLedger(t *testing.T, d *db.DB) {
	ctx := context.Background()
	mustAdd(t, d, "acme")
	acme := db.TenantOf("ten_acme")
	entry := db.LooseScoped(`INSERT INTO usage_ledger (tenant_id, id, period, request_id, provider, model, source, outcome, created_at)
		VALUES (:tenant_id, :id, '2026-11', :request, 'mock', 'echo', :source, 'completed', 1)`)
	write := func(st db.ScopedStatement, args db.Args) error {
		return d.Write(ctx, func(q db.Querier) error {
			_, err := st.Exec(ctx, q, acme, args)
			return err
		})
	}
	if err := write(entry, db.Args{"id": "use_1", "request": "req_1", "source": "provider"}); err != nil {
		t.Fatal(err)
	}
	err := write(entry, db.Args{"id": "use_2", "request": "req_1", "source": "provider"})
	if !fault.Is(err, fault.Conflict) || db.Constraint(err) != "usage_ledger_tenant_id_request_id_key" {
		t.Errorf("a request is entered once: %v %s", err, db.Constraint(err))
	}
	for what, err := range map[string]error{
		"an unknown source": write(entry, db.Args{"id": "use_3", "request": "req_3", "source": "guess"}),
		"an update":         write(db.LooseScoped(`UPDATE usage_ledger SET input_tokens = 0 WHERE tenant_id = :tenant_id`), nil),
		"a deletion":        write(db.LooseScoped(`DELETE FROM usage_ledger WHERE tenant_id = :tenant_id`), nil),
		"negative tokens":   write(db.LooseScoped(`INSERT INTO usage_periods (tenant_id, period, used_tokens) VALUES (:tenant_id, '2026-11', -1)`), nil),
	} {
		if !fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := write(addSession, db.Args{"id": "ses_1", "title": "", "metadata": "{}", "end_user": nil, "now": 1}); err != nil {
		t.Fatal(err)
	}
	if err := write(db.LooseScoped(`DELETE FROM tenants WHERE id = :tenant_id`), nil); err != nil {
		t.Fatal(err)
	}
	var entries, sessions int
	err = d.Read(ctx, func(q db.Querier) error {
		return errors.Join(db.LooseSystem(`SELECT count(*) FROM usage_ledger`).Get(ctx, q, &entries, nil), db.LooseSystem(`SELECT count(*) FROM sessions`).Get(ctx, q, &sessions, nil))
	})
	if err != nil || entries != 1 || sessions != 0 {
		t.Errorf("after the tenant is gone its ledger stays and its sessions go: %d entries, %d sessions, %v", entries, sessions, err)
	}
}

func TestOneRunningRunOfASession(t *testing.T) { dbtest.Each(t, testOneRun) }

func testOneRun(t *testing.T, d *db.DB) {
	ctx := context.Background()
	mustAdd(t, d, "acme")
	acme := db.TenantOf("ten_acme")
	start := db.LooseScoped(`INSERT INTO runs (tenant_id, id, session_id, request_id, status, started_at) VALUES (:tenant_id, :id, :session, 'req', :status, 1)`)
	run := func(id string, session any, status string) error {
		return d.Write(ctx, func(q db.Querier) error {
			_, err := start.Exec(ctx, q, acme, db.Args{"id": id, "session": session, "status": status})
			return err
		})
	}
	err := d.Write(ctx, func(q db.Querier) error {
		_, err := addSession.Exec(ctx, q, acme, db.Args{"id": "ses_1", "title": "", "metadata": "{}", "end_user": nil, "now": 1})
		return err
	})
	err = errors.Join(err, run("run_1", "ses_1", "completed"), run("run_2", "ses_1", "running"), run("run_3", "ses_1", "failed"), run("run_4", nil, "running"), run("run_5", nil, "running"))
	if err != nil {
		t.Fatal(err)
	}
	if err := run("run_6", "ses_1", "running"); !fault.Is(err, fault.Conflict) || db.Constraint(err) != "runs_tenant_id_session_id_key" {
		t.Errorf("a second running one: %v, constraint %q", err, db.Constraint(err))
	}
}
