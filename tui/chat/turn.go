package chat

import (
	"context"
	"errors"
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

// turn is one question while its answer is being read. Its reader runs on a goroutine of its own, so that neither a
// slow server nor a fast one ever holds up a key.
type turn struct {
	backend Backend
	ask     kit.Ask
	began   time.Time
	ctx     context.Context
	cancel  context.CancelFunc
	// What Update knows of it: that it has begun, and that its cost has been told.
	begun, billed bool
	calls         kit.Calls // of tools, that are not over

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

// batch is what a turn hands out: the events since the last batch, in order.
type batch struct {
	turn   *turn
	events []kit.Event
	ended  bool
	err    error
}

// notStopped says that a server did not confirm the stop of a run.
type notStopped struct{ err error }

func newTurn(ctx context.Context, b Backend, ask kit.Ask, now time.Time) *turn {
	t := &turn{backend: b, ask: ask, began: now, wake: make(chan struct{}, 1), started: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancel(ctx)
	return t
}

// start is the command that begins the turn and waits for its first event.
func (t *turn) start() tea.Msg {
	go t.read()
	return t.next()
}

func (t *turn) read() {
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

func (t *turn) put(e kit.Event) {
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

func (t *turn) named() { t.once.Do(func() { close(t.started) }) }

func (t *turn) ring() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// next is the command that waits for the next batch: the first events of an answer at once, later ones gathered.
func (t *turn) next() tea.Msg {
	<-t.wake
	if wait := gatherFor - time.Since(t.last); !t.last.IsZero() && wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-t.ctx.Done():
		}
	}
	b := t.drain()
	for _, e := range b.events {
		if e.Kind == kit.Text || e.Kind == kit.Thinking {
			t.last = time.Now()
		}
	}
	return b
}

// drain takes what is there.
func (t *turn) drain() batch {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := batch{turn: t, events: t.events, ended: t.ended, err: t.err}
	t.events = nil
	return b
}

// stop is the command that stops the run on the server, also when the server has not named it yet, and then closes
// the connection.
func (t *turn) stop() tea.Msg {
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
		return notStopped{err}
	}
	return nil
}
