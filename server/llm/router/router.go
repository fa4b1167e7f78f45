// Package router finds the provider that runs a model, streams from it and turns its failures into faults.
package router

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// mockName is the name of the built-in provider, which does not count when a bare model name could only mean one provider.
const mockName = "mock"

// Options are what an operator may set.
type Options struct {
	Aliases   map[string]string // other names of models: "fast" -> "openai/gpt-4o-mini"; an alias never hides a "provider/model"
	Log       *slog.Logger      // nil: slog.Default
	OnAttempt func(Attempt)     // called once after every call of a provider, on the goroutine that ranged over it; nil for none
	now       func() time.Time  // the clock, replaced by tests
}

// Attempt is what one call of a provider came to, for metrics and for scoring.
type Attempt struct {
	Target   Target
	Start    time.Time
	First    time.Duration // until the first chunk; zero when none came
	Duration time.Duration // until the end, including the time the reader took
	Usage    *llm.Usage    // nil when the provider gave none
	Err      *llm.Error    // nil when the answer was complete or the reader left
	Left     bool          // the reader ended the range before the answer did
}

// Target is one model at one provider.
type Target struct {
	Provider llm.Provider
	Model    string // the provider's own name
	ID       string // provider/model
}

// Router knows the providers. It is safe for concurrent use and its providers never change; make a new one to change them.
type Router struct {
	entries []*entry
	byName  map[string]*entry
	sole    *entry // the only provider besides mock, nil when there are none or several
	opts    Options
}

// New makes a router over the providers, in the operator's order: where two offer a model of the same bare name, the first one has it. Of two providers with one
// name the later is ignored.
func New(providers []llm.Provider, opts Options) *Router {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.now == nil {
		opts.now = time.Now
	}
	r := &Router{byName: map[string]*entry{}, opts: opts}
	others := 0
	for _, p := range providers {
		if r.byName[p.Name()] != nil {
			opts.Log.Warn("two providers have the same name; the second one is ignored", "provider", p.Name())
			continue
		}
		e := &entry{provider: p, now: opts.now, log: opts.Log}
		r.byName[p.Name()] = e
		r.entries = append(r.entries, e)
		if p.Name() != mockName {
			others++
			r.sole = e
		}
	}
	if others != 1 {
		r.sole = nil
	}
	return r
}

// Providers returns the names of the providers in the operator's order.
func (r *Router) Providers() []string {
	out := make([]string, len(r.entries))
	for i, e := range r.entries {
		out[i] = e.provider.Name()
	}
	return out
}

// Resolve finds the target of a model's name: "provider/model" of a configured provider, an alias, or a bare name that a provider lists. When only one provider
// besides mock is configured it gets every other bare name. Anything else is the fault model_not_found.
func (r *Router) Resolve(ctx context.Context, model string) (Target, error) {
	if t, ok := r.direct(model); ok {
		return t, nil
	}
	if to, ok := r.opts.Aliases[model]; ok {
		if t, ok := r.direct(to); ok {
			return t, nil
		}
		if to != model {
			if t, ok := r.bare(ctx, to); ok {
				return t, nil
			}
		}
		return Target{}, notFound(model)
	}
	if t, ok := r.bare(ctx, model); ok {
		return t, nil
	}
	return Target{}, notFound(model)
}

// direct splits "provider/model" at the first slash, when what stands before it is a configured provider.
func (r *Router) direct(id string) (Target, bool) {
	name, model, ok := strings.Cut(id, "/")
	if !ok || model == "" || r.byName[name] == nil {
		return Target{}, false
	}
	return Target{Provider: r.byName[name].provider, Model: model, ID: id}, true
}

// bare finds a name without a provider. Lists are asked at the same time and from the cache; one that fails only hides its own models.
func (r *Router) bare(ctx context.Context, model string) (Target, bool) {
	if model == "" {
		return Target{}, false
	}
	if e := r.byName[mockName]; e != nil && e.offers(e.models(ctx), model) {
		return e.target(model), true
	}
	if r.sole != nil {
		return r.sole.target(model), true
	}
	lists := r.lists(ctx)
	for i, e := range r.entries {
		if e.offers(lists[i], model) {
			return e.target(model), true
		}
	}
	return Target{}, false
}

// shownName is how much of an unknown name is repeated to the caller.
const shownName = 100

func notFound(model string) error {
	if r := []rune(model); len(r) > shownName {
		model = string(r[:shownName]) + "…"
	}
	return fault.New(fault.ModelNotFound, "no provider offers the model %q; GET /v1/models lists what there is", model).WithParam("model")
}
