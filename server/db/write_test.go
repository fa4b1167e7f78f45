package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
)

// hold keeps the writer of SQLite busy in a function, so that the writes after it share its commit. The returned function lets it go and gives its outcome.
func hold(t *testing.T, d *db.DB, name string) (letGo func() error) {
	t.Helper()
	ctx := context.Background()
	entered, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- d.Write(ctx, func(q db.Querier) error {
			close(entered)
			<-leave
			return addIn(ctx, q, name)
		})
	}()
	<-entered
	return func() error {
		close(leave)
		return <-done
	}
}

// queued waits until n writes stand in the queue.
func queued(d *db.DB, n int) {
	for db.Waiting(d) < n {
		runtime.Gosched()
	}
}

// outcome runs a write in its own goroutine and gives what came of it, a panic included.
func outcome(d *db.DB, fn func(db.Querier) error) <-chan error {
	out := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				out <- p.(error)
			}
		}()
		out <- d.Write(context.Background(), fn)
	}()
	return out
}

// TestGroupCommit puts writes of every fate into one batch: each has its own outcome, and what fails takes nothing of its neighbours along.
func TestGroupCommit(t *testing.T) {
	ctx := context.Background()
	d := dbtest.New(t)
	letGo := hold(t, d, "first")
	mine := errors.New("mine")
	fates := map[string]func(q db.Querier) error{
		"good":     func(q db.Querier) error { return addIn(ctx, q, "good") },
		"error":    func(q db.Querier) error { return errors.Join(addIn(ctx, q, "error"), mine) },
		"conflict": func(q db.Querier) error { return errors.Join(addIn(ctx, q, "conflict"), addIn(ctx, q, "first")) },
		"panic":    func(q db.Querier) error { _ = addIn(ctx, q, "panic"); panic("boom") },
		"exit":     func(q db.Querier) error { _ = addIn(ctx, q, "exit"); runtime.Goexit(); return nil },
		"last":     func(q db.Querier) error { return addIn(ctx, q, "last") },
	}
	order := []string{"good", "error", "conflict", "panic", "exit", "last"}
	outs := map[string]<-chan error{}
	for i, name := range order {
		outs[name] = outcome(d, fates[name])
		queued(d, i+1)
	}
	if err := letGo(); err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]func(error) bool{
		"good":     func(err error) bool { return err == nil },
		"last":     func(err error) bool { return err == nil },
		"error":    func(err error) bool { return errors.Is(err, mine) },
		"conflict": func(err error) bool { return fault.Is(err, fault.Conflict) },
		"panic": func(err error) bool {
			return strings.Contains(err.Error(), "boom") && strings.Contains(err.Error(), "write_test.go")
		},
	} {
		if err := <-outs[name]; !check(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := strings.Join(names(t, d), " "); got != "first good last" {
		t.Errorf("kept: %s", got)
	}
}

// TestAcknowledgedAfterCommit looks from within the second function of a batch: the first has run, but neither has its Write returned nor does anybody see its row.
func TestAcknowledgedAfterCommit(t *testing.T) {
	ctx := context.Background()
	d := dbtest.New(t)
	letGo := hold(t, d, "holder")
	first := outcome(d, func(q db.Querier) error { return addIn(ctx, q, "first") })
	queued(d, 1)
	second := outcome(d, func(q db.Querier) error {
		if got := names(t, d); len(got) != 0 {
			t.Errorf("readers see %v before the commit", got)
		}
		if len(first) != 0 {
			t.Error("the first write was acknowledged before the commit")
		}
		var seen []string
		err := tenantNames.Select(ctx, q, &seen, nil)
		if !slices.Equal(seen, []string{"first", "holder"}) {
			t.Errorf("the batch itself sees %v", seen)
		}
		return err
	})
	queued(d, 2)
	if err := errors.Join(letGo(), <-first, <-second); err != nil {
		t.Fatal(err)
	}
}

// TestWriteSoon: its caller goes on before the commit, the next write sees what it did, and a failure of its own comes back and undoes its work alone.
func TestWriteSoon(t *testing.T) {
	ctx := context.Background()
	d := dbtest.New(t)
	letGo := hold(t, d, "holder")
	done := make(chan error, 2)
	go func() { done <- d.WriteSoon(ctx, func(q db.Querier) error { return addIn(ctx, q, "soon") }) }()
	queued(d, 1)
	looked := outcome(d, func(q db.Querier) error {
		if err := <-done; err != nil {
			t.Errorf("WriteSoon: %v", err)
		}
		if got := names(t, d); len(got) != 0 {
			t.Errorf("readers see %v before the commit", got)
		}
		var seen []string
		err := tenantNames.Select(ctx, q, &seen, nil)
		if !slices.Contains(seen, "soon") {
			t.Errorf("the next write sees %v", seen)
		}
		return err
	})
	queued(d, 2)
	if err := errors.Join(letGo(), <-looked); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("no")
	if err := d.WriteSoon(ctx, func(q db.Querier) error { return errors.Join(addIn(ctx, q, "undone"), failure) }); !errors.Is(err, failure) {
		t.Errorf("WriteSoon gave %v, want its function's error", err)
	}
	if err := d.WriteSoon(ctx, func(q db.Querier) error { return addIn(ctx, q, "last") }); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(ctx, func(db.Querier) error { return nil }); err != nil { // commits after it
		t.Fatal(err)
	}
	if got := names(t, d); slices.Contains(got, "undone") || !slices.Contains(got, "soon") || !slices.Contains(got, "last") {
		t.Errorf("at the end there are %v", got)
	}
}

func TestCancelledWhileQueued(t *testing.T) {
	d := dbtest.New(t)
	letGo := hold(t, d, "first")
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan error, 1)
	go func() {
		out <- d.Write(ctx, func(db.Querier) error { t.Error("a write ran after its caller had gone"); return nil })
	}()
	queued(d, 1)
	cancel()
	if err := <-out; !fault.Is(err, fault.Canceled) {
		t.Errorf("queued: %v", err)
	}
	if err := d.Write(ctx, func(db.Querier) error { t.Error("ran for a dead context"); return nil }); !fault.Is(err, fault.Canceled) {
		t.Errorf("before the queue: %v", err)
	}
	if err := letGo(); err != nil {
		t.Error(err)
	}
	mustAdd(t, d, "after")
}

// TestCancelledWhileRunning: once the function has begun, the caller learns its true outcome.
func TestCancelledWhileRunning(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(context.Background())
		err := d.Write(ctx, func(q db.Querier) error {
			err := addIn(ctx, q, "acme")
			cancel()
			return err
		})
		if err != nil {
			t.Errorf("the write was kept, so it must not fail: %v", err)
		}
		if got := names(t, d); len(got) != 1 {
			t.Errorf("kept: %v", got)
		}
		ctx, cancel = context.WithCancel(context.Background())
		err = d.Write(ctx, func(q db.Querier) error {
			cancel()
			return addIn(ctx, q, "blue")
		})
		if !fault.Is(err, fault.Canceled) {
			t.Errorf("a statement of a cancelled caller: %v", err)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	d := dbtest.Open(t, db.Options{Dir: t.TempDir(), Migrate: true, Queue: 1})
	letGo := hold(t, d, "first")
	second := outcome(d, func(db.Querier) error { return nil })
	queued(d, 1)
	err := add(d, "third")
	if !fault.Is(err, fault.StoreUnavailable) || fault.From(err).RetryAfter == 0 {
		t.Errorf("a full queue: %v", err)
	}
	if err := errors.Join(letGo(), <-second); err != nil {
		t.Error(err)
	}
}

// TestCloseDrains: what was accepted before Close is committed, and Close returns only then.
func TestCloseDrains(t *testing.T) {
	dir := t.TempDir()
	d, err := db.Open(context.Background(), db.Options{Dir: dir, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	letGo := hold(t, d, "first")
	var outs []<-chan error
	for _, name := range []string{"a", "b", "c"} {
		outs = append(outs, outcome(d, func(q db.Querier) error { return addIn(ctx, q, name) }))
	}
	queued(d, 3)
	closed := make(chan error, 1)
	go func() { closed <- d.Close() }()
	gone, leave := context.WithCancel(ctx)
	leave()
	for !fault.Is(d.Write(gone, func(db.Querier) error { return nil }), fault.ShuttingDown) {
		runtime.Gosched()
	}
	if err := add(d, "late"); !fault.Is(err, fault.ShuttingDown) {
		t.Errorf("a write after Close began: %v", err)
	}
	if len(closed) != 0 {
		t.Error("Close did not wait")
	}
	if err := errors.Join(letGo(), <-outs[0], <-outs[1], <-outs[2], <-closed); err != nil {
		t.Fatal(err)
	}
	again := dbtest.Open(t, db.Options{Dir: dir, Migrate: true})
	if got := strings.Join(names(t, again), " "); got != "a b c first" {
		t.Errorf("kept: %s", got)
	}
}

// TestDiskFull makes the file reach its limit in the middle of a batch: nobody of that batch is acknowledged and nothing of it is kept; after room was made all goes on.
func TestDiskFull(t *testing.T) {
	ctx := context.Background()
	d := dbtest.New(t)
	mustAdd(t, d, "before")
	if err := onWriter(d, "PRAGMA max_page_count = 1"); err != nil { // SQLite takes it as: no more than now
		t.Fatal(err)
	}
	letGo := hold(t, d, "first")
	big := strings.Repeat("x", 100_000)
	full := outcome(d, func(q db.Querier) error {
		err := addIn(ctx, q, big)
		if !fault.Is(err, fault.StoreFull) {
			t.Errorf("want a full disk: %v", err)
		}
		return errors.New("something else") // what the function makes of it must not hide that the batch is gone
	})
	queued(d, 1)
	if err := letGo(); !fault.Is(err, fault.StoreFull) {
		t.Errorf("the neighbour in the batch: %v", err)
	}
	if err := <-full; !fault.Is(err, fault.StoreFull) {
		t.Errorf("the big one: %v", err)
	}
	if got := strings.Join(names(t, d), " "); got != "before" {
		t.Errorf("kept: %s", got)
	}
	if err := d.Ready(ctx); err != nil {
		t.Errorf("a full disk leaves reading as it was: %v", err)
	}
	if err := onWriter(d, "PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, d, "after", big)
}

// onWriter changes a setting of the writing connection.
func onWriter(d *db.DB, pragma string) error {
	ctx := context.Background()
	return d.Write(ctx, func(q db.Querier) error {
		var now int
		return db.LooseSystem(pragma).Get(ctx, q, &now, nil)
	})
}

// TestBusyFile has another program holding the write lock of the file.
func TestBusyFile(t *testing.T) {
	d := dbtest.New(t)
	if err := onWriter(d, "PRAGMA busy_timeout = 10"); err != nil {
		t.Fatal(err)
	}
	other, release, err := db.Admin(d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = release() }()
	tx, err := other.Begin() // immediate
	if err != nil {
		t.Fatal(err)
	}
	if err := add(d, "acme"); !fault.Is(err, fault.StoreUnavailable) {
		t.Errorf("while the file is locked: %v", err)
	}
	if got := names(t, d); len(got) != 0 {
		t.Errorf("kept: %v", got)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, d, "acme")
}

// numbers counts for seconds; only being interrupted ends it early.
var numbers = db.LooseSystem(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n`)

func TestReadIsCapped(t *testing.T) {
	ctx := context.Background()
	d := dbtest.Open(t, db.Options{Dir: t.TempDir(), Migrate: true, ReadConns: 1, ReadLimit: 20 * time.Millisecond})
	mustAdd(t, d, "acme")
	var n int
	err := d.Read(ctx, func(q db.Querier) error { return numbers.Get(ctx, q, &n, nil) })
	if !fault.Is(err, fault.Timeout) {
		t.Errorf("a statement without end: %v", err)
	}
	err = d.Read(ctx, func(q db.Querier) error { // holds its snapshot without asking anything
		var list []string
		if err := tenantNames.Select(ctx, q, &list, nil); err != nil {
			return err
		}
		mustAdd(t, d, "blue")
		for !folded(t, d) { // the log can be folded in full only after the snapshot is gone
			runtime.Gosched()
		}
		busy := d.Read(ctx, func(db.Querier) error { return nil })
		if !fault.Is(busy, fault.StoreUnavailable) {
			t.Errorf("the one reader is taken: %v", busy)
		}
		return tenantNames.Select(ctx, q, &list, nil)
	})
	if !fault.Is(err, fault.Timeout) {
		t.Errorf("a read that sits on its snapshot: %v", err)
	}
	if got := names(t, d); len(got) != 2 {
		t.Errorf("the reader must be whole afterwards: %v", got)
	}
}

func TestReaderWhoLeaves(t *testing.T) {
	ctx := context.Background()
	d := dbtest.Open(t, db.Options{Dir: t.TempDir(), Migrate: true, ReadConns: 1, ReadLimit: time.Minute})
	for range 100 { // at every moment of the statement's start
		short, cancel := context.WithCancel(ctx)
		go cancel()
		var n int
		if err := d.Read(short, func(q db.Querier) error { return numbers.Get(ctx, q, &n, nil) }); !fault.Is(err, fault.Canceled) {
			t.Errorf("a caller who leaves: %v", err)
		}
	}
	if got := names(t, d); len(got) != 0 {
		t.Errorf("the reader must be whole afterwards: %v", got)
	}
}

// folded reports whether the whole log could be written back into the file.
func folded(t *testing.T, d *db.DB) bool {
	t.Helper()
	handle, release, err := db.Admin(d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = release() }()
	var busy, frames, done int
	if err := handle.QueryRow("PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &done); err != nil {
		t.Fatal(err)
	}
	return frames == done
}

// TestLogStaysSmall: what is written is folded into the file as it goes, not only when the server stops.
func TestLogStaysSmall(t *testing.T) {
	dir := t.TempDir()
	d := dbtest.Open(t, db.Options{Dir: dir, Migrate: true})
	var all sync.WaitGroup
	for writer := range 8 {
		all.Go(func() {
			for n := range 250 {
				if err := add(d, fmt.Sprintf("%d %d %s", writer, n, strings.Repeat("x", 8000))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	main, log := size(t, dir, "clawless.db"), size(t, dir, "clawless.db-wal")
	if main < 15<<20 || log > 24<<20 {
		t.Errorf("the file has %d bytes, its log %d", main, log)
	}
}

func size(t *testing.T, dir, name string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestReadersGoOn has many readers beside a stream of writes; none of them fails or waits for the writer, which is held in the middle of a transaction.
func TestReadersGoOn(t *testing.T) {
	d := dbtest.New(t)
	mustAdd(t, d, "acme")
	letGo := hold(t, d, "held")
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 20 {
				if got := names(t, d); len(got) != 1 {
					t.Errorf("a reader sees %v", got)
				}
			}
		})
	}
	all.Wait()
	if err := letGo(); err != nil {
		t.Error(err)
	}
}
