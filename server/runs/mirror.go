package runs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/redis"
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

// mirror copies the events of this server's runs to Redis. It reads the logs as any other reader does, from where it stands, so that no run ever waits for it and
// nothing is held for it but the logs themselves.
type mirror struct {
	redis     *redis.Client
	retention time.Duration
	log       *slog.Logger
	wake      chan struct{}
	stop      context.CancelFunc
	over      chan struct{}
	failed    atomic.Uint64

	mu    sync.Mutex
	queue []*Live // with events that Redis does not have
	busy  int     // runs in the exchange under way
	lost  bool    // the last exchange failed, and that was logged
}

// copied is what Redis has of a run. All but the flags belong to the mirror's goroutine.
type copied struct {
	queued  atomic.Bool
	whole   atomic.Bool // all of a finished run
	again   atomic.Bool // Redis has lost it
	sent    int64       // the newest event that Redis has
	touched time.Time   // when its life was last prolonged
}

func newMirror(o Options) *mirror {
	ctx, stop := context.WithCancel(context.Background())
	m := &mirror{redis: o.Redis, retention: o.Retention, log: o.Log, wake: make(chan struct{}, 1), stop: stop, over: make(chan struct{})}
	go func() {
		defer close(m.over)
		m.run(ctx)
	}()
	return m
}

func (m *mirror) close() {
	m.stop()
	<-m.over
}

// stream names a run's stream.
func stream(r Run) string { return "run:" + r.TenantID + ":" + r.ID }

// shelf names where a session's streams are noted.
func shelf(tenantID, session string) string { return "runs:" + tenantID + ":" + session }

// mark says that a run has events that Redis does not have.
func (m *mirror) mark(l *Live) {
	if l.gone.Load() || !l.copied.queued.CompareAndSwap(false, true) {
		return
	}
	m.mu.Lock()
	m.queue = append(m.queue, l)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *mirror) run(ctx context.Context) {
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
func (m *mirror) tell(ctx context.Context, err error) {
	m.failed.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = slices.DeleteFunc(m.queue, func(l *Live) bool { return l.gone.Load() })
	if !m.lost && ctx.Err() == nil {
		m.log.Warn("the events of runs cannot be copied to redis; other servers do not see them until it is back", "error", err.Error())
		m.lost = true
	}
}

// exchange sends what the first runs of the queue have, in one go, and reports whether others wait.
func (m *mirror) exchange(ctx context.Context) (more bool, err error) {
	m.mu.Lock()
	n := min(len(m.queue), maxTogether)
	list := slices.Clone(m.queue[:n])
	m.queue = slices.Delete(m.queue, 0, n)
	m.busy = n
	m.mu.Unlock()
	var lives []*Live
	var chunks []redis.Chunk
	room := maxExchange
	for _, l := range list {
		l.copied.queued.Store(false) // from here on an append marks it again
		if l.gone.Load() {
			continue
		}
		if room <= 0 {
			m.mark(l)
			continue
		}
		if ch, size := m.chunk(l, room); size > 0 {
			lives, chunks = append(lives, l), append(chunks, ch)
			room -= size
		}
	}
	if len(chunks) > 0 {
		for i, failed := range m.redis.Append(ctx, chunks) {
			if failed = m.sent(lives[i], chunks[i], failed); failed != nil {
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
func (m *mirror) chunk(l *Live, room int) (redis.Chunk, int) {
	c := &l.copied
	if c.again.Swap(false) {
		c.sent = 0
		c.whole.Store(false)
	}
	ch := redis.Chunk{Stream: stream(l.Run), Fresh: c.sent == 0}
	events, _, _ := l.Log.next(c.sent)
	size, ended := 0, false
	for _, e := range events {
		if size >= room {
			break
		}
		ch.Entries = append(ch.Entries, redis.Entry{Number: e.Sequence, Data: append([]byte{byte(e.Kind)}, e.Data...)})
		size += len(e.Data) + 64
		ended = e.last()
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
		ch.Shelf, ch.Noted = shelf(l.Run.TenantID, l.Run.SessionID), m.retention+liveFor
	}
	return ch, size
}

// sent notes what became of a run's chunk.
func (m *mirror) sent(l *Live, ch redis.Chunk, err error) error {
	last := ch.Entries[len(ch.Entries)-1]
	switch {
	case err == nil:
		l.copied.sent = last.Number
		if (Event{Kind: EventKind(last.Data[0])}).last() {
			l.copied.whole.Store(true)
		} else if l.Log.Len() > last.Number {
			m.mark(l)
		}
	case errors.Is(err, redis.ErrGone):
		l.copied.again.Store(true)
		m.mark(l)
		return nil
	default:
		m.mark(l)
	}
	return err
}

// check looks which runs Redis has lost, and copies those again. It returns at once.
func (m *mirror) check(lives []*Live) {
	go func() {
		for some := range slices.Chunk(lives, maxTogether) {
			names := make(map[string]*Live, len(some))
			for _, l := range some {
				names[stream(l.Run)] = l
			}
			keys := make([]string, 0, len(names))
			for name := range names {
				keys = append(keys, name)
			}
			missing, err := m.redis.Missing(context.Background(), keys)
			if err != nil {
				return // it will be told of the next loss too
			}
			for _, name := range missing {
				names[name].copied.again.Store(true)
				m.mark(names[name])
			}
		}
	}()
}

// remove takes the streams of deleted sessions out of Redis, or those of a whole tenant.
func (m *mirror) remove(ctx context.Context, tenantID string, sessions []string) error {
	if len(sessions) == 0 {
		return errors.Join(m.redis.RemoveAll(ctx, stream(Run{TenantID: tenantID})), m.redis.RemoveAll(ctx, shelf(tenantID, "")))
	}
	var errs []error
	for _, s := range sessions {
		errs = append(errs, m.redis.RemoveShelf(ctx, shelf(tenantID, s)))
	}
	return errors.Join(errs...)
}

// behind is how many runs have events that Redis does not have.
func (m *mirror) behind() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue) + m.busy
}

// settle waits until Redis has everything, or fails to take it, or ctx ends.
func (m *mirror) settle(ctx context.Context) {
	failed := m.failed.Load()
	for m.behind() > 0 && ctx.Err() == nil && m.failed.Load() == failed {
		pause(ctx, gather)
	}
}
