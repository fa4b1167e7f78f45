package db_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/jmoiron/sqlx"
)

// refused opens dir and wants a sentence with each of the words.
func refused(t *testing.T, opts db.Options, words ...string) {
	t.Helper()
	d, err := db.Open(context.Background(), opts)
	if err == nil {
		_ = d.Close()
		t.Fatal("it was opened")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func file(dir string) string { return filepath.Join(dir, "clawless.db") }

// unchanged runs fn and checks that the file is the same byte for byte, and that nothing but the lock was put beside it.
func unchanged(t *testing.T, dir string, fn func()) {
	t.Helper()
	before, err := os.ReadFile(file(dir))
	if err != nil {
		t.Fatal(err)
	}
	fn()
	after, err := os.ReadFile(file(dir))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed: %d bytes, now %d, %v", len(before), len(after), err)
	}
	for _, entry := range list(t, dir) {
		if entry != "clawless.db" && entry != "clawless.lock" {
			info, _ := os.Stat(filepath.Join(dir, entry))
			t.Errorf("%s was left behind, %d bytes", entry, info.Size())
		}
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestNewerDatabase(t *testing.T) {
	dir := t.TempDir()
	d := dbtest.Open(t, db.Options{Dir: dir, Migrate: true})
	pretend(t, d, 9999)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, opts := range []db.Options{{Dir: dir, Migrate: true}, {Dir: dir}} {
		unchanged(t, dir, func() { refused(t, opts, "9999", "untouched", "upgrade clawless") })
	}
	refused(t, db.Options{Dir: dir, ReadOnly: true}, "9999", "upgrade clawless")
}

func TestNewerPostgres(t *testing.T) {
	url := dbtest.PostgresURL(t)
	pretend(t, dbtest.Open(t, db.Options{URL: url, Migrate: true}), 9999)
	for _, opts := range []db.Options{{URL: url, Migrate: true}, {URL: url}} {
		refused(t, opts, "9999", "untouched", "upgrade clawless")
	}
}

// pretend notes a step of a later release as applied.
func pretend(t *testing.T, d *db.DB, version int) {
	t.Helper()
	handle, release, err := db.Admin(d)
	if err != nil {
		t.Fatal(err)
	}
	applied := any(1)
	if d.Dialect() == db.Postgres {
		applied = true
	}
	query := handle.Rebind("INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, ?)")
	_, err = handle.Exec(query, version, applied)
	if err := errors.Join(err, release()); err != nil {
		t.Fatal(err)
	}
}

func TestNotADatabase(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(file(dir), []byte(strings.Repeat("This is a shopping list.\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	unchanged(t, dir, func() {
		refused(t, db.Options{Dir: dir, Migrate: true}, "not a SQLite database", "untouched", file(dir))
	})
}

func TestAnotherProgramsDatabase(t *testing.T) {
	dir := t.TempDir()
	d := dbtest.Open(t, db.Options{Dir: dir}) // without a schema
	withAdmin(t, d, func(handle *sqlx.DB) {
		if _, err := handle.Exec("CREATE TABLE wp_posts (id INTEGER)"); err != nil {
			t.Fatal(err)
		}
	})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	unchanged(t, dir, func() { refused(t, db.Options{Dir: dir, Migrate: true}, "another program", "wp_posts") })
}

func TestDamagedDatabase(t *testing.T) {
	dir := t.TempDir()
	d := dbtest.Open(t, db.Options{Dir: dir, Migrate: true})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file(dir))
	if err != nil {
		t.Fatal(err)
	}
	copy(content[100:], bytes.Repeat([]byte{0xff}, 200)) // the root of the list of tables
	if err := os.WriteFile(file(dir), content, 0o600); err != nil {
		t.Fatal(err)
	}
	unchanged(t, dir, func() { refused(t, db.Options{Dir: dir, Migrate: true}, "damaged", "restore a backup") })
}

func TestEmptyFileIsANewDatabase(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(file(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, dbtest.Open(t, db.Options{Dir: dir, Migrate: true}), "acme")
}

func TestFolderNames(t *testing.T) {
	for _, name := range []string{"with space", "a?mode=memory", "per%20cent", "hash#tag", "ümlaut", "quote'\""} {
		dir := filepath.Join(t.TempDir(), name, "deep")
		mustAdd(t, dbtest.Open(t, db.Options{Dir: dir, Migrate: true}), "acme")
		if !slices.Contains(list(t, dir), "clawless.db") {
			t.Errorf("%s: the folder holds %v", name, list(t, dir))
		}
	}
	refused(t, db.Options{}, "data folder", "needs a path")
	refused(t, db.Options{Dir: filepath.Join(os.Args[0], "x")}, "data folder", "cannot be used")
}

// TestPragmas asks the writing connection for what it was given; that Open does so too is tested beside the engine.
func TestPragmas(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "trusted_schema": "0"} {
		var got string
		err := d.Write(ctx, func(q db.Querier) error { return db.LooseSystem("PRAGMA "+name).Get(ctx, q, &got, nil) })
		if err != nil || got != want {
			t.Errorf("%s is %s, %v", name, got, err)
		}
	}
}

// TestWithoutMigrate: an outdated database can be asked and migrated, but not used.
func TestWithoutMigrate(t *testing.T) {
	for name, opts := range map[string]func(t *testing.T) db.Options{
		"sqlite":   func(t *testing.T) db.Options { return db.Options{Dir: t.TempDir()} },
		"postgres": func(t *testing.T) db.Options { return db.Options{URL: dbtest.PostgresURL(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			d := dbtest.Open(t, opts(t))
			nothing := func(db.Querier) error { t.Error("it ran"); return nil }
			for what, err := range map[string]error{"Ready": d.Ready(ctx), "Read": d.Read(ctx, nothing), "Write": d.Write(ctx, nothing)} {
				if !fault.Is(err, fault.StoreUnavailable) || !strings.Contains(err.Error(), "clawless migrate") {
					t.Errorf("%s: %v", what, err)
				}
			}
			st, err := d.Status(ctx)
			if err != nil || st.Version != 0 || st.Latest < 1 || len(st.Tables) != 0 || len(st.Migrations) == 0 || st.Migrations[0].Applied {
				t.Errorf("before: %+v %v", st, err)
			}
			if err := d.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			mustAdd(t, d, "acme")
			if err := errors.Join(d.Migrate(ctx), d.Ready(ctx), d.Prepare(ctx)); err != nil {
				t.Errorf("a second time: %v", err)
			}
			st, err = d.Status(ctx)
			if err != nil || st.Version != st.Latest || st.Migrations[0].Name != "initial" || !st.Migrations[0].Applied || st.Migrations[0].AppliedAt.IsZero() {
				t.Errorf("after: %+v %v", st, err)
			}
			if string(st.Dialect) != name || !slices.ContainsFunc(st.Tables, func(table db.Table) bool { return table.Name == "usage_ledger" }) {
				t.Errorf("after: %+v", st)
			}
		})
	}
}

// TestReadOnlyBesideAServer is how commands look at a database that a server has open.
func TestReadOnlyBesideAServer(t *testing.T) {
	dir := t.TempDir()
	refused(t, db.Options{Dir: dir, ReadOnly: true}, "no database in", "start the server once")
	ctx := context.Background()
	server := dbtest.Open(t, db.Options{Dir: dir, Migrate: true})
	mustAdd(t, server, "acme")
	look := dbtest.Open(t, db.Options{Dir: dir, ReadOnly: true, Migrate: true})
	if got := names(t, look); len(got) != 1 {
		t.Errorf("it sees %v", got)
	}
	if err := look.Write(ctx, func(db.Querier) error { return nil }); !fault.Is(err, fault.StoreUnavailable) {
		t.Errorf("a write: %v", err)
	}
	if st, err := look.Status(ctx); err != nil || st.Version != st.Latest {
		t.Errorf("status: %+v %v", st, err)
	}
	if err := errors.Join(look.Ready(ctx), look.Close(), server.Close()); err != nil {
		t.Error(err)
	}
	alone := dbtest.Open(t, db.Options{Dir: dir, ReadOnly: true})
	if got := names(t, alone); len(got) != 1 {
		t.Errorf("without the server it sees %v", got)
	}
}

// TestLogIsFoldedOnClose: after a clean stop there is one file to copy.
func TestLogIsFoldedOnClose(t *testing.T) {
	dir := t.TempDir()
	d := dbtest.Open(t, db.Options{Dir: dir, Migrate: true})
	mustAdd(t, d, "acme")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(list(t, dir), " "); got != "clawless.db clawless.lock" {
		t.Errorf("the folder holds %s", got)
	}
	for _, name := range list(t, dir) {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm()&0o077 != 0 && name == "clawless.lock" {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

func TestUnreachablePostgres(t *testing.T) {
	refused(t, db.Options{URL: "postgres://someone:hush@127.0.0.1:1/clawless?sslmode=disable"}, "connect to Postgres at 127.0.0.1:1", "database clawless", "as someone")
	for _, url := range []string{"postgres://someone:hush@127.0.0.1:1/clawless?sslmode=disable", "postgres://someone:hush@127.0.0.1:x/clawless", "mysql://hush"} {
		if _, err := db.Open(context.Background(), db.Options{URL: url}); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}

// TestSuperuserIsWarned because row level security does not bind one.
func TestSuperuserIsWarned(t *testing.T) {
	_ = dbtest.PostgresURL(t) // skips
	var log bytes.Buffer
	dbtest.Open(t, db.Options{URL: os.Getenv(dbtest.PostgresEnv), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "row level security does not hold it") {
		t.Errorf("log: %s", log.String())
	}
}
