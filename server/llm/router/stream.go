package router

import (
	"context"
	"iter"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// Stream runs req at the target. The chunks and errors are the provider's; an answer that ends without a finish reason is an error here even if the driver forgot
// to say so. req.Model is replaced by the target's.
func (r *Router) Stream(ctx context.Context, target Target, req *llm.Request) iter.Seq2[llm.Chunk, error] {
	own := *req
	own.Model = target.Model
	return func(yield func(llm.Chunk, error) bool) {
		a := Attempt{Target: target, Start: r.opts.now()}
		defer func() {
			if r.opts.OnAttempt != nil {
				a.Duration = r.opts.now().Sub(a.Start)
				r.opts.OnAttempt(a)
			}
		}()
		if a.Err = r.attempt(ctx, &own, &a, yield); a.Err != nil && !a.Left {
			r.log(ctx, a)
			yield(llm.Chunk{}, a.Err)
		}
	}
}

// attempt is one call of one provider. It yields the chunks and returns the failure, so that the caller may decide what to do about it.
func (r *Router) attempt(ctx context.Context, req *llm.Request, a *Attempt, yield func(llm.Chunk, error) bool) *llm.Error {
	name, finished := a.Target.Provider.Name(), false
	for chunk, err := range a.Target.Provider.Stream(ctx, req) {
		if err != nil {
			return asError(name, err)
		}
		if a.First == 0 {
			a.First = max(r.opts.now().Sub(a.Start), time.Nanosecond)
		}
		if chunk.Usage != nil {
			a.Usage = chunk.Usage
		}
		finished = finished || chunk.FinishReason != ""
		if !yield(chunk, nil) {
			a.Left = true
			return nil
		}
	}
	if !finished {
		return &llm.Error{Class: llm.ClassBroken, Provider: name, Message: "the answer ended without a finish reason"}
	}
	return nil
}

// log tells the operator what the tenant is not told. A caller that went away is no news.
func (r *Router) log(ctx context.Context, a Attempt) {
	if a.Err.Class == llm.ClassCanceled {
		return
	}
	r.opts.Log.WarnContext(ctx, "a provider failed", "provider", a.Err.Provider, "model", a.Target.Model, "class", string(a.Err.Class), "status", a.Err.Status,
		"code", a.Err.Code, "error", a.Err.Error())
}
