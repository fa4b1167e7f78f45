package db_test

import (
	"context"
	"fmt"
	"io/fs"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"

	"github.com/clawless/clawless/migrations"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
)

// TestUpgradeWithRows: a database of the first release, with rows in every table that the second step changes, is brought to the newest schema at an ordinary start.
// Nothing in it is lost, the ledger stays append-only, and what the old rows say of money is that nobody knows.
func TestUpgradeWithRows(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { testUpgrade(t, db.Options{Dir: t.TempDir()}) })
	t.Run("postgres", func(t *testing.T) { testUpgrade(t, db.Options{URL: dbtest.PostgresURL(t)}) })
}

// oldRows are what a server of the first release had written: a call that is settled, one under way, and its session's run.
var oldRows = []string{
	`INSERT INTO tenants (id, name, tier, status, settings, version, created_at, updated_at) VALUES ('ten_a', 'acme', 'pro', 'active', '{"monthly_tokens":900}', 3, 1, 2)`,
	`INSERT INTO sessions (tenant_id, id, title, status, last_sequence, created_at, updated_at) VALUES ('ten_a', 'ses_a', 'Hello', 'active', 1, 1, 2)`,
	`INSERT INTO runs (tenant_id, id, session_id, request_id, status, input_tokens, started_at) VALUES ('ten_a', 'run_a', 'ses_a', 'req_a', 'completed', 12, 1)`,
	`INSERT INTO usage_periods (tenant_id, period, used_tokens, reserved_tokens, requests) VALUES ('ten_a', '2026-11', 40, 100, 1)`,
	`INSERT INTO reservations (tenant_id, id, period, tokens, delivered_tokens, created_at, expires_at) VALUES ('ten_a', 'req_b', '2026-11', 100, 7, 1, 2)`,
	`INSERT INTO usage_ledger (tenant_id, id, period, request_id, provider, model, input_tokens, output_tokens, source, outcome, created_at)
		VALUES ('ten_a', 'use_a', '2026-11', 'req_a', 'lab', 'lab/m', 30, 10, 'provider', 'completed', 1)`,
}

func testUpgrade(t *testing.T, o db.Options) {
	ctx := context.Background()
	old, err := db.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	withAdmin(t, old, func(handle *sqlx.DB) {
		firstRelease(t, handle, old.Dialect())
		if err := asOperator(ctx, handle, old.Dialect(), oldRows...); err != nil {
			t.Fatal(err)
		}
	})
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	o.Migrate = true
	d := dbtest.Open(t, o)
	var got struct {
		Settings  string  `db:"settings"`
		Thinking  string  `db:"thinking"`
		Receipt   *string `db:"receipt"`
		RunTokens int64   `db:"run_tokens"`
		Used      int64   `db:"used_tokens"`
		Reserved  int64   `db:"reserved_tokens"`
		Held      int64   `db:"tokens"`
		Lines     int64   `db:"lines"`
		Version   string  `db:"price_version"`
		Micros    int64   `db:"micros"`
	}
	read := db.LooseSystem(`SELECT t.settings, s.thinking, r.receipt, r.input_tokens AS run_tokens, p.used_tokens, p.reserved_tokens, h.tokens,
		(SELECT COUNT(*) FROM usage_ledger) AS lines, l.price_version, l.cost_micros + p.used_micros + p.reserved_micros + h.micros + h.delivered_micros AS micros
		FROM tenants t JOIN sessions s ON s.tenant_id = t.id JOIN runs r ON r.tenant_id = t.id JOIN usage_periods p ON p.tenant_id = t.id
		JOIN reservations h ON h.tenant_id = t.id JOIN usage_ledger l ON l.tenant_id = t.id`)
	if err := d.Read(ctx, func(q db.Querier) error { return read.Get(ctx, q, &got, nil) }); err != nil {
		t.Fatal(err)
	}
	if got.Settings != `{"monthly_tokens":900}` || got.Thinking != "" || got.Receipt != nil || got.RunTokens != 12 || got.Used != 40 || got.Reserved != 100 || got.Held != 100 ||
		got.Lines != 1 || got.Version != "" || got.Micros != 0 {
		t.Errorf("after the upgrade: %+v", got)
	}
	refuses(t, d)
}

// refuses demands that the upgraded tables keep their rules and got those of the step.
func refuses(t *testing.T, d *db.DB) {
	t.Helper()
	ctx := context.Background()
	write := func(text string) error {
		return d.Write(ctx, func(q db.Querier) error {
			_, err := db.LooseScoped(text).Exec(ctx, q, db.TenantOf("ten_a"), nil)
			return err
		})
	}
	for what, text := range map[string]string{
		"a new price of an old line": `UPDATE usage_ledger SET cost_micros = 1, price_version = 'v1' WHERE tenant_id = :tenant_id`,
		"a line that goes":           `DELETE FROM usage_ledger WHERE tenant_id = :tenant_id`,
		"less than nothing used":     `UPDATE usage_periods SET used_micros = -1 WHERE tenant_id = :tenant_id`,
		"less than nothing reserved": `UPDATE usage_periods SET reserved_micros = -1 WHERE tenant_id = :tenant_id`,
	} {
		if write(text) == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	decision := `INSERT INTO route_decisions (tenant_id, id, request_id, asked, used, reason, outcome, created_at) VALUES (:tenant_id, 'dec_a', 'req_a', 'auto', 'lab/m', 'score', 'completed', 1)`
	line := `INSERT INTO usage_ledger (tenant_id, id, period, request_id, provider, model, cost_micros, price_version, source, outcome, created_at)
		VALUES (:tenant_id, 'use_b', '2026-11', 'req_b', 'lab', 'lab/m', 25, 'v1', 'provider', 'completed', 2)`
	for _, text := range []string{decision, line, `DELETE FROM tenants WHERE id = :tenant_id`} {
		if err := write(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	var left struct {
		Lines     int64 `db:"lines"`
		Decisions int64 `db:"decisions"`
	}
	count := db.LooseSystem(`SELECT (SELECT COUNT(*) FROM usage_ledger) AS lines, (SELECT COUNT(*) FROM route_decisions) AS decisions`)
	if err := d.Read(ctx, func(q db.Querier) error { return count.Get(ctx, q, &left, nil) }); err != nil || left.Lines != 2 || left.Decisions != 0 {
		t.Errorf("a deleted tenant leaves its ledger and nothing else: %+v, %v", left, err)
	}
}

// firstRelease makes the schema as it was before the second step.
func firstRelease(t *testing.T, handle *sqlx.DB, dialect db.Dialect) {
	t.Helper()
	its := goose.DialectSQLite3
	if dialect == db.Postgres {
		its = goose.DialectPostgres
	}
	steps, err := fs.Sub(migrations.FS, string(dialect))
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(its, handle.DB, steps, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
}

// asOperator runs statements in one transaction that sees the rows of all tenants.
func asOperator(ctx context.Context, handle *sqlx.DB, dialect db.Dialect, texts ...string) error {
	tx, err := handle.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if dialect == db.Postgres {
		texts = append([]string{`SELECT set_config('app.tenant', '*', true)`}, texts...)
	}
	for _, text := range texts {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			_ = tx.Rollback() // what failed is what matters
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return tx.Commit()
}
