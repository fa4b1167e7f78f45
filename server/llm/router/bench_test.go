package router

import (
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// BenchmarkStream measures what the router adds to an answer of one chunk and to one of two hundred.
func BenchmarkStream(b *testing.B) {
	for name, n := range map[string]int{"one chunk": 1, "200 chunks": 200} {
		p := &fake{name: "a"}
		for range n - 1 {
			p.chunks = append(p.chunks, llm.Chunk{Text: "word"})
		}
		p.chunks = append(p.chunks, llm.Chunk{FinishReason: llm.FinishStop})
		r := New([]llm.Provider{p}, Options{Log: quiet(), OnAttempt: func(Attempt) {}})
		target, err := r.Resolve(b.Context(), "a/m")
		if err != nil {
			b.Fatal(err)
		}
		req := &llm.Request{Stream: true}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range r.Stream(b.Context(), &Call{Targets: []Target{target}, Request: req}) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
