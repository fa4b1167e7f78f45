package router

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// circuits are those of the models that failed at least once. Model names come from tenants, so there is no circuit before a failure that is the provider's, and
// never more than maxCircuits.
type circuits struct {
	mu   sync.RWMutex // taken before a model's
	byID map[string]*model
	n    int // circuits of callers
}

// model is one model at one provider. Each caller has a circuit of his own, so that one whose requests make a server fail shuts out nobody else; when several have
// met failures, the model is the reason, and the circuit for all opens.
type model struct {
	provider, name string

	mu      sync.Mutex
	all     circuit // for those whose own circuit is closed
	callers map[string]*circuit
}

// pass is the permission for one call.
type pass struct {
	circuits *circuits
	target   Target
	caller   string
	own      *circuit // nil while the caller has none
	opened   int      // how often it had opened
	all      *circuit // nil while the model has none
	allOpen  int      // how often that had opened
	probe    *circuit // of the two, which one the call tries; nil when it tries none
}

// enter asks for permission to call a target. Without it, wait says for how long the model is left alone. A caller's own circuit decides where it is open; one that
// may be tried is tried, whatever others have met.
func (cs *circuits) enter(t Target, caller string) (p pass, wait time.Duration, ok bool) {
	p = pass{circuits: cs, target: t, caller: caller}
	m := cs.find(t.ID)
	if m == nil {
		return p, 0, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p.all, p.allOpen = &m.all, m.all.opened
	decides := &m.all
	if p.own = m.callers[caller]; p.own != nil {
		p.own.used = time.Now()
		p.opened = p.own.opened
		if !p.own.closed() {
			decides = p.own
		}
	}
	ok, probe := decides.acquire()
	if !ok {
		return p, decides.wait(), false
	}
	if probe {
		p.probe = decides
	}
	return p, 0, true
}

func (cs *circuits) find(id string) *model {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return cs.byID[id]
}

// begun takes in that the first chunk came: a probe has succeeded so far, and others need not wait for its end.
func (p *pass) begun() {
	c, opened := p.probe, p.opened
	if c == nil {
		return
	}
	if c == p.all {
		opened = p.allOpen
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if opened == c.opened && c.breaker.IsHalfOpen() {
		c.succeeded()
	}
}

// settle takes in the end of the call: whole is a complete answer, fail the failure; neither is a reader who left. A failed probe of the circuit for all opens the
// caller's own as well, so that nobody fails there twice in a row.
func (p *pass) settle(fail *llm.Error, whole bool) {
	if p.all != nil && (p.probe == p.all || whole) {
		p.all.of.mu.Lock()
		if p.all.breaker != nil {
			p.all.settle(p.allOpen, p.probe == p.all, fail, whole)
		}
		p.all.of.mu.Unlock()
	}
	if p.own == nil && fail != nil && breaks(fail.Class) {
		p.own = p.circuits.make(p.target, p.caller)
	}
	if p.own != nil {
		p.own.of.mu.Lock()
		p.own.settle(p.opened, p.probe != nil, fail, whole)
		p.own.of.mu.Unlock()
	}
}

// gather opens the circuit for all when enough callers have met failures of which nothing is known that speaks for the model.
func (m *model) gather(class llm.Class) {
	n, now := 0, time.Now()
	for _, c := range m.callers {
		if !c.closed() && now.Before(c.counts) {
			n++
		}
	}
	if n >= forAll && m.all.closed() {
		m.all.open(class)
	}
}

// answered takes in that the model works for somebody: circuits that are still open are their callers' own affair until they open again. Where it was not the
// circuit for all that was tried, whoever is trying that one just now tells nothing about all any more.
func (m *model) answered(to *circuit) {
	if to != &m.all && !m.all.closed() {
		m.all.breaker.Close()
		m.all.opened++
		m.all.probing = false
	}
	for _, c := range m.callers {
		c.counts = time.Time{}
	}
}

// make returns the circuit of a caller whose call of the target failed. When there are too many, the one that was not used for the longest time makes room, unless it
// is open; nil when there is none.
func (cs *circuits) make(t Target, caller string) *circuit {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	m := cs.byID[t.ID]
	if m != nil {
		m.mu.Lock()
		c := m.callers[caller]
		m.mu.Unlock()
		if c != nil {
			return c
		}
	}
	if cs.n >= maxCircuits && !cs.evict() {
		return nil
	}
	if m = cs.byID[t.ID]; m == nil { // it may have made room itself
		m = &model{provider: t.Provider.Name(), name: t.Model, callers: map[string]*circuit{}}
		m.all.of = m
		if cs.byID == nil {
			cs.byID = map[string]*model{}
		}
		cs.byID[t.ID] = m
	}
	c := &circuit{of: m, breaker: newBreaker(coolings[0]), used: time.Now()}
	m.mu.Lock()
	m.callers[caller] = c
	m.mu.Unlock()
	cs.n++
	return c
}

// evict removes the circuit that was not used for the longest time, of those that may be called. It reports false when there is none.
func (cs *circuits) evict() bool {
	var id, caller string
	var at time.Time
	found := false
	for i, m := range cs.byID {
		m.mu.Lock()
		for name, c := range m.callers {
			if c.wait() == 0 && m.all.wait() == 0 && (!found || c.used.Before(at)) {
				id, caller, at, found = i, name, c.used, true
			}
		}
		m.mu.Unlock()
	}
	if !found {
		return false
	}
	m := cs.byID[id]
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.callers, caller)
	if cs.n--; len(m.callers) == 0 {
		delete(cs.byID, id)
	}
	return true
}

// Circuit is one model at one provider that is left alone, for everybody or for some callers.
type Circuit struct {
	Provider string
	Model    string    // the provider's own name
	State    string    // "open", or "half_open" when the next caller may try
	Until    time.Time // when it may be tried again; zero when it may be
	Class    llm.Class // of the failure that opened it
	Callers  int       // whose own circuits are not closed
	All      bool      // it is left alone for everybody, not only for those callers
}

// Circuits lists the models whose circuits are not closed, by provider and model. Where one is not closed to everybody, state, time and class are those of the caller
// who waits longest.
func (r *Router) Circuits() []Circuit {
	r.circuits.mu.RLock()
	defer r.circuits.mu.RUnlock()
	out := []Circuit{}
	for _, m := range r.circuits.byID {
		if one, ok := m.report(); ok {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b Circuit) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	return out
}

// report sums the circuits of a model up; ok is false when all are closed.
func (m *model) report() (one Circuit, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one = Circuit{Provider: m.provider, Model: m.name, State: "half_open", All: !m.all.closed()}
	var longest *circuit
	for _, c := range m.callers {
		if c.closed() {
			continue
		}
		one.Callers++
		if longest == nil || c.breaker.RemainingDelay() > longest.breaker.RemainingDelay() {
			longest = c
		}
	}
	if one.All {
		longest = &m.all
	}
	if longest == nil {
		return one, false
	}
	one.Class = longest.class
	if wait := longest.breaker.RemainingDelay(); wait > 0 {
		one.State, one.Until = "open", time.Now().Add(wait)
	}
	return one, true
}

// Cooling returns for how long provider/model is left alone for a caller; zero when he may call it, or try it.
func (r *Router) Cooling(id, caller string) time.Duration {
	m := r.circuits.find(id)
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if own := m.callers[caller]; own != nil && !own.closed() {
		return own.wait()
	}
	return m.all.wait()
}
