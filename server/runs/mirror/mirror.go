// Package mirror copies the events of runs to Redis, where other servers read them, without ever holding up a run.
package mirror

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/redis"
	"github.com/clawless/clawless/server/runs/events"
)

const (
	gather      = 5 * time.Millisecond   // for the events of many runs to come together
	maxTogether = 256                    // runs in one exchange
	maxExchange = 1 << 20                // bytes in one exchange, and of one run
	firstRest   = 250 * time.Millisecond // after a failure; doubles up to longRest
	longRest    = 2 * time.Second
	liveFor     = time.Hour // that a stream is kept beyond the retention while its run is under way
	touchEvery  = time.Minute
)

// Mirror copies the events of this server's runs to Redis. It reads the logs as any other reader does, from where it stands, so that no run ever waits for it and
// nothing is held for it but the logs themselves.
type Mirror struct {
	redis     *redis.Client
	retention time.Duration
	log       *slog.Logger
	wake      chan struct{}
	stop      context.CancelFunc
	over      chan struct{}
	failed    atomic.Uint64

	mu    sync.Mutex
	queue []*Copy // with events that Redis does not have
	busy  int     // runs in the exchange under way
	lost  bool    // the last exchange failed, and that was logged
}

// Copy is a run's log and what Redis has of it. All but the flags belong to the mirror's goroutine.
type Copy struct {
	tenant, session, run string
	log                  *events.Log

	queued  atomic.Bool
	whole   atomic.Bool
	again   atomic.Bool // Redis has lost it
	gone    atomic.Bool
	sent    int64     // the newest event that Redis has
	touched time.Time // when its life was last prolonged
}

// New starts a mirror; the caller closes it. A finished run's events are kept for retention.
func New(r *redis.Client, retention time.Duration, log *slog.Logger) *Mirror {
	ctx, stop := context.WithCancel(context.Background())
	m := &Mirror{redis: r, retention: retention, log: log, wake: make(chan struct{}, 1), stop: stop, over: make(chan struct{})}
	go func() {
		defer close(m.over)
		m.run(ctx)
	}()
	return m
}

// Begin makes the copy of a run and the log that is copied.
func (m *Mirror) Begin(tenant, session, run string) (*Copy, *events.Log) {
	c := &Copy{tenant: tenant, session: session, run: run}
	c.log = events.New(func() { m.mark(c) })
	return c, c.log
}

// Whole reports whether Redis has all of a finished run.
func (c *Copy) Whole() bool { return c.whole.Load() }

// Leave ends the copying, complete or not.
func (c *Copy) Leave() { c.gone.Store(true) }

// Stream names a run's stream in Redis. The data of an entry is the event's kind, one byte, and its data.
func Stream(tenant, run string) string { return "run:" + tenant + ":" + run }

// shelf names where a session's streams are noted.
func shelf(tenant, session string) string { return "runs:" + tenant + ":" + session }

// Event is the event that an entry of a stream holds; ok is false when it holds none.
func Event(e redis.Entry) (ev events.Event, ok bool) {
	if len(e.Data) == 0 {
		return ev, false
	}
	return events.Of(e.Number, e.Data[0], e.Data[1:]), true
}

// Close ends the copying. What is not in Redis by then other servers do not see.
func (m *Mirror) Close() {
	m.stop()
	<-m.over
}

// mark says that a run has events that Redis does not have.
func (m *Mirror) mark(c *Copy) {
	if c.gone.Load() || !c.queued.CompareAndSwap(false, true) {
		return
	}
	m.mu.Lock()
	m.queue = append(m.queue, c)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *Mirror) run(ctx context.Context) {
	rest := firstRest
	for {
		select {
		case <-m.wake:
		case <-ctx.Done():
			return
		}
		pause(ctx, gather)
		for ctx.Err() == nil {
			more, err := m.exchange(ctx)
			if err == nil {
				rest = firstRest
			} else {
				m.tell(ctx, err)
				pause(ctx, rest)
				rest = min(2*rest, longRest)
			}
			if !more {
				break
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// tell logs the loss of Redis once.
func (m *Mirror) tell(ctx context.Context, err error) {
	m.failed.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = slices.DeleteFunc(m.queue, func(c *Copy) bool { return c.gone.Load() })
	if !m.lost && ctx.Err() == nil {
		m.log.Warn("the events of runs cannot be copied to redis; other servers do not see them until it is back", "error", err.Error())
		m.lost = true
	}
}

// exchange sends what the first runs of the queue have, in one go, and reports whether others wait.
func (m *Mirror) exchange(ctx context.Context) (more bool, err error) {
	m.mu.Lock()
	n := min(len(m.queue), maxTogether)
	list := slices.Clone(m.queue[:n])
	m.queue = slices.Delete(m.queue, 0, n)
	m.busy = n
	m.mu.Unlock()
	var copies []*Copy
	var chunks []redis.Chunk
	room := maxExchange
	for _, c := range list {
		c.queued.Store(false) // from here on an append marks it again
		if c.gone.Load() {
			continue
		}
		if room <= 0 {
			m.mark(c)
			continue
		}
		if ch, size := m.chunk(c, room); size > 0 {
			copies, chunks = append(copies, c), append(chunks, ch)
			room -= size
		}
	}
	if len(chunks) > 0 {
		for i, failed := range m.redis.Append(ctx, chunks) {
			if failed = m.sent(copies[i], chunks[i], failed); failed != nil {
				err = failed
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy = 0
	if m.lost && err == nil && len(chunks) > 0 {
		m.log.Info("the events of runs are copied to redis again")
		m.lost = false
	}
	return len(m.queue) > 0, err
}

// chunk is what a run has for Redis and how large that is: about room bytes, and zero when there is nothing.
func (m *Mirror) chunk(c *Copy, room int) (redis.Chunk, int) {
	if c.again.Swap(false) {
		c.sent = 0
		c.whole.Store(false)
	}
	ch := redis.Chunk{Stream: Stream(c.tenant, c.run), Fresh: c.sent == 0}
	size, ended := 0, false
	for _, e := range c.log.After(c.sent) {
		if size >= room {
			break
		}
		ch.Entries = append(ch.Entries, redis.Entry{Number: e.Sequence, Data: append([]byte{byte(e.Kind)}, e.Data...)})
		size += len(e.Data) + 64
		ended = e.Last()
	}
	now := time.Now()
	switch {
	case ended:
		ch.Keep = m.retention
	case ch.Fresh || now.Sub(c.touched) > touchEvery:
		ch.Keep = m.retention + liveFor
	}
	if ch.Keep > 0 {
		c.touched = now
		ch.Shelf, ch.Noted = shelf(c.tenant, c.session), m.retention+liveFor
	}
	return ch, size
}

// sent notes what became of a run's chunk.
func (m *Mirror) sent(c *Copy, ch redis.Chunk, err error) error {
	last := ch.Entries[len(ch.Entries)-1]
	switch {
	case err == nil:
		c.sent = last.Number
		if ev, _ := Event(last); ev.Last() {
			c.whole.Store(true)
		} else if c.log.Len() > last.Number {
			m.mark(c)
		}
	case errors.Is(err, redis.ErrGone):
		c.again.Store(true)
		m.mark(c)
		return nil
	default:
		m.mark(c)
	}
	return err
}

// Check looks which of the copies Redis has lost, and makes those again. It returns at once.
func (m *Mirror) Check(copies []*Copy) {
	go func() {
		for some := range slices.Chunk(copies, maxTogether) {
			names, keys := make(map[string]*Copy, len(some)), make([]string, 0, len(some))
			for _, c := range some {
				key := Stream(c.tenant, c.run)
				names[key], keys = c, append(keys, key)
			}
			missing, err := m.redis.Missing(context.Background(), keys)
			if err != nil {
				return // there is another word when Redis is back
			}
			for _, key := range missing {
				names[key].again.Store(true)
				m.mark(names[key])
			}
		}
	}()
}

// Remove takes the streams of these sessions out of Redis, or with none those of the whole tenant.
func (m *Mirror) Remove(ctx context.Context, tenant string, sessions []string) error {
	if len(sessions) == 0 {
		return errors.Join(m.redis.RemoveAll(ctx, Stream(tenant, "")), m.redis.RemoveAll(ctx, shelf(tenant, "")))
	}
	var errs []error
	for _, s := range sessions {
		errs = append(errs, m.redis.RemoveShelf(ctx, shelf(tenant, s)))
	}
	return errors.Join(errs...)
}

// Failed is how many exchanges with Redis have failed.
func (m *Mirror) Failed() uint64 { return m.failed.Load() }

// Behind is how many runs have events that Redis does not have.
func (m *Mirror) Behind() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue) + m.busy
}

// Settle waits until Redis has everything, or fails to take it, or ctx ends.
func (m *Mirror) Settle(ctx context.Context) {
	failed := m.failed.Load()
	for m.Behind() > 0 && ctx.Err() == nil && m.failed.Load() == failed {
		pause(ctx, gather)
	}
}
