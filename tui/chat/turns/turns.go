// Package turns reads the answer to one question on a goroutine of its own and hands it out in batches.
package turns

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/kit"
)

const (
	// gatherFor is how long pieces of an answer are gathered before they are painted together.
	gatherFor = 33 * time.Millisecond
	// cancelWithin bounds the wait for the server to name and to stop a run.
	cancelWithin = 10 * time.Second
)

// Turn is one question while its answer is being read. Its reader runs on a goroutine of its own, so that neither a
// slow server nor a fast one ever holds up a key.
type Turn struct {
	backend Backend
	ask     kit.Ask
	Began   time.Time
	ctx     context.Context
	cancel  context.CancelFunc
	// What Update knows of it: that it has begun, and that its cost has been told.
	Begun, Billed bool
	Calls         kit.Calls // of tools, that are not over

	mu      sync.Mutex
	events  []kit.Event
	err     error
	ended   bool
	runID   string
	last    time.Time     // when events were handed out
	wake    chan struct{} // holds a token when there is something to hand out
	started chan struct{} // closed when the run has a name or will never get one
	once    sync.Once
}

// Batch is what a turn hands out: the events since the last batch, in order.
type Batch struct {
	Turn   *Turn
	Events []kit.Event
	Ended  bool
	Err    error
}

// NotStopped says that a server did not confirm the stop of a run.
type NotStopped struct{ Err error }

// Backend is what a turn asks of the server.
type Backend interface {
	// Ask sends a message and yields the events of its answer; an error is the last thing it yields. When ctx ends it
	// returns soon.
	Ask(ctx context.Context, ask kit.Ask) iter.Seq2[kit.Event, error]
	// Do stops the run.
	Do(ctx context.Context, a kit.Action) (kit.Session, error)
}

// New makes a turn that Start begins; ctx ends it.
func New(ctx context.Context, b Backend, ask kit.Ask, now time.Time) *Turn {
	t := &Turn{backend: b, ask: ask, Began: now, wake: make(chan struct{}, 1), started: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancel(ctx)
	return t
}

// Start is the command that begins the turn and waits for its first event.
func (t *Turn) Start() tea.Msg {
	go t.read()
	return t.Next()
}

func (t *Turn) read() {
	defer t.cancel()
	var failure error
	for e, err := range t.backend.Ask(t.ctx, t.ask) {
		if err != nil {
			failure = err
			break
		}
		t.put(e)
	}
	t.mu.Lock()
	t.err, t.ended = failure, true
	t.mu.Unlock()
	t.named()
	t.ring()
}

func (t *Turn) put(e kit.Event) {
	t.mu.Lock()
	t.events = append(t.events, e)
	if e.RunID != "" {
		t.runID = e.RunID
	}
	known := t.runID != ""
	t.mu.Unlock()
	if known {
		t.named()
	}
	t.ring()
}

func (t *Turn) named() { t.once.Do(func() { close(t.started) }) }

func (t *Turn) ring() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Next is the command that waits for the next batch: the first events of an answer at once, later ones gathered.
func (t *Turn) Next() tea.Msg {
	<-t.wake
	if wait := gatherFor - time.Since(t.last); !t.last.IsZero() && wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-t.ctx.Done():
		}
	}
	b := t.Drain()
	for _, e := range b.Events {
		if e.Kind == kit.Text || e.Kind == kit.Thinking {
			t.last = time.Now()
		}
	}
	return b
}

// Drain takes what is there.
func (t *Turn) Drain() Batch {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := Batch{Turn: t, Events: t.events, Ended: t.ended, Err: t.err}
	t.events = nil
	return b
}

// Stop is the command that stops the run on the server, also when the server has not named it yet, and then closes
// the connection.
func (t *Turn) Stop() tea.Msg {
	defer t.cancel()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), cancelWithin)
	defer cancel()
	select {
	case <-t.started:
	case <-ctx.Done():
	}
	t.mu.Lock()
	id, ended := t.runID, t.ended
	t.mu.Unlock()
	if id == "" || ended {
		return nil
	}
	if _, err := t.backend.Do(ctx, kit.Action{Kind: kit.Stop, RunID: id}); err != nil && !errors.Is(err, context.Canceled) {
		return NotStopped{err}
	}
	return nil
}

// Run is the turn's run; empty while the server has not named it.
func (t *Turn) Run() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.runID
}

// Cancel closes the connection; the run goes on on the server.
func (t *Turn) Cancel() { t.cancel() }
