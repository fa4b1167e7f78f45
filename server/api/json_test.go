package api

import (
	"testing"
	"time"
)

// TestNearest: a slip of the finger finds its field, another word finds none.
func TestNearest(t *testing.T) {
	names := []string{"name", "tier", "settings", "default_model", "monthly_tokens"}
	for word, want := range map[string]string{"nmae": "name", "naem": "name", "Tier": "tier", "setting": "settings", "defaultModel": "default_model", "monthlytoken": "monthly_tokens", "colour": "", "": ""} {
		if got := Nearest(word, names); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

// TestCursors: a position comes back as it was, and nothing else is one.
func TestCursors(t *testing.T) {
	at := time.UnixMicro(1_700_000_000_123_456)
	if got, id, err := ParseTimeCursor(TimeCursor(at, "ses_x y")); err != nil || !got.Equal(at) || id != "ses_x y" {
		t.Errorf("%s %q %v", got, id, err)
	}
	if n, err := ParseNumberCursor(NumberCursor(42)); err != nil || n != 42 {
		t.Errorf("%d %v", n, err)
	}
	for _, bad := range []string{"x", "AAAA", NumberCursor(-1), TimeCursor(at, "a"), "bg"} {
		if n, err := ParseNumberCursor(bad); err == nil {
			t.Errorf("%s is the number %d", bad, n)
		}
	}
	for _, bad := range []string{"x", "AAAA", NumberCursor(1), "dCA"} {
		if at, id, err := ParseTimeCursor(bad); err == nil {
			t.Errorf("%s is the position %s %s", bad, at, id)
		}
	}
}
