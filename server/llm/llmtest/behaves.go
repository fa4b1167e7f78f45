package llmtest

import (
	"context"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// Behaves checks what every provider promises, whether it has a network or not, with a request that it answers in several chunks.
func Behaves(t *testing.T, p llm.Provider, req llm.Request) {
	t.Helper()
	t.Run("streamed", func(t *testing.T) {
		req.Stream = true
		if a := Collect(t, p.Stream(t.Context(), &req)); a.Err != nil || a.Usage == nil || a.Model == "" {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("in one piece", func(t *testing.T) {
		req.Stream = false
		if a := Collect(t, p.Stream(t.Context(), &req)); a.Err != nil || a.Chunks != 1 || a.Usage == nil || a.Model == "" {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("the reader leaves", func(t *testing.T) {
		req.Stream = true
		n := 0
		for _, err := range p.Stream(t.Context(), &req) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			break
		}
		if n != 1 {
			t.Errorf("%d chunks", n)
		}
	})
	t.Run("cancelled before the call", func(t *testing.T) {
		req.Stream = true
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if a := Collect(t, p.Stream(ctx, &req)); a.Err == nil || a.Err.Class != llm.ClassCanceled || a.Chunks != 0 {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("the range can begin anew", func(t *testing.T) {
		req.Stream = true
		seq := p.Stream(t.Context(), &req)
		first, second := Collect(t, seq), Collect(t, seq)
		if first.Err != nil || first.Text != second.Text || len(first.Calls) != len(second.Calls) {
			t.Errorf("got %+v and %+v", first, second)
		}
	})
}
