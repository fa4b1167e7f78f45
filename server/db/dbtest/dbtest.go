// Package dbtest gives tests a fresh, migrated database: SQLite always, Postgres when one is named.
package dbtest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/clawless/clawless/server/db"
)

// New opens a migrated SQLite database in a folder of its own and closes it when the test ends.
func New(t testing.TB) *db.DB {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "clawless.db"), template(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(t, db.Options{Dir: dir, Migrate: true})
}

// Open opens what opts name and closes it when the test ends.
func Open(t testing.TB, opts db.Options) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

var migrated struct {
	once sync.Once
	file []byte
	err  error
}

// template is a migrated, empty database file. It is made once for all tests of a package, because the migrations cost more than most tests.
func template(t testing.TB) []byte {
	t.Helper()
	migrated.once.Do(func() { migrated.file, migrated.err = migratedFile() })
	if migrated.err != nil {
		t.Fatal(migrated.err)
	}
	return migrated.file
}

func migratedFile() ([]byte, error) {
	dir, err := os.MkdirTemp("", "dbtest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	d, err := db.Open(context.Background(), db.Options{Dir: dir, Migrate: true})
	if err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "clawless.db"))
}
