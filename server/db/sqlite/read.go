package sqlite

import (
	"context"
	"sync"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/jmoiron/sqlx"
)

const (
	defaultReadLimit = 5 * time.Second // for a whole Read: while its snapshot is held, the log behind it can only grow
	interruptEvery   = time.Millisecond
)

var errClosed = fault.New(fault.ShuttingDown, "the database is closed")

// readers hands out the read-only connections, first come, first served.
type readers struct {
	idle    chan *conn
	limit   time.Duration
	stopped chan struct{}
	once    sync.Once
}

func openReaders(ctx context.Context, handle *sqlx.DB, n int, limit time.Duration) (*readers, error) {
	r := &readers{idle: make(chan *conn, n), limit: limit, stopped: make(chan struct{})}
	if limit <= 0 {
		r.limit = defaultReadLimit
	}
	for range n {
		c, err := openConn(ctx, handle, readerPragmas, "BEGIN")
		if err != nil {
			close(r.idle)
			for c := range r.idle {
				c.close()
			}
			return nil, err
		}
		r.idle <- c
	}
	return r, nil
}

// stop waits until every connection is back; the limit of a read bounds that.
func (r *readers) stop() {
	r.once.Do(func() {
		close(r.stopped)
		for range cap(r.idle) {
			c := <-r.idle
			c.close()
		}
	})
}

func (r *readers) run(caller context.Context, fn func(*Tx) error) error {
	ctx, cancel := context.WithTimeout(caller, r.limit)
	defer cancel()
	c, err := r.take(ctx, caller)
	if err != nil {
		return err
	}
	defer func() { r.idle <- c }()
	if _, err := c.begin.ExecContext(context.Background()); err != nil {
		return err
	}
	s := &snapshot{Tx: Tx{ctx: ctx, driver: c.breaker.context(ctx), conn: c}}
	s.watch.Add(1)
	stop := context.AfterFunc(ctx, s.expire)
	defer func() {
		if !stop() {
			s.watch.Wait()
		}
		s.end()
	}()
	return fn(&s.Tx)
}

func (r *readers) take(ctx, caller context.Context) (*conn, error) {
	select {
	case <-r.stopped:
		return nil, errClosed
	default:
	}
	select {
	case c := <-r.idle:
		return c, nil
	case <-r.stopped:
		return nil, errClosed
	case <-ctx.Done():
		if caller.Err() != nil {
			return nil, fault.From(caller.Err())
		}
		return nil, fault.New(fault.StoreUnavailable, "every reader of the database is busy; try again").WithRetryAfter(time.Second)
	}
}

// snapshot is the transaction of one Read. The time limit ends it between two statements even if the function that holds it never comes back.
type snapshot struct {
	Tx
	watch sync.WaitGroup // expire, once it has begun
}

// expire ends the snapshot when its time is up or its caller has left. An interrupt that comes before the statement's first step has no effect, so expire repeats it.
func (s *snapshot) expire() {
	defer s.watch.Done()
	again := time.NewTicker(interruptEvery)
	defer again.Stop()
	for !s.mu.TryLock() {
		s.conn.breaker.interrupt()
		<-again.C
	}
	s.mu.Unlock()
	s.end()
}

// end rolls back, which fails only when SQLite has done so already.
func (s *snapshot) end() {
	if s.finish() {
		_, _ = s.conn.rollback.ExecContext(context.Background())
	}
}
