package timenow

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/tool"
)

func call(t *testing.T, at, arguments string) (string, error) {
	t.Helper()
	now, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tool.Run(t.Context(), New(func() time.Time { return now }), tool.Call{Arguments: json.RawMessage(arguments)})
	return r.Text, err
}

func TestTimeNow(t *testing.T) {
	for _, c := range []struct{ at, arguments, want string }{
		{"2026-08-23T12:05:06.9Z", ``, "2026-08-23T12:05:06Z\nSunday, 23 August 2026, 12:05:06, UTC (UTC+00:00)\nweek 34, day 235 of the year"},
		{"2026-08-23T12:05:06Z", `{"zone":"Europe/Berlin"}`, "2026-08-23T14:05:06+02:00\nSunday, 23 August 2026, 14:05:06, Europe/Berlin (UTC+02:00)\nweek 34, day 235 of the year\nabbreviation CEST"},
		{"2026-01-01T02:00:00Z", `{"zone":"America/New_York"}`, "2025-12-31T21:00:00-05:00\nWednesday, 31 December 2025, 21:00:00, America/New_York (UTC-05:00)\nweek 1, day 365 of the year\nabbreviation EST"},
		{"2026-01-01T00:00:00Z", `{"zone":"Asia/Kathmandu"}`, "2026-01-01T05:45:00+05:45\nThursday, 1 January 2026, 05:45:00, Asia/Kathmandu (UTC+05:45)\nweek 1, day 1 of the year"},
		{"2026-01-01T00:00:00Z", `{"zone":" utc "}`, "2026-01-01T00:00:00Z\nThursday, 1 January 2026, 00:00:00, UTC (UTC+00:00)\nweek 1, day 1 of the year"},
		{"2028-02-29T23:59:59+01:00", `{"zone":"Pacific/Kiritimati"}`, "2028-03-01T12:59:59+14:00\nWednesday, 1 March 2028, 12:59:59, Pacific/Kiritimati (UTC+14:00)\nweek 9, day 61 of the year"},
	} {
		if got, err := call(t, c.at, c.arguments); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v", c.arguments, got, err)
		}
	}
	for _, zone := range []string{"Local", "local", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", `\\..\\x`, "Europe/Berlin\\u0000", "CEST?"} {
		if got, err := call(t, "2026-01-01T00:00:00Z", `{"zone":"`+zone+`"}`); err == nil || !strings.Contains(err.Error(), "there is no time zone") {
			t.Errorf("%s: %q, %v", zone, got, err)
		}
	}
	for _, bad := range []string{`{"zone":7}`, `{"timezone":"UTC"}`, `{"zone":"` + strings.Repeat("x", 65) + `"}`} {
		if _, err := call(t, "2026-01-01T00:00:00Z", bad); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestSpec(t *testing.T) {
	s := New(time.Now).Spec()
	if tool.CheckName(s.Name) != nil || tool.CheckSchema(s.Parameters) != nil || s.Effect != tool.Reads || s.Taints != "" || len(s.Description) < 50 {
		t.Errorf("%+v", s)
	}
}
