package db_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/jmoiron/sqlx"
)

// twoTenants has a session of each, and an idempotency row of the operator.
func twoTenants(t *testing.T) *db.DB {
	t.Helper()
	d := dbtest.Open(t, db.Options{URL: dbtest.PostgresURL(t), Migrate: true})
	ctx := context.Background()
	mustAdd(t, d, "acme", "blue")
	err := d.Write(ctx, func(q db.Querier) error {
		for _, tenant := range []string{"ten_acme", "ten_blue"} {
			if _, err := addSession.Exec(ctx, q, db.TenantOf(tenant), db.Args{"id": "ses_" + tenant, "title": "t", "metadata": "{}", "end_user": nil, "now": 1}); err != nil {
				return err
			}
		}
		_, err := addVisit.Exec(ctx, q, db.Operator, db.Args{"key": "k", "status": 200, "body": nil})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestRowLevelSecurity runs statements that the other locks would never let through: Postgres itself keeps the tenants apart.
func TestRowLevelSecurity(t *testing.T) {
	d := twoTenants(t)
	ctx := context.Background()
	acme := db.TenantOf("ten_acme")
	for text, want := range map[string]string{
		`SELECT id FROM sessions WHERE :tenant_id <> '' ORDER BY id`:                                                         "ses_ten_acme",
		`SELECT id FROM sessions WHERE :tenant_id <> '' AND tenant_id = 'ten_blue'`:                                          "",
		`SELECT name FROM tenants WHERE :tenant_id <> ''`:                                                                    "acme",
		`SELECT key FROM idempotency WHERE :tenant_id <> ''`:                                                                 "",
		`SELECT s.id FROM tenants t LEFT JOIN sessions s ON s.tenant_id <> t.id WHERE :tenant_id <> '' AND s.id IS NOT NULL`: "",
	} {
		var got []string
		if err := d.Read(ctx, func(q db.Querier) error { return db.LooseScoped(text).Select(ctx, q, acme, &got, nil) }); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	for text, want := range map[string]int64{
		`UPDATE sessions SET title = 'x' WHERE :tenant_id <> ''`:          1,
		`DELETE FROM sessions WHERE :tenant_id <> '' AND id LIKE '%blue'`: 0,
	} {
		err := d.Write(ctx, func(q db.Querier) error {
			n, err := db.LooseScoped(text).Exec(ctx, q, acme, nil)
			return errors.Join(err, same(n, want))
		})
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		`UPDATE sessions SET tenant_id = 'ten_blue' WHERE tenant_id = :tenant_id`,
		`INSERT INTO usage_periods (tenant_id, period) SELECT 'ten_blue', :tenant_id`,
		`INSERT INTO audit_log (id, actor, action, outcome, created_at) VALUES (:tenant_id, '', '', '', 1)`,
		`INSERT INTO idempotency (tenant_id, scope, key, body_hash, state, created_at, expires_at) VALUES ('', 's', :tenant_id, '', '', 1, 1)`,
		`INSERT INTO server_state (name, value) VALUES ('x', :tenant_id)`,
		`INSERT INTO admin_keys (id, name, digest, last4, status, created_at) VALUES ('adm', 'x', :tenant_id, '', 'active', 1)`,
	} {
		err := d.Write(ctx, func(q db.Querier) error {
			_, err := db.LooseScoped(text).Exec(ctx, q, acme, nil)
			return err
		})
		if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestNoTenantNoRows: outside Read and Write nothing is visible, also on a connection that has just served a tenant or the operator.
func TestNoTenantNoRows(t *testing.T) {
	d := twoTenants(t)
	withAdmin(t, d, func(handle *sqlx.DB) {
		st, err := d.Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range st.Tables {
			if table.Name == "goose_db_version" {
				continue
			}
			if !table.RowSecurity {
				t.Errorf("%s is not under row level security", table.Name)
			}
			for range 20 { // as many connections as the pool may have, and more
				var rows int
				if err := handle.Get(&rows, "SELECT count(*) FROM "+table.Name); err != nil || rows != 0 {
					t.Errorf("%s shows %d rows: %v", table.Name, rows, err)
				}
			}
		}
	})
}

// TestScopeChangesWithinATransaction is a use case that touches a tenant, all of them, and another one.
func TestScopeChangesWithinATransaction(t *testing.T) {
	d := twoTenants(t)
	ctx := context.Background()
	count := db.LooseScoped(`SELECT count(*) FROM sessions WHERE :tenant_id <> ''`)
	every := db.LooseSystem(`SELECT count(*) FROM sessions`)
	err := d.Read(ctx, func(q db.Querier) error {
		var one, all, other, none int
		err := errors.Join(
			count.Get(ctx, q, db.TenantOf("ten_acme"), &one, nil),
			every.Get(ctx, q, &all, nil),
			count.Get(ctx, q, db.TenantOf("ten_blue"), &other, nil),
			count.Get(ctx, q, db.TenantOf("ten_none"), &none, nil),
		)
		return errors.Join(err, same([4]int{one, all, other, none}, [4]int{1, 2, 1, 0}))
	})
	if err != nil {
		t.Error(err)
	}
}

// TestLostConnection: Postgres goes away in the middle of a write, and comes back.
func TestLostConnection(t *testing.T) {
	d := twoTenants(t)
	ctx := context.Background()
	kill := db.LooseSystem(`SELECT pg_terminate_backend(pg_backend_pid())`)
	err := d.Write(ctx, func(q db.Querier) error {
		if err := addIn(ctx, q, "cyan"); err != nil {
			return err
		}
		var done bool
		return kill.Get(ctx, q, &done, nil)
	})
	if !fault.Is(err, fault.StoreUnavailable) {
		t.Errorf("the connection was lost: %v", err)
	}
	mustAdd(t, d, "cyan") // also proves that nothing was kept
	withAdmin(t, d, func(handle *sqlx.DB) {
		if _, err := handle.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = current_user AND datname = current_database()"); err != nil {
			t.Fatal(err)
		}
	})
	mustAdd(t, d, "dark") // every idle connection was dead
	if err := d.Ready(ctx); err != nil {
		t.Error(err)
	}
}

// TestPostgresReaderWhoLeaves interrupts a statement that would run for half a minute, and waits for nothing more.
func TestPostgresReaderWhoLeaves(t *testing.T) {
	d := twoTenants(t)
	sleep := db.LooseSystem(`SELECT 1 FROM pg_sleep(30)`)
	for range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		err := d.Read(ctx, func(q db.Querier) error {
			go cancel()
			var n int
			return sleep.Get(context.Background(), q, &n, nil)
		})
		if !fault.Is(err, fault.Canceled) {
			t.Errorf("a caller who leaves: %v", err)
		}
	}
	if got := names(t, d); len(got) != 2 {
		t.Errorf("afterwards: %v", got)
	}
}
