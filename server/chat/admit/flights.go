package admit

import (
	"context"
	"sync"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/tenants"
)

// flights are the stateless calls under way. Runs of sessions are the hub's.
type flights struct {
	mu     sync.Mutex
	active map[*engine.Call]context.CancelCauseFunc
	closed bool
	empty  chan struct{} // made when closed, and closed when none is left
}

// enter adds a call, unless the server drains.
func (f *flights) enter(k *engine.Call, stop context.CancelCauseFunc) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	if f.active == nil {
		f.active = map[*engine.Call]context.CancelCauseFunc{}
	}
	f.active[k] = stop
	return true
}

func (f *flights) leave(k *engine.Call) {
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

// Admit takes a call in among those under way, unless the server drains. stop ends it; Leave must be called.
func (d *Door) Admit(k *engine.Call, stop context.CancelCauseFunc) bool {
	return d.flights.enter(k, stop)
}

// Leave says that a call is over, or has become a run.
func (d *Door) Leave(k *engine.Call) { d.flights.leave(k) }

// Enter takes the work of another use case in among that under way: Drain waits for it, Stop ends it, and the context ends with its caller or when it takes too long.
// leave must be called.
func (d *Door) Enter(ctx context.Context, t tenants.Tenant, who auth.Principal) (limited context.Context, leave func(), err error) {
	k := &engine.Call{Tenant: t, Who: who}
	limited, stop := d.engine.TurnContext(ctx)
	if d.hub.Draining() || !d.flights.enter(k, stop) {
		stop(nil)
		return nil, nil, ShuttingDown()
	}
	return limited, func() {
		stop(nil)
		d.flights.leave(k)
	}, nil
}

// Holder is who has work under way: a tenant's key, or its widget for a visitor.
type Holder struct{ TenantID, KeyID string }

// Holders lists who has work under way, each once.
func (d *Door) Holders() []Holder {
	seen := map[Holder]bool{}
	for _, r := range d.hub.Active() {
		seen[Holder{r.TenantID, r.KeyID}] = true
	}
	d.flights.mu.Lock()
	for k := range d.flights.active {
		seen[Holder{k.Tenant.ID, k.Who.KeyID}] = true
	}
	d.flights.mu.Unlock()
	out := make([]Holder, 0, len(seen))
	for h := range seen {
		out = append(out, h)
	}
	return out
}

// Stop ends the work of the holders that match names, with an error event that says cause.
func (d *Door) Stop(match func(Holder) bool, cause error) {
	d.flights.stop(match, cause)
	d.hub.StopWhere(func(r runs.Run) bool { return match(Holder{r.TenantID, r.KeyID}) }, cause)
}

// Drain refuses new calls and waits for the stateless ones under way until ctx ends, then ends them with an error event. Runs of sessions are the hub's to drain.
func (d *Door) Drain(ctx context.Context) {
	idle := d.flights.close()
	select {
	case <-idle:
	case <-ctx.Done():
		d.flights.stop(func(Holder) bool { return true }, runs.ErrShutdown)
		select {
		case <-idle:
		case <-time.After(runs.LastWait):
		}
	}
}
