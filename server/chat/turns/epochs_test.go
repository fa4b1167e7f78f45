package turns

import (
	"testing"
	"time"

	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tenants"
)

// TestDue: when a turn starts a new epoch by the tenant's rules.
func TestDue(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, f := range []struct {
		rules     tenants.Conversations
		last, now string
		want      string
	}{
		{tenants.Conversations{}, "2026-11-01T10:00:00Z", "2026-12-01T10:00:00Z", ""},
		{tenants.Conversations{ResetIdleMinutes: 30}, "2026-11-01T10:00:00Z", "2026-11-01T10:29:59Z", ""},
		{tenants.Conversations{ResetIdleMinutes: 30}, "2026-11-01T10:00:00Z", "2026-11-01T10:30:00Z", sessions.Idle},
		{tenants.Conversations{ResetDaily: "04:00"}, "2026-11-01T03:59:59Z", "2026-11-01T04:00:00Z", sessions.Daily},
		{tenants.Conversations{ResetDaily: "04:00"}, "2026-11-01T04:00:00Z", "2026-11-02T03:59:59Z", ""},
		{tenants.Conversations{ResetDaily: "04:00"}, "2026-11-01T05:00:00+02:00", "2026-11-01T23:00:00Z", sessions.Daily},
		{tenants.Conversations{ResetDaily: "04:00", ResetIdleMinutes: 1}, "2026-11-01T03:00:00Z", "2026-11-03T00:00:00Z", sessions.Idle},
	} {
		if got := due(f.rules, at(f.last), at(f.now)); got != f.want {
			t.Errorf("%+v, %s to %s: %q, want %q", f.rules, f.last, f.now, got, f.want)
		}
	}
	if got := due(tenants.Conversations{ResetIdleMinutes: 1}, time.Time{}, time.Now()); got != "" {
		t.Errorf("an empty session: %q", got)
	}
}
