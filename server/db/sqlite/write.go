package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/jmoiron/sqlx"
)

const (
	maxBatch        = 256  // writes committed together at most
	defaultQueue    = 4096 // writes that may wait
	checkpointAfter = 400  // writes after which the log is folded into the file
	checkpointIdle  = time.Second
	pageSize        = 4096
	logAlarm        = 64 << 20 // bytes of log that could not be folded
)

// job is one Write: a function and the place where its caller waits.
type job struct {
	fn     func(*Tx) error
	taken  atomic.Bool // set by the writer when it begins, or by the caller when it gives up
	done   chan struct{}
	soon   bool // its caller goes on once it has run, before the commit
	err    error
	panics any  // what fn panicked with, passed on to its caller
	exited bool // fn ended its goroutine, as t.FailNow does
}

func (j *job) finish(err error) {
	j.err = err
	close(j.done)
}

// ran answers a caller who does not wait for the commit.
func (j *job) ran() {
	if j.soon {
		j.finish(nil)
	}
}

// committed answers everybody else.
func (j *job) committed(err error) {
	if !j.soon {
		j.finish(err)
	}
}

// writer runs the functions of all callers on one connection. Those that wait at the same time share one commit, and so one sync of the disk.
type writer struct {
	conn    *conn
	commit  *sql.Stmt
	save    *sql.Stmt
	undo    *sql.Stmt
	release *sql.Stmt
	log     *slog.Logger

	mu      sync.RWMutex // guards the queue against being closed under a sender
	closed  bool
	queue   chan *job
	stopped chan struct{}
	broken  atomic.Pointer[fault.Error]

	// Of the writing goroutine alone:
	open  bool   // whether a transaction is
	batch []*job // ran well and wait for the commit
	since int    // writes since the last checkpoint
}

func openWriter(ctx context.Context, handle *sqlx.DB, opts Options) (*writer, error) {
	c, err := openConn(ctx, handle, writerPragmas, "BEGIN IMMEDIATE")
	if err != nil {
		return nil, err
	}
	size := opts.Queue
	if size <= 0 {
		size = defaultQueue
	}
	w := &writer{conn: c, log: opts.Log, queue: make(chan *job, size), stopped: make(chan struct{})}
	for text, stmt := range map[string]**sql.Stmt{"COMMIT": &w.commit, "SAVEPOINT w": &w.save, "ROLLBACK TO w": &w.undo, "RELEASE w": &w.release} {
		if *stmt, err = c.cached(text); err != nil {
			c.close()
			return nil, err
		}
	}
	go w.run()
	return w, nil
}

// submit queues fn and waits. A caller who gives up while its function is still in the queue takes it back; later the true outcome is worth the wait.
// With soon it returns when fn has run, before the commit.
func (w *writer) submit(ctx context.Context, soon bool, fn func(*Tx) error) error {
	j := &job{fn: fn, soon: soon, done: make(chan struct{})}
	if err := w.enqueue(ctx, j); err != nil {
		return err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.taken.CompareAndSwap(false, true) {
			return fault.From(ctx.Err())
		}
		<-j.done
	}
	if j.panics != nil {
		panic(j.panics)
	}
	if j.exited {
		runtime.Goexit()
	}
	return j.err
}

func (w *writer) enqueue(ctx context.Context, j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return fault.From(err)
	}
	select {
	case w.queue <- j:
		return nil
	default:
		return fault.New(fault.StoreUnavailable, "too many writes are waiting for the database; try again").WithRetryAfter(time.Second)
	}
}

// stop takes no more, carries out what was accepted, and returns after the last commit.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.stopped
}

func (w *writer) health() error {
	if f := w.broken.Load(); f != nil {
		return f
	}
	return nil
}

// run is the writing goroutine. It commits when nobody waits or the batch is full; there is no lingering for more.
func (w *writer) run() {
	ended := false
	defer func() {
		if !ended { // a function called runtime.Goexit; the batch goes on without it
			go w.run()
			return
		}
		w.conn.close()
		close(w.stopped)
	}()
	for {
		j, ok := w.next()
		switch {
		case j != nil:
			w.do(j)
		case ok:
			w.flush()
		default:
			w.flush()
			ended = true
			return
		}
	}
}

// next returns a job, or nil and true when it is time to commit, or nil and false at the end.
func (w *writer) next() (*job, bool) {
	if len(w.batch) >= maxBatch {
		return nil, true
	}
	if w.open {
		select {
		case j, ok := <-w.queue:
			return j, ok
		default:
			return nil, true
		}
	}
	if w.since == 0 {
		j, ok := <-w.queue
		return j, ok
	}
	idle := time.NewTimer(checkpointIdle)
	defer idle.Stop()
	select {
	case j, ok := <-w.queue:
		return j, ok
	case <-idle.C:
		w.checkpoint()
		return nil, true
	}
}

// do runs one function: the first of a batch in the bare transaction, every other in a savepoint, so that a failure undoes its own work alone.
func (w *writer) do(j *job) {
	if !j.taken.CompareAndSwap(false, true) {
		return // its caller is gone
	}
	if err := w.health(); err != nil {
		j.finish(err)
		return
	}
	if !w.open {
		if err := w.step(w.conn.begin); err != nil {
			j.finish(err)
			return
		}
		w.open = true
	}
	saved := len(w.batch) > 0
	if saved {
		if err := w.step(w.save); err != nil {
			w.lose(err, j)
			return
		}
	}
	tx := &Tx{ctx: context.Background(), driver: context.Background(), conn: w.conn} // never a caller's context: cancelling it would roll back everybody's work
	returned := false
	defer func() {
		if returned {
			return
		}
		if p := recover(); p != nil {
			j.panics = fmt.Errorf("panic in a write function: %v\n%s", p, debug.Stack())
		} else {
			j.exited = true
		}
		w.settle(j, tx, saved, sql.ErrTxDone)
	}()
	err := j.fn(tx)
	returned = true
	w.settle(j, tx, saved, err)
}

// settle keeps or undoes what a function has done.
func (w *writer) settle(j *job, tx *Tx, saved bool, err error) {
	tx.finish()
	switch {
	case tx.lost != nil:
		w.lose(tx.lost, j)
		return
	case err != nil && !saved:
		_ = w.step(w.conn.rollback)
		w.open = false
		j.finish(err)
		return
	case err != nil:
		if undo := errors.Join(w.step(w.undo), w.step(w.release)); undo != nil {
			w.lose(undo, j)
			return
		}
		j.finish(err)
		return
	case saved:
		if err := w.step(w.release); err != nil {
			w.lose(err, j)
			return
		}
	}
	w.batch = append(w.batch, j)
	j.ran()
}

// flush commits the batch and only then answers its callers.
func (w *writer) flush() {
	if !w.open {
		return
	}
	if err := w.step(w.commit); err != nil {
		w.lose(err)
		return
	}
	w.open = false
	for i, j := range w.batch {
		j.committed(nil)
		w.batch[i] = nil
	}
	w.since += len(w.batch)
	w.batch = w.batch[:0]
	if w.since >= checkpointAfter {
		w.checkpoint()
	}
}

// lose gives up the whole transaction: SQLite has rolled it back by itself, or may have, and nothing of it was acknowledged.
func (w *writer) lose(err error, also ...*job) {
	_ = w.step(w.conn.rollback)
	w.open = false
	if damages(err) {
		w.breakDown(err)
	}
	for i, j := range w.batch {
		if j.soon {
			w.log.Error("a write that was not waited for is lost", "error", err)
		}
		j.committed(err)
		w.batch[i] = nil
	}
	w.batch = w.batch[:0]
	for _, j := range also {
		j.finish(err)
	}
}

// breakDown stops all writing. After a failed sync the system may have dropped the very pages it could not write, and a second try would succeed over the hole.
func (w *writer) breakDown(err error) {
	f := fault.Wrap(err, fault.StoreUnavailable, "the disk of the database failed; check it and restart the server")
	if w.broken.CompareAndSwap(nil, f) {
		w.log.Error("the disk of the database failed; no more is written until a restart", "error", err)
	}
}

// checkpoint folds the log into the file as far as no reader needs it.
func (w *writer) checkpoint() {
	w.since = 0
	var busy, frames, folded int64
	err := w.conn.raw.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &folded)
	if err == nil {
		if left := (frames - folded) * pageSize; left > logAlarm {
			w.log.Warn("the database's log grows because a reader keeps an old snapshot", "bytes", left)
		}
		return
	}
	if damages(err) {
		w.breakDown(err)
		return
	}
	w.log.Warn("the database's log could not be folded into its file", "error", err)
}

// step runs a statement of the writer itself.
func (w *writer) step(stmt *sql.Stmt) error {
	_, err := stmt.ExecContext(context.Background())
	return err
}
