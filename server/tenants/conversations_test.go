package tenants

import (
	"testing"
	"time"
)

// TestResetDue: when a turn starts a new epoch by the tenant's rules.
func TestResetDue(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, f := range []struct {
		rules     Conversations
		last, now string
		want      string
	}{
		{Conversations{}, "2026-11-01T10:00:00Z", "2026-12-01T10:00:00Z", ""},
		{Conversations{ResetIdleMinutes: 30}, "2026-11-01T10:00:00Z", "2026-11-01T10:29:59Z", ""},
		{Conversations{ResetIdleMinutes: 30}, "2026-11-01T10:00:00Z", "2026-11-01T10:30:00Z", "idle"},
		{Conversations{ResetDaily: "04:00"}, "2026-11-01T03:59:59Z", "2026-11-01T04:00:00Z", "daily"},
		{Conversations{ResetDaily: "04:00"}, "2026-11-01T04:00:00Z", "2026-11-02T03:59:59Z", ""},
		{Conversations{ResetDaily: "04:00"}, "2026-11-01T05:00:00+02:00", "2026-11-01T23:00:00Z", "daily"},
		{Conversations{ResetDaily: "04:00", ResetIdleMinutes: 1}, "2026-11-01T03:00:00Z", "2026-11-03T00:00:00Z", "idle"},
	} {
		if got := f.rules.ResetDue(at(f.last), at(f.now)); got != f.want {
			t.Errorf("%+v, %s to %s: %q, want %q", f.rules, f.last, f.now, got, f.want)
		}
	}
	if got := (Conversations{ResetIdleMinutes: 1}).ResetDue(time.Time{}, time.Now()); got != "" {
		t.Errorf("an empty session: %q", got)
	}
}
