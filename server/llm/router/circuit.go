package router

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/clawless/clawless/server/llm"
)

// The numbers of a circuit.
const (
	opensAfter  = 5  // failures; retries of one call count once
	outOf       = 10 // answers, counted from the first failure on
	maxCircuits = 1024
	probeWait   = time.Second // what is said of a model that another caller is trying just now
)

// coolings are how long a circuit stays open, by how often it opened without a whole answer in between.
var coolings = []time.Duration{30 * time.Second, time.Minute, 5 * time.Minute}

// breaks reports whether a failure counts against the model at its provider. Those of the request, of the account and of the caller do not, and neither do rate
// limits: their wait is the key's, and an answer that comes at the second try is still an answer.
func breaks(c llm.Class) bool {
	switch c {
	case llm.ClassServer, llm.ClassOverloaded, llm.ClassUnreachable, llm.ClassTimeout, llm.ClassBroken:
		return true
	}
	return false
}

// circuits are those of the models that failed at least once. Model names come from tenants, so there is no circuit before a failure that is the provider's, and
// never more than maxCircuits.
type circuits struct {
	mu   sync.RWMutex
	byID map[string]*circuit
}

// circuit is one model at one provider. The breaker has the state, the window of the last calls, the delay and the single probe; what is added is the
// lengthening of the delay and the end of calls that were begun before the circuit opened.
type circuit struct {
	provider, model string

	mu      sync.Mutex
	breaker circuitbreaker.CircuitBreaker[any]
	opened  int       // how often; a call that began before the last time says nothing about now
	row     int       // how often without a whole answer in between
	probing bool      // a probe is under way
	class   llm.Class // of the failure that opened it
	used    time.Time
}

func newBreaker(delay time.Duration) circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().WithFailureThresholdRatio(opensAfter, outOf).WithSuccessThreshold(1).WithDelay(delay).Build()
}

// pass is the permission for one call.
type pass struct {
	*circuit
	all    *circuits
	target Target
	opened int
	probe  bool
}

// enter asks for permission to call a target. Without it, wait says for how long the circuit stays open.
func (cs *circuits) enter(t Target) (p pass, wait time.Duration, ok bool) {
	p = pass{all: cs, target: t}
	if p.circuit = cs.find(t.ID); p.circuit == nil {
		return p, 0, true
	}
	c := p.circuit
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = time.Now()
	if !c.breaker.TryAcquirePermit() {
		return p, c.wait(), false
	}
	p.opened, p.probe = c.opened, c.breaker.IsHalfOpen()
	c.probing = p.probe
	return p, 0, true
}

func (cs *circuits) find(id string) *circuit {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return cs.byID[id]
}

// wait is for how long nobody may call; the caller holds the lock.
func (c *circuit) wait() time.Duration {
	if d := c.breaker.RemainingDelay(); d > 0 || !c.probing {
		return d
	}
	return probeWait
}

// begun takes in that the first chunk came: a probe has succeeded so far, and others need not wait for its end.
func (p *pass) begun() {
	if p.circuit == nil || !p.probe {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened == p.circuit.opened && p.breaker.IsHalfOpen() {
		p.breaker.RecordSuccess()
		p.probing = false
	}
}

// settle takes in the end of the call: whole is a complete answer, fail the failure; neither is a reader who left.
func (p *pass) settle(fail *llm.Error, whole bool) {
	bad := fail != nil && breaks(fail.Class)
	if p.circuit == nil {
		if !bad {
			return
		}
		if p.circuit = p.all.make(p.target); p.circuit == nil {
			return
		}
	}
	c := p.circuit
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.opened != c.opened {
		return
	}
	switch {
	case bad && p.probe:
		c.open(fail.Class)
	case bad:
		if c.breaker.RecordFailure(); c.breaker.IsOpen() {
			c.open(fail.Class)
		}
	case whole:
		c.breaker.RecordSuccess()
		c.row = 0
	case p.probe && c.breaker.IsHalfOpen(): // nothing was learned: the next caller may try
		c.breaker = newBreaker(0)
		c.breaker.Open()
	}
	if p.probe {
		c.probing = false
	}
}

// open opens the circuit for as long as it is its turn; the caller holds the lock.
func (c *circuit) open(class llm.Class) {
	c.breaker = newBreaker(coolings[min(c.row, len(coolings)-1)])
	c.breaker.Open()
	c.opened++
	c.row++
	c.class = class
}

// make returns the circuit of a target that failed. When there are too many, the one that was not used for the longest time makes room, unless it is open; nil when there is none.
func (cs *circuits) make(t Target) *circuit {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c := cs.byID[t.ID]; c != nil {
		return c
	}
	if cs.byID == nil {
		cs.byID = map[string]*circuit{}
	}
	if len(cs.byID) >= maxCircuits && !cs.evict() {
		return nil
	}
	c := &circuit{provider: t.Provider.Name(), model: t.Model, breaker: newBreaker(coolings[0]), used: time.Now()}
	cs.byID[t.ID] = c
	return c
}

// evict removes the circuit that was not used for the longest time, of those that may be called. It reports false when there is none.
func (cs *circuits) evict() bool {
	var oldest string
	var at time.Time
	for id, c := range cs.byID {
		c.mu.Lock()
		idle, used := c.wait() == 0, c.used
		c.mu.Unlock()
		if idle && (oldest == "" || used.Before(at)) {
			oldest, at = id, used
		}
	}
	delete(cs.byID, oldest)
	return oldest != ""
}

// Circuit is the circuit of one model at one provider that is not closed.
type Circuit struct {
	Provider string
	Model    string    // the provider's own name
	State    string    // "open", or "half_open" when the next caller may try
	Until    time.Time // when it may be tried again; zero when it may be
	Class    llm.Class // of the failure that opened it
}

// Circuits lists the circuits that are not closed, by provider and model.
func (r *Router) Circuits() []Circuit {
	r.circuits.mu.RLock()
	defer r.circuits.mu.RUnlock()
	out := []Circuit{}
	for _, c := range r.circuits.byID {
		c.mu.Lock()
		if !c.breaker.IsClosed() {
			one := Circuit{Provider: c.provider, Model: c.model, State: "half_open", Class: c.class}
			if wait := c.breaker.RemainingDelay(); wait > 0 {
				one.State, one.Until = "open", time.Now().Add(wait)
			}
			out = append(out, one)
		}
		c.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Circuit) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	return out
}

// Cooling returns how long the circuit of provider/model stays open; zero when it is closed or may be tried.
func (r *Router) Cooling(id string) time.Duration {
	c := r.circuits.find(id)
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wait()
}
