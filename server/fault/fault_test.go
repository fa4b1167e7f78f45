package fault

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"
)

// TestCatalogue: every code once, with a status, a type, a meaning and something to do.
func TestCatalogue(t *testing.T) {
	seen := map[Code]bool{}
	for _, s := range Catalogue {
		if seen[s.Code] || !regexp.MustCompile(`^[a-z_]+$`).MatchString(string(s.Code)) {
			t.Errorf("code %s", s.Code)
		}
		seen[s.Code] = true
		if s.Status < 400 || s.Status > 599 || s.Type == "" || s.Meaning == "" || s.Do == "" || Lookup(s.Code) != s {
			t.Errorf("%+v", s)
		}
	}
	if Lookup("no_such_code").Code != Internal {
		t.Error("an unknown code is not an internal error")
	}
}

// TestFrom: a fault is found however deep it is wrapped, and what is none shows nothing of itself.
func TestFrom(t *testing.T) {
	f := New(NotFound, "no such %s", "key")
	if got := From(fmt.Errorf("reading: %w", f)); got != f || !Is(fmt.Errorf("x: %w", f), NotFound) || Is(f, Conflict) {
		t.Errorf("%v", got)
	}
	for err, want := range map[error]Code{errors.New("password=hunter2"): Internal, context.Canceled: Canceled, fmt.Errorf("x: %w", context.DeadlineExceeded): Timeout} {
		got := From(err)
		if got.Code != want || regexp.MustCompile("hunter2").MatchString(got.Message) || !errors.Is(got, err) {
			t.Errorf("%v became %+v", err, got)
		}
	}
	if From(nil) != nil || Is(nil, Internal) {
		t.Error("nil is a fault")
	}
}
