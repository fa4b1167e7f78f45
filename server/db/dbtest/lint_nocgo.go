//go:build !cgo || !sqlite_fts5

package dbtest

import "testing"

// Unscoped needs the driver of the cgo build, and skips the test.
func Unscoped(t *testing.T, _ string) []string {
	t.Helper()
	t.Skip("SKIPPED WITHOUT CGO: whether every scoped statement names tenant_id")
	return nil
}
