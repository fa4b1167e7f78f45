package chat

import (
	"context"
	"sync"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/arrears"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/tenants"
)

// flights are the stateless calls under way. Runs of sessions are the hub's.
type flights struct {
	mu     sync.Mutex
	active map[*call]context.CancelCauseFunc
	closed bool
	empty  chan struct{} // made when closed, and closed when none is left
}

// enter adds a call, unless the server drains.
func (f *flights) enter(k *call, stop context.CancelCauseFunc) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	if f.active == nil {
		f.active = map[*call]context.CancelCauseFunc{}
	}
	f.active[k] = stop
	return true
}

func (f *flights) leave(k *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.active, k)
	f.tellLocked()
}

func (f *flights) tellLocked() {
	if f.closed && len(f.active) == 0 {
		select {
		case <-f.empty:
		default:
			close(f.empty)
		}
	}
}

// close refuses further calls; the channel is closed once none is under way.
func (f *flights) close() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed, f.empty = true, make(chan struct{})
	}
	f.tellLocked()
	return f.empty
}

func (f *flights) stop(match func(Holder) bool, cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, stop := range f.active {
		if match(Holder{k.Tenant.ID, k.Who.KeyID}) {
			stop(cause)
		}
	}
}

// Enter takes the work of another use case in among that under way: Drain waits for it, Stop ends it, and the context ends with its caller or when it takes too long.
// leave must be called.
func (c *Chat) Enter(ctx context.Context, t tenants.Tenant, who auth.Principal) (limited context.Context, leave func(), err error) {
	k := &call{Call: &engine.Call{Tenant: t, Who: who}}
	limited, stop := c.engine.TurnContext(ctx)
	if c.hub.Draining() || !c.flights.enter(k, stop) {
		stop(nil)
		return nil, nil, shuttingDown()
	}
	return limited, func() {
		stop(nil)
		c.flights.leave(k)
	}, nil
}

// Debts are what the store owes to the ledger; other use cases add theirs.
func (c *Chat) Debts() *arrears.Arrears { return c.engine.Debts }

// Holder is who has work under way: a tenant's key, or its widget for a visitor.
type Holder struct{ TenantID, KeyID string }

// Holders lists who has work under way, each once.
func (c *Chat) Holders() []Holder {
	seen := map[Holder]bool{}
	for _, r := range c.hub.Active() {
		seen[Holder{r.TenantID, r.KeyID}] = true
	}
	c.flights.mu.Lock()
	for k := range c.flights.active {
		seen[Holder{k.Tenant.ID, k.Who.KeyID}] = true
	}
	c.flights.mu.Unlock()
	out := make([]Holder, 0, len(seen))
	for h := range seen {
		out = append(out, h)
	}
	return out
}

// Stop ends the work of the holders that match names, with an error event that says cause.
func (c *Chat) Stop(match func(Holder) bool, cause error) {
	c.flights.stop(match, cause)
	c.hub.StopWhere(func(r runs.Run) bool { return match(Holder{r.TenantID, r.KeyID}) }, cause)
}

// Drain refuses new calls and waits for the stateless ones under way until ctx ends, then ends them with an error event. Runs of sessions are the hub's to drain.
func (c *Chat) Drain(ctx context.Context) {
	idle := c.flights.close()
	select {
	case <-idle:
	case <-ctx.Done():
		c.flights.stop(func(Holder) bool { return true }, runs.ErrShutdown)
		select {
		case <-idle:
		case <-time.After(runs.LastWait):
		}
	}
}
