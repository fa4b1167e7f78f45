//go:build cgo && sqlite_fts5

package dbtest

import (
	"context"
	"database/sql"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/mattn/go-sqlite3"
)

var (
	insertsTenant = regexp.MustCompile(`(?is)^\s*(with\b.*)?insert\s+into\s+\w+\s*\(\s*(tenant_id\b|[^)]*\btenant_id\b|id\b)`)
	upsertsTenant = regexp.MustCompile(`(?is)\bon\s+conflict\s*\(\s*(tenant_id\b|id\s*\)|[^)]*\btenant_id\b)`)
)

// touched is what SQLite's parser says a statement does to one table.
type touched struct{ changed, inserted, scoped bool }

// Unscoped parses a statement in SQLite's words and returns the tables it touches without naming their tenant.
func Unscoped(t *testing.T, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lint.db")
	if err := os.WriteFile(path, template(t), 0o600); err != nil {
		t.Fatal(err)
	}
	handle, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	handle.SetMaxOpenConns(1)
	owners, err := scopeColumns(handle)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := handle.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tables := map[string]*touched{}
	err = conn.Raw(func(c any) error {
		lite := c.(*sqlite3.SQLiteConn)
		lite.RegisterAuthorizer(func(op int, table, column, _ string) int {
			if owner, ok := owners[table]; ok { // the name of a WITH is no table
				note(tables, op, table, column == owner)
			}
			return sqlite3.SQLITE_OK
		})
		stmt, err := lite.Prepare(text)
		if err != nil {
			return err
		}
		return stmt.Close()
	})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var bad []string
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if !tables[name].safe(text) {
			bad = append(bad, name)
		}
	}
	return bad
}

// scopeColumns finds the column of each table that says whose row it is. A table without one is the operator's, and a scoped statement has no business there.
func scopeColumns(handle *sql.DB) (map[string]string, error) {
	rows, err := handle.QueryContext(context.Background(), `SELECT m.name, CASE WHEN m.name = 'tenants' THEN 'id' ELSE coalesce(c.name, 'none') END
		FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c ON c.name = 'tenant_id' WHERE m.type = 'table'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	owners := map[string]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return nil, err
		}
		owners[table] = column
	}
	return owners, rows.Err()
}

func note(tables map[string]*touched, op int, table string, owner bool) {
	if tables[table] == nil {
		tables[table] = &touched{}
	}
	w := tables[table]
	switch op {
	case sqlite3.SQLITE_READ:
		w.scoped = w.scoped || owner
	case sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE:
		w.changed = true
	case sqlite3.SQLITE_INSERT:
		w.inserted = true
	}
}

// safe: what is inserted must be given a tenant, and what is read or changed must have been picked by its tenant. An upsert picks its row by the constraint it names.
func (w *touched) safe(text string) bool {
	if w.inserted {
		return insertsTenant.MatchString(text) && (!w.changed || w.scoped || upsertsTenant.MatchString(text))
	}
	return w.scoped
}
