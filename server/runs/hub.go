package runs

import (
	"context"
	"sync"
	"time"

	"github.com/clawless/clawless/server/fault"
)

// Hub holds the runs of this process: those under way, and the finished ones whose events are still kept.
type Hub struct {
	retention time.Duration
	maxBytes  int64

	mu       sync.Mutex
	runs     map[string]*Live // all of them, by id
	active   map[string]*Live // those under way
	finished []*Live          // the others, oldest first
	kept     int64            // bytes of the finished ones' logs
	draining bool
	wg       sync.WaitGroup
}

// Live is a run in this process.
type Live struct {
	Run    Run
	Log    *Log
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when its goroutine has settled everything
	until  time.Time     // when a finished one is dropped
	size   int64         // of a finished one's log
}

// Why a run's context ended; the goroutine reads it with context.Cause.
var (
	ErrCancelled = fault.New(fault.RunCancelled, "the run was cancelled")
	ErrShutdown  = fault.New(fault.RunInterrupted, "the server stopped before the answer was complete; send the turn again")
)

// NewHub makes a hub that keeps finished runs' events for retention, and at most maxBytes of them.
func NewHub(retention time.Duration, maxBytes int64) *Hub {
	return &Hub{retention: retention, maxBytes: maxBytes, runs: map[string]*Live{}, active: map[string]*Live{}}
}

// Start runs fn in a goroutine of its own under a context that no connection ends. fn must append Done or Failure to the log before it returns.
// It fails with shutting_down once the hub drains.
func (h *Hub) Start(ctx context.Context, r Run, fn func(context.Context, *Live)) (*Live, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return nil, fault.New(fault.ShuttingDown, "the server is shutting down; try again in some seconds")
	}
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	l := &Live{Run: r, Log: newLog(), cancel: cancel, done: make(chan struct{})}
	h.runs[r.ID], h.active[r.ID] = l, l
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		defer close(l.done)
		defer cancel(nil)
		defer h.finish(l)
		fn(run, l)
	}()
	return l, nil
}

// Over makes a run that is over and in no hub: fill appends its events, the last of which is Done or Failure.
func Over(r Run, fill func(*Log)) *Live {
	l := &Live{Run: r, Log: newLog(), cancel: func(error) {}, done: make(chan struct{})}
	fill(l.Log)
	close(l.done)
	return l
}

// Draining reports whether new work is refused.
func (h *Hub) Draining() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.draining
}

// Get returns a run of the tenant that this process holds. A non-empty owner sees only its own.
func (h *Hub) Get(tenantID, owner, id string) (*Live, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, ok := h.runs[id]
	if !ok || l.Run.TenantID != tenantID || owner != "" && l.Run.EndUser != owner {
		return nil, false
	}
	return l, true
}

// Active lists the runs under way.
func (h *Hub) Active() []Run {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Run, 0, len(h.active))
	for _, l := range h.active {
		out = append(out, l.Run)
	}
	return out
}

// StopWhere cancels every run under way that match names, with cause.
func (h *Hub) StopWhere(match func(Run) bool, cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.active {
		if match(l.Run) {
			l.cancel(cause)
		}
	}
}

// Cancel stops a run and waits until it has settled or ctx ends. A finished one stays as it is.
func (l *Live) Cancel(ctx context.Context) error {
	l.cancel(ErrCancelled)
	return l.Wait(ctx)
}

// Wait returns when the run has settled.
func (l *Live) Wait(ctx context.Context) error {
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Hub) finish(l *Live) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	l.until, l.size = now.Add(h.retention), l.Log.size()
	delete(h.active, l.Run.ID)
	h.finished = append(h.finished, l)
	h.kept += l.size
	h.dropLocked(now)
}

// Sweep drops finished runs whose time is over; it is a periodic job.
func (h *Hub) Sweep(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropLocked(time.Now())
	return nil
}

func (h *Hub) dropLocked(now time.Time) {
	for len(h.finished) > 0 && (!h.finished[0].until.After(now) || h.kept > h.maxBytes) {
		l := h.finished[0]
		h.kept -= l.size
		delete(h.runs, l.Run.ID)
		h.finished[0] = nil
		h.finished = h.finished[1:]
	}
}

// Drain refuses new runs, gives those under way until ctx ends, then stops them and waits until they have settled, LastWait at most.
func (h *Hub) Drain(ctx context.Context) {
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		h.wg.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return
	case <-ctx.Done():
	}
	h.StopWhere(func(Run) bool { return true }, ErrShutdown)
	select {
	case <-idle:
	case <-time.After(LastWait):
	}
}

// LastWait is how long work that was told to stop may take to settle when the server ends. What takes longer is left behind: the next start puts it right.
const LastWait = 15 * time.Second
