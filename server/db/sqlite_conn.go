package db

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/jmoiron/sqlx"
)

const (
	readLimit      = 5 * time.Second // for a whole Read: while its snapshot is held, the log behind it can only grow
	interruptEvery = 5 * time.Millisecond
)

// liteConn is one connection with the statements prepared on it.
type liteConn struct {
	conn            *sqlx.Conn
	stmts           map[*statement]*sql.Stmt
	begin, rollback *sql.Stmt
	own             []*sql.Stmt // those without a place in the registry
	breaker         *breaker
}

func openConn(ctx context.Context, handle *sqlx.DB, pragmas []pragma, begin string) (*liteConn, error) {
	conn, err := handle.Connx(ctx)
	if err != nil {
		return nil, err
	}
	c := &liteConn{conn: conn, stmts: map[*statement]*sql.Stmt{}}
	if err = verify(ctx, conn, pragmas); err == nil {
		c.breaker, err = newBreaker(conn)
	}
	if err == nil {
		c.begin, err = c.prepare(begin)
	}
	if err == nil {
		c.rollback, err = c.prepare("ROLLBACK")
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// prepare keeps a statement of the engine itself until the connection closes.
func (c *liteConn) prepare(text string) (*sql.Stmt, error) {
	stmt, err := c.conn.PrepareContext(context.Background(), text)
	if err == nil {
		c.own = append(c.own, stmt)
	}
	return stmt, err
}

// close ends every statement first: database/sql leaves those of a single connection to us, and SQLite keeps the files open until the last is gone.
func (c *liteConn) close() {
	for _, stmt := range c.stmts {
		_ = stmt.Close()
	}
	for _, stmt := range c.own {
		_ = stmt.Close()
	}
	if c.breaker != nil {
		c.breaker.close()
	}
	_ = c.conn.Close()
}

func (c *liteConn) prepared(s *statement) (*sql.Stmt, error) {
	if stmt, ok := c.stmts[s]; ok {
		return stmt, nil
	}
	stmt, err := c.conn.PrepareContext(context.Background(), s.lite.sql)
	if err != nil {
		return nil, err
	}
	c.stmts[s] = stmt
	return stmt, nil
}

func (c *liteConn) query(ctx context.Context, s *statement, t Tenant, args Args, dest any, scan scanner) error {
	values, err := s.bind(s.lite.names, t, args)
	if err != nil {
		return err
	}
	stmt, err := c.prepared(s)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, values...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return scan(s, rows, dest)
}

func (c *liteConn) exec(ctx context.Context, s *statement, t Tenant, args Args) (sql.Result, error) {
	values, err := s.bind(s.lite.names, t, args)
	if err != nil {
		return nil, err
	}
	stmt, err := c.prepared(s)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, values...)
}

// readers hands out the read-only connections, first come, first served.
type readers struct {
	idle    chan *liteConn
	limit   time.Duration
	stopped chan struct{}
	once    sync.Once
}

func openReaders(ctx context.Context, handle *sqlx.DB, n int) (*readers, error) {
	r := &readers{idle: make(chan *liteConn, n), limit: readLimit, stopped: make(chan struct{})}
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

// stop waits until every connection is back; readLimit bounds that.
func (r *readers) stop() {
	r.once.Do(func() {
		close(r.stopped)
		for range cap(r.idle) {
			c := <-r.idle
			c.close()
		}
	})
}

func (r *readers) run(caller context.Context, fn func(Querier) error) error {
	ctx, cancel := context.WithTimeout(caller, r.limit)
	defer cancel()
	var c *liteConn
	select {
	case <-r.stopped:
		return errClosed
	default:
	}
	select {
	case c = <-r.idle:
	case <-r.stopped:
		return errClosed
	case <-ctx.Done():
		if caller.Err() != nil {
			return fault.From(caller.Err())
		}
		return fault.New(fault.StoreUnavailable, "every reader of the database is busy; try again").WithRetryAfter(time.Second)
	}
	s := &snapshot{ctx: ctx, conn: c}
	defer func() { r.idle <- c }()
	if _, err := c.begin.ExecContext(context.Background()); err != nil {
		return storeFault("begin", err)
	}
	s.watch.Add(1)
	stop := context.AfterFunc(ctx, s.expire)
	defer func() {
		if !stop() {
			s.watch.Wait()
		}
		s.end()
	}()
	q := &querier{run: s}
	return finish(q, fn(q))
}

var errClosed = fault.New(fault.ShuttingDown, "the database is closed")

// snapshot is the transaction of one Read. Its lock lets the time limit end it between two statements, even if the function that holds it never comes back.
type snapshot struct {
	ctx   context.Context
	conn  *liteConn
	watch sync.WaitGroup // expire, once it has begun
	mu    sync.Mutex     // held while a statement runs
	over  bool
}

func (s *snapshot) query(st *statement, t Tenant, args Args, dest any, scan scanner) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return s.ctx.Err()
	}
	return s.conn.query(s.ctx, st, t, args, dest, scan)
}

func (s *snapshot) exec(st *statement, t Tenant, args Args) (sql.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, s.ctx.Err()
	}
	return s.conn.exec(s.ctx, st, t, args)
}

// expire ends the snapshot when its time is up or its caller has left. The driver interrupts the running statement, but it may come a moment too early for that, so expire tries again.
func (s *snapshot) expire() {
	defer s.watch.Done()
	again := time.NewTicker(interruptEvery)
	defer again.Stop()
	for !s.mu.TryLock() {
		<-again.C
		s.conn.breaker.interrupt()
	}
	s.mu.Unlock()
	s.end()
}

func (s *snapshot) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over = true
	_, _ = s.conn.rollback.ExecContext(context.Background()) // it fails only when SQLite has rolled back already
}
