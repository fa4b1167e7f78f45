package db_test

import (
	"slices"
	"testing"

	"github.com/clawless/clawless/server/db/dbtest"
)

func TestEveryScopedStatementNamesItsTenant(t *testing.T) { dbtest.Lint(t) }

func TestLintFindsWhatIsPlanted(t *testing.T) {
	for text, want := range map[string][]string{
		`SELECT id FROM sessions WHERE tenant_id = ? AND id = ?`: nil,
		`SELECT name FROM tenants WHERE id = ?`:                  nil,
		`SELECT m.content FROM sessions s JOIN messages m ON m.tenant_id = s.tenant_id AND m.session_id = s.id WHERE s.tenant_id = ?`:                                                            nil,
		`INSERT INTO usage_periods (tenant_id, period) VALUES (?, ?) ON CONFLICT (tenant_id, period) DO UPDATE SET used_tokens = usage_periods.used_tokens + 1`:                                  nil,
		`INSERT INTO messages (tenant_id, session_id, sequence, id, role, created_at) SELECT ?, ?, coalesce(max(sequence), 0) + 1, ?, ?, ? FROM messages WHERE tenant_id = ? AND session_id = ?`: nil,
		`UPDATE runs SET status = ? WHERE tenant_id = ? AND id = ? RETURNING id`:                                                                                                                 nil,
		`WITH mine AS (SELECT id FROM runs WHERE tenant_id = ?) SELECT id FROM mine`:                                                                                                             nil,
		`DELETE FROM tenants WHERE id = ?`:                    nil,
		`DELETE FROM sessions WHERE tenant_id = ? AND id = ?`: nil,

		`SELECT id FROM sessions WHERE id = ?`: {"sessions"},
		`WITH theirs AS (SELECT id FROM runs) SELECT s.id FROM theirs JOIN sessions s ON s.tenant_id = ?`: {"runs"},
		`SELECT count(*) FROM sessions`: {"sessions"},
		`SELECT m.content FROM sessions s JOIN messages m ON m.session_id = s.id WHERE s.tenant_id = ?`:               {"messages"},
		`SELECT id, (SELECT count(*) FROM messages WHERE session_id = sessions.id) FROM sessions WHERE tenant_id = ?`: {"messages"},
		`UPDATE runs SET status = ?`:                                    {"runs"},
		`DELETE FROM widgets WHERE id = ?`:                              {"widgets"},
		`SELECT tenant_id FROM api_keys UNION SELECT name FROM tenants`: {"tenants"},
		`SELECT value FROM server_state WHERE name = ?`:                 {"server_state"},
		`INSERT INTO api_keys (tenant_id, id, name, digest, last4, status, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET name = ?`: {"api_keys"},
	} {
		if got := dbtest.Unscoped(t, text); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
