// Package router finds the provider that runs a model, streams from it and turns its failures into faults.
package router

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
)

// mockName is the name of the built-in provider, which does not count when a bare model name could only mean one provider.
const mockName = "mock"

// Options are what an operator may set.
type Options struct {
	Aliases   map[string]string // other names of models: "fast" -> "openai/gpt-4o-mini"; an alias never hides a "provider/model"
	Log       *slog.Logger      // nil: slog.Default
	OnAttempt func(Attempt)     // called once after every call of a provider, on the goroutine that ranged over it; nil for none
	// Lookup says what is known of a model, by the provider's name and the provider's own name for it; nil when nothing is.
	Lookup func(provider, model string) (catalog.Info, bool)
	now    func() time.Time // the clock of the lists of models, replaced by tests
	steady bool             // waits without jitter, for tests
}

// Why a target was passed over (Attempt.Skipped).
const (
	SkippedCooling     = "cooling"        // its circuit is open
	SkippedUnsupported = "unsupported"    // Call.For, its driver or its provider has no such parameter, and another target followed; Attempt.Err says why
	SkippedContext     = "context_window" // an earlier target found the conversation too long, and this one takes no more
)

// Attempt is what one call of a provider came to, or that a target was passed over.
type Attempt struct {
	Target   Target
	Key      int    // which of the provider's keys, from 1; zero when no call was made
	Skipped  string // why it was passed over; empty when it was called
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
	Info     catalog.Info
	Known    bool // Info comes from the table
}

// Router knows the providers. It is safe for concurrent use and its providers never change; make a new one to change them.
type Router struct {
	entries []*entry
	byName  map[string]*entry
	sole    *entry // the only provider besides mock, nil when there are none or several
	opts    Options

	retry    retrypolicy.RetryPolicy[try]
	circuits circuits
}

// New makes a router over the providers, in the operator's order: where two offer a model of the same bare name, the first one has it. Providers with one name are
// one provider with several keys, which take over from each other in that order.
func New(providers []llm.Provider, opts Options) *Router {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.now == nil {
		opts.now = time.Now
	}
	r := &Router{byName: map[string]*entry{}, opts: opts, retry: retries(opts.steady)}
	others := 0
	for _, p := range providers {
		if e := r.byName[p.Name()]; e != nil {
			e.keys = append(e.keys, &key{provider: p})
			continue
		}
		e := &entry{provider: p, keys: []*key{{provider: p}}, now: opts.now, log: opts.Log}
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
	return r.target(r.byName[name], model), true
}

func (r *Router) target(e *entry, model string) Target {
	name := e.provider.Name()
	t := Target{Provider: e.provider, Model: model, ID: name + "/" + model}
	if r.opts.Lookup != nil {
		t.Info, t.Known = r.opts.Lookup(name, model)
	}
	return t
}

// bare finds a name without a provider. Lists are asked at the same time and from the cache; one that fails only hides its own models.
func (r *Router) bare(ctx context.Context, model string) (Target, bool) {
	if model == "" {
		return Target{}, false
	}
	if e := r.byName[mockName]; e != nil && e.offers(e.models(ctx), model) {
		return r.target(e, model), true
	}
	if r.sole != nil {
		return r.target(r.sole, model), true
	}
	lists := r.lists(ctx)
	for i, e := range r.entries {
		if e.offers(lists[i], model) {
			return r.target(e, model), true
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
