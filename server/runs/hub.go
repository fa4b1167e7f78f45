package runs

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/redis"
	"github.com/clawless/clawless/server/runs/events"
	"github.com/clawless/clawless/server/runs/mirror"
	"github.com/clawless/clawless/server/sse"
)

// Bus carries words between the servers that share a Redis; redis.Bus is one.
type Bus interface {
	Publish(topic, key string)
	Subscribe(topic string, fn func(key string))
}

// Options say what a hub keeps, and where. The zero value keeps finished runs for ten minutes in 64 MiB of memory and drops those that have no room.
type Options struct {
	Retention time.Duration // of a finished run's events
	MaxBytes  int64         // of the memory that all finished runs' events take together
	DB        *db.DB        // where events go that have no room in memory, or whose server stops; nil drops them
	Early     bool          // write every finished run's events to DB at once: for several servers on one database without a Redis
	Redis     *redis.Client // where other servers find the events of runs, live and finished; nil: nowhere
	Bus       Bus           // through which runs are cancelled and forgotten on other servers; nil with no Redis
	Beat      time.Duration // after which a silent stream gives a sign of life; zero takes sse.BeatEvery
	Log       *slog.Logger  // nil discards
}

// Hub holds the runs of this process: those under way, and the finished ones whose events are still kept.
type Hub struct {
	opts   Options
	mirror *mirror.Mirror // nil without Redis

	mu       sync.Mutex
	runs     map[string]*Live // all of them, by id
	active   map[string]*Live // those under way
	finished []*Live          // the others, oldest first
	early    []*Live          // finished ones that are to be stored
	kept     int64            // bytes of the finished ones' logs
	storing  *Live            // that is being written to the database
	paused   bool             // the last attempt failed; the next sweep tries again
	logged   bool             // that it failed
	draining bool
	wg       sync.WaitGroup // of runs
	spills   sync.WaitGroup

	stored, dropped, failed atomic.Uint64
}

// Live is a run whose events can be read here.
type Live struct {
	Run    Run
	Log    *Log
	beat   time.Duration
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when its goroutine has settled everything; nil for a run of another server
	until  time.Time     // when a finished one is dropped
	size   int64         // of a finished one's log
	safe   bool          // it is in the database
	copy   *mirror.Copy  // what Redis has of it; nil without Redis
	gone   bool          // it is not kept any more
}

// Why a run's context ended; the goroutine reads it with context.Cause.
var (
	ErrCancelled = fault.New(fault.RunCancelled, "the run was cancelled")
	ErrDeleted   = fault.New(fault.RunCancelled, "the session was deleted while this was being answered")
	ErrShutdown  = fault.New(fault.RunInterrupted, "the server stopped before the answer was complete; send the turn again")
)

// NewHub makes a hub of one process that keeps finished runs' events for retention, and at most maxBytes of them.
func NewHub(retention time.Duration, maxBytes int64) *Hub {
	return New(Options{Retention: retention, MaxBytes: maxBytes})
}

// New makes a hub. With a Redis the caller closes it, before the Redis and its bus.
func New(o Options) *Hub {
	o.Retention, o.MaxBytes, o.Beat = cmp.Or(o.Retention, 10*time.Minute), cmp.Or(o.MaxBytes, 64<<20), cmp.Or(o.Beat, sse.BeatEvery)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Hub{opts: o, runs: map[string]*Live{}, active: map[string]*Live{}}
	if o.Redis != nil {
		h.mirror = mirror.New(o.Redis, o.Retention, o.Log)
	}
	if o.Bus != nil {
		o.Bus.Subscribe(topic, h.hear)
	}
	return h
}

// Close ends the copying to Redis; what is not there by then other servers do not see.
func (h *Hub) Close() {
	if h.mirror != nil {
		h.mirror.Close()
	}
	h.spills.Wait()
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
	l := &Live{Run: r, beat: h.opts.Beat, cancel: cancel, done: make(chan struct{})}
	if h.mirror != nil {
		l.copy, l.Log = h.mirror.Begin(r.TenantID, r.SessionID, r.ID)
	} else {
		l.Log = events.New(nil)
	}
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
	l := &Live{Run: r, Log: events.New(nil), beat: sse.BeatEvery, cancel: func(error) {}, done: make(chan struct{})}
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

// Cancel stops a run and waits until it has settled or ctx ends. A finished one stays as it is, and one of another server too: Hub.Stop is for those.
func (l *Live) Cancel(ctx context.Context) error {
	l.cancel(ErrCancelled)
	return l.Wait(ctx)
}

// Wait returns when the run has settled. Of another server's run that is not known here, so that Wait ends with ctx.
func (l *Live) Wait(ctx context.Context) error {
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Drain refuses new runs, gives those under way until ctx ends, then stops them and waits until they have settled, LastWait at most. Keep is to follow.
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

// topic is that of the hubs on the bus. Their words are verbs with arguments, zero bytes between them.
const topic = "runs"

// word joins what hubs tell each other.
func word(words ...string) string { return strings.Join(words, "\x00") }

// Stop tells the server that has a run under way, wherever it is, to cancel it. It reports nothing: the run's row says when it is done.
func (h *Hub) Stop(r Run) {
	said := word("cancel", r.TenantID, r.ID)
	h.hear(said)
	if h.opts.Bus != nil {
		h.opts.Bus.Publish(topic, said)
	}
}

// Forget stops the runs of these sessions, or with none of the whole tenant, and drops what is kept of their events: here, in Redis and on every other server. It is
// for sessions that were deleted; their rows are deleted with them. An error says that Redis still has some events, until their time is over.
func (h *Hub) Forget(ctx context.Context, tenantID string, sessions ...string) error {
	h.forget(tenantID, sessions)
	if h.opts.Bus != nil {
		h.opts.Bus.Publish(topic, word(append([]string{"forget", tenantID}, sessions...)...))
	}
	if h.mirror == nil {
		return nil
	}
	return h.mirror.Remove(ctx, tenantID, sessions)
}

func (h *Hub) forget(tenantID string, sessions []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	theirs := func(l *Live) bool {
		return l.Run.TenantID == tenantID && (len(sessions) == 0 || slices.Contains(sessions, l.Run.SessionID))
	}
	h.removeLocked(theirs)
	for _, l := range h.active {
		if theirs(l) {
			l.leave()
			l.cancel(ErrDeleted)
		}
	}
}

// hear does what another server asks for. An empty word says that some may have been missed: then Redis may have lost what it had, too.
func (h *Hub) hear(said string) {
	words := strings.Split(said, "\x00")
	switch {
	case said == "" && h.mirror != nil:
		h.mirror.Check(h.copies())
	case words[0] == "cancel" && len(words) == 3:
		h.StopWhere(func(r Run) bool { return r.TenantID == words[1] && r.ID == words[2] }, ErrCancelled)
	case words[0] == "forget" && len(words) > 1:
		h.forget(words[1], words[2:])
	}
}

func (h *Hub) copies() []*mirror.Copy {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*mirror.Copy, 0, len(h.runs))
	for _, l := range h.runs {
		out = append(out, l.copy)
	}
	return out
}
