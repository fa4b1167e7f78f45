package sessions_test

import (
	"testing"

	"github.com/clawless/clawless/server/db/dbtest"
	_ "github.com/clawless/clawless/server/sessions"
)

// TestStatementsAreScoped: no statement of the room reads or changes another tenant's rows.
func TestStatementsAreScoped(t *testing.T) { dbtest.Lint(t) }
