package router

import (
	"context"
	"iter"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// Call is one answer that is wanted, and how it came about. It belongs to one goroutine.
type Call struct {
	Targets []Target     // tried in order; at least one
	Request *llm.Request // Model is replaced by each target's
	Caller  string       // who asks, by an id that nobody but the operator's own code understands; his failures close models to him first
	// For gives the request as a target gets it, or says why the target cannot have it. It is asked when the target's turn comes and once more when an earlier
	// one failed, and must give the same each time. Nil: every target gets Request.
	For      func(Target) (*llm.Request, *llm.Error)
	Attempts []Attempt // grows while the range runs: every call of a provider and every target that was passed over
	Used     Target    // the target whose chunks are yielded; zero before the first chunk
}

// Stream runs the call: the first target that answers gives the chunks, and what fails before its first chunk is tried again there, with another key or at the next
// target, whichever is at hand. After the first chunk nothing is tried again: whatever happens then ends the range. Errors are *llm.Error. An answer that ends
// without a finish reason is an error, even if the driver forgot to say so.
func (r *Router) Stream(ctx context.Context, c *Call) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		c.Used = Target{}
		w := walk{router: r, ctx: ctx, call: c, yield: yield}
		if fail := w.run(); fail != nil && !w.left {
			yield(llm.Chunk{}, fail)
		}
	}
}

// Embed makes the vectors at one target, with the same retries, keys and circuits as Stream, for the caller of that name. The error is an *llm.Error.
func (r *Router) Embed(ctx context.Context, t Target, caller string, req *llm.EmbedRequest) (*llm.Embeddings, []Attempt, error) {
	if _, ok := t.Provider.(llm.Embedder); !ok {
		return nil, nil, &llm.Error{Class: llm.ClassInvalid, Provider: t.Provider.Name(), Param: "model", Message: "the provider " + t.Provider.Name() + " makes no embeddings; choose another model"}
	}
	c := Call{Targets: []Target{t}, Caller: caller}
	w := walk{router: r, ctx: ctx, call: &c, embed: req}
	if fail := w.run(); fail != nil {
		return nil, c.Attempts, fail
	}
	return w.vectors, c.Attempts, nil
}

// attempt is one call of one provider. It yields the chunks and returns the failure, so that the caller may decide what to do about it.
func (w *walk) attempt(p llm.Provider, a *Attempt, pass *pass) *llm.Error {
	own := *w.req
	own.Model = a.Target.Model
	finished := false
	for chunk, err := range p.Stream(w.ctx, &own) {
		if err != nil {
			return asError(p.Name(), err)
		}
		if a.First == 0 {
			a.First = max(time.Since(a.Start), time.Nanosecond)
			w.shown, w.call.Used = true, a.Target
			pass.begun()
		}
		if chunk.Usage != nil {
			a.Usage = chunk.Usage
		}
		finished = finished || chunk.FinishReason != ""
		if !w.yield(chunk, nil) {
			w.left, a.Left = true, true
			return nil
		}
	}
	if !finished {
		return &llm.Error{Class: llm.ClassBroken, Provider: p.Name(), Message: "the answer ended without a finish reason"}
	}
	return nil
}

// vectorize is the same for an embedding.
func (w *walk) vectorize(p llm.Provider, a *Attempt) *llm.Error {
	own := *w.embed
	own.Model = a.Target.Model
	e, ok := p.(llm.Embedder)
	if !ok {
		return &llm.Error{Class: llm.ClassInvalid, Provider: p.Name(), Param: "model", Message: "the provider makes no embeddings"}
	}
	out, err := e.Embed(w.ctx, &own)
	if err != nil {
		return asError(p.Name(), err)
	}
	a.First, a.Usage, w.vectors = max(time.Since(a.Start), time.Nanosecond), out.Usage, out
	return nil
}
