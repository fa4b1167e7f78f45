package router

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/clawless/clawless/server/llm"
)

const (
	listFresh = time.Minute      // how long a list is used without asking again
	listRetry = 10 * time.Second // how long a provider whose list failed is left alone
	listLimit = 3 * time.Second  // how long a caller waits for a list
)

// entry is one provider with its keys and its cached list of models.
type entry struct {
	provider llm.Provider // with the first key
	keys     []*key
	log      *slog.Logger
	now      func() time.Time

	mu     sync.Mutex
	list   []llm.Model
	until  time.Time     // when the list is to be fetched again
	flight chan struct{} // closed when the fetch under way ends; nil when none is
}

func (e *entry) offers(list []llm.Model, model string) bool {
	return slices.ContainsFunc(list, func(m llm.Model) bool { return m.ID == model })
}

// models returns the provider's list: the cached one while there is any, which is renewed behind the caller's back once it is old. Only the first callers of all
// wait, at most listLimit. A list that cannot be had is empty.
func (e *entry) models(ctx context.Context) []llm.Model {
	lister, ok := e.keys[e.pick("")].provider.(llm.ModelLister)
	if !ok {
		return nil
	}
	e.mu.Lock()
	if e.flight == nil && !e.now().Before(e.until) {
		e.flight = make(chan struct{})
		go e.fetch(context.WithoutCancel(ctx), lister, e.flight)
	}
	list, flight, known := e.list, e.flight, !e.until.IsZero()
	e.mu.Unlock()
	if flight == nil || known {
		return list
	}
	limit := time.NewTimer(listLimit)
	defer limit.Stop()
	select {
	case <-flight:
	case <-limit.C:
	case <-ctx.Done():
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.list
}

// fetch renews the list; it outlives its caller, because others wait for it too.
func (e *entry) fetch(ctx context.Context, lister llm.ModelLister, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	list, err := lister.Models(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.log.LogAttrs(ctx, slog.LevelWarn, "a provider's list of models could not be read", tell(asError(e.provider.Name(), err))...)
		e.until = e.now().Add(listRetry)
	} else {
		e.list, e.until = list, e.now().Add(listFresh)
	}
	e.flight = nil
	close(done)
}

// lists returns the list of every entry, asked at the same time.
func (r *Router) lists(ctx context.Context) [][]llm.Model {
	out := make([][]llm.Model, len(r.entries))
	var wg sync.WaitGroup
	for i, e := range r.entries {
		wg.Go(func() { out[i] = e.models(ctx) })
	}
	wg.Wait()
	return out
}

// Models lists every model by its full id, in the operator's order of providers, and then the aliases. It takes three seconds at most; a provider that does not
// answer in that time is left out until it does.
func (r *Router) Models(ctx context.Context) []llm.Model {
	var out []llm.Model
	seen := map[string]bool{}
	for i, list := range r.lists(ctx) {
		for _, m := range list {
			m.ID = r.entries[i].provider.Name() + "/" + m.ID
			if !seen[m.ID] {
				seen[m.ID] = true
				out = append(out, m)
			}
		}
	}
	aliases := make([]string, 0, len(r.opts.Aliases))
	for name := range r.opts.Aliases {
		if !seen[name] {
			aliases = append(aliases, name)
		}
	}
	slices.Sort(aliases)
	for _, name := range aliases {
		out = append(out, llm.Model{ID: name, OwnedBy: "clawless"})
	}
	return out
}

// Health is what asking a provider for its models came to, and what its calls came to lately.
type Health struct {
	Provider string
	Keys     Keys
	Circuits []Circuit     // those that are not closed
	Checked  bool          // false when the provider has no list that could be asked for
	Models   int           // how many it offers
	Latency  time.Duration // how long it took to say so
	Err      *llm.Error    // nil when it answered
}

// Health asks every provider for its models now, past the cache, at the same time and for three seconds at most.
func (r *Router) Health(ctx context.Context) []Health {
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	out := make([]Health, len(r.entries))
	open := r.Circuits()
	var wg sync.WaitGroup
	for i, e := range r.entries {
		name := e.provider.Name()
		out[i].Provider, out[i].Keys = name, e.health()
		for _, c := range open {
			if c.Provider == name {
				out[i].Circuits = append(out[i].Circuits, c)
			}
		}
		lister, ok := e.keys[e.pick("")].provider.(llm.ModelLister)
		if !ok {
			continue
		}
		wg.Go(func() {
			start := time.Now()
			list, err := lister.Models(ctx)
			out[i].Checked, out[i].Models, out[i].Latency = true, len(list), time.Since(start)
			if err != nil {
				out[i].Err = asError(e.provider.Name(), err)
			}
		})
	}
	wg.Wait()
	return out
}
