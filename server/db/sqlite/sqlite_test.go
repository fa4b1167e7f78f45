package sqlite

import (
	"context"
	"log/slog"
	"strings"
	"testing"
)

// TestPragmasAreReadBack: a setting that SQLite keeps otherwise than asked stops the start, and says why.
func TestPragmasAreReadBack(t *testing.T) {
	asked := writerPragmas
	defer func() { writerPragmas = asked }()
	writerPragmas = append(asked[:len(asked):len(asked)], pragma{"synchronous", "FULL", "3"})
	e, err := Open(context.Background(), Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		_ = e.Close()
		t.Fatal("it was opened")
	}
	for _, word := range []string{"synchronous at 2", "3 is needed", "network share"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}
