package dbtest

import (
	"testing"

	"github.com/clawless/clawless/server/db"
)

// Lint fails the test for each registered scoped statement that touches a tenant's table without looking at its tenant_id. It asks SQLite's own parser, so a
// sub-select or one side of a join is found too. What it cannot see are two uses of one table, of which only one is scoped. It needs cgo, and skips without.
func Lint(t *testing.T) {
	t.Helper()
	for _, s := range db.Statements() {
		if !s.Scoped {
			continue
		}
		for _, table := range Unscoped(t, s.SQLite) {
			t.Errorf("statement %s touches %s without its tenant_id", s.Name, table)
		}
	}
}
