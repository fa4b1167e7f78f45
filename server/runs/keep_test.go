package runs

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
)

// TestSpill: what the memory has no room for is read from the database as it was, by its tenant alone, until its time is over or its session is deleted.
func TestSpill(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tenants(t, d, "ten_a", "ten_b")
		h := New(Options{Retention: time.Hour, MaxBytes: 40_000, DB: d})
		defer h.Close()
		want := map[string][]Event{}
		for i := range 12 {
			id := fmt.Sprintf("run_%02d", i)
			l := begin(t, h, d, Run{ID: id, TenantID: "ten_a", SessionID: "ses_ten_a", EndUser: "vis_1"}, func(_ context.Context, l *Log) error {
				says(l, 10+i, 500)
				if i%3 == 2 {
					return fault.New(fault.ProviderOverloaded, "busy")
				}
				return nil
			})
			finished(t, l)
			want[id] = rest(t, l, 0)
			until(t, "the spilling to end", func() bool { return h.Stats().Bytes <= 20_000 })
		}
		s := h.Stats()
		if s.Stored == 0 || s.Dropped != 0 || s.Finished >= 6 || s.Active != 0 {
			t.Errorf("%+v", s)
		}
		for id, events := range want {
			l, err := h.Find(t.Context(), read(t, d, "ten_a", id))
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			for _, after := range []int64{0, 1, 7, int64(len(events)) - 1} {
				same(t, rest(t, l, after), events[after:])
			}
			if l.Log.Len() != int64(len(events)) || len(rest(t, l, l.Log.Len())) != 0 {
				t.Errorf("%s has %d events, want %d", id, l.Log.Len(), len(events))
			}
		}
		write(t, d, func(ctx context.Context, q db.Querier) error { // all ended a while ago
			_, err := ageRuns.Exec(ctx, q, nil)
			return err
		})
		foreign := read(t, d, "ten_a", "run_00")
		foreign.TenantID = "ten_b"
		if _, err := h.Find(t.Context(), foreign); !fault.Is(err, fault.RunExpired) {
			t.Errorf("another tenant's: %v", err)
		}
		before := number(t, d, countEvents)
		if err := h.Sweep(t.Context()); err != nil || number(t, d, countEvents) != before || before == 0 {
			t.Errorf("a sweep left %d of %d, %v", number(t, d, countEvents), before, err)
		}
		write(t, d, func(ctx context.Context, q db.Querier) error {
			_, err := ageEvents.Exec(ctx, q, nil)
			return err
		})
		if _, err := h.Find(t.Context(), read(t, d, "ten_a", "run_00")); !fault.Is(err, fault.RunExpired) {
			t.Errorf("after its time: %v", err)
		}
		if err := h.Sweep(t.Context()); err != nil || number(t, d, countEvents) != 0 {
			t.Errorf("%d rows are left, %v", number(t, d, countEvents), err)
		}
	})
}

// TestCleanRestart: what a hub keeps when its server stops can be read by the next one, and goes with its session.
func TestCleanRestart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tenants(t, d, "ten_a")
		session(t, d, "ten_a", "ses_2")
		first := New(Options{Retention: time.Hour, DB: d})
		var events [2][]Event
		for i, ses := range []string{"ses_ten_a", "ses_2"} {
			l := begin(t, first, d, Run{ID: fmt.Sprint("run_", i), TenantID: "ten_a", SessionID: ses}, func(_ context.Context, l *Log) error { says(l, 300, 20); return nil })
			finished(t, l)
			events[i] = rest(t, l, 0)
		}
		patience, cancel := context.WithCancel(t.Context())
		cancel()
		first.Drain(patience)
		if err := first.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.Close()
		next := New(Options{Retention: time.Hour, DB: d})
		defer next.Close()
		for i := range events {
			l, err := next.Find(t.Context(), read(t, d, "ten_a", fmt.Sprint("run_", i)))
			if err != nil {
				t.Fatal(err)
			}
			same(t, rest(t, l, 17), events[i][17:])
		}
		write(t, d, func(ctx context.Context, q db.Querier) error {
			_, err := dropSession.Exec(ctx, q, db.TenantOf("ten_a"), db.Args{"id": "ses_2"})
			return err
		})
		if n := number(t, d, countEvents); n != 1 {
			t.Errorf("%d logs are left of two, one of whose sessions was deleted", n)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := next.Keep(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("without time: %v", err)
		}
	})
}

// TestEarly: on servers that cannot hear each other a finished run is written at once, so that all can show it, and one under way or just ended is said to be elsewhere.
func TestEarly(t *testing.T) {
	d := dbtest.New(t)
	tenants(t, d, "ten_a")
	here, there := New(Options{DB: d, Early: true}), New(Options{DB: d, Early: true})
	defer here.Close()
	defer there.Close()
	end := make(chan struct{})
	l := begin(t, here, d, Run{ID: "run_1", TenantID: "ten_a", SessionID: "ses_ten_a"}, func(_ context.Context, l *Log) error { says(l, 3, 5); <-end; return nil })
	if _, err := there.Find(t.Context(), read(t, d, "ten_a", "run_1")); !fault.Is(err, fault.Conflict) || fault.From(err).RetryAfter == 0 {
		t.Errorf("under way elsewhere: %v", err)
	}
	close(end)
	finished(t, l)
	var got *Live
	until(t, "the events to be seen", func() bool {
		var err error
		if got, err = there.Find(t.Context(), read(t, d, "ten_a", "run_1")); err != nil && !fault.Is(err, fault.Conflict) {
			t.Fatal(err)
		}
		return err == nil
	})
	same(t, rest(t, got, 0), rest(t, l, 0))
	until(t, "it to be counted", func() bool { return here.Stats().Stored == 1 })
	if s := here.Stats(); s.Finished != 1 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

// TestStoreFails: a database that takes nothing costs no more memory than there is, the oldest go first, and it is tried again.
func TestStoreFails(t *testing.T) {
	dir := t.TempDir()
	d, err := db.Open(t.Context(), db.Options{Dir: dir, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	tenants(t, d, "ten_a")
	h := New(Options{Retention: time.Hour, MaxBytes: 40_000, DB: d})
	add := func(id string) {
		t.Helper()
		l, err := h.Start(t.Context(), Run{ID: id, TenantID: "ten_a", SessionID: "ses_ten_a"}, func(_ context.Context, l *Live) {
			says(l.Log, 10, 800)
			l.Log.Append(Done, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		finished(t, l)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		add(fmt.Sprint("lost_", i))
	}
	until(t, "the memory to be within its bound", func() bool { return h.Stats().Bytes <= 40_000 })
	s := h.Stats()
	if s.Failed == 0 || s.Dropped == 0 || s.Stored != 0 || s.Finished < 3 {
		t.Errorf("%+v", s)
	}
	if _, ok := h.Get("ten_a", "", "lost_19"); !ok {
		t.Error("the newest was dropped")
	}
	if err := h.Sweep(t.Context()); err == nil {
		t.Error("a sweep of a closed database")
	}
	h.Close()
	if s := h.Stats(); s.Failed < 2 {
		t.Errorf("it was not tried again: %+v", s)
	}
}

// TestForget: a deleted session's events leave the memory, those of others stay, and a run that was under way is stopped and not kept.
func TestForget(t *testing.T) {
	h := New(Options{})
	defer h.Close()
	end := make(chan struct{})
	for _, r := range []Run{{ID: "1", TenantID: "a", SessionID: "x"}, {ID: "2", TenantID: "a", SessionID: "y"}, {ID: "3", TenantID: "b", SessionID: "x"}, {ID: "4", TenantID: "a", SessionID: "z"}} {
		l, err := h.Start(t.Context(), r, func(_ context.Context, l *Live) { l.Log.Append(Done, nil) })
		if err != nil {
			t.Fatal(err)
		}
		finished(t, l)
	}
	live, err := h.Start(t.Context(), Run{ID: "5", TenantID: "a", SessionID: "x"}, func(ctx context.Context, l *Live) {
		<-ctx.Done()
		<-end
		l.Log.Fail(context.Cause(ctx), []byte("{}"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Forget(t.Context(), "a", "x", "y"); err != nil {
		t.Fatal(err)
	}
	there := func(want map[string]bool) {
		t.Helper()
		for id, want := range want {
			if _, ok := h.runs[id]; ok != want {
				t.Errorf("run %s is there: %v", id, ok)
			}
		}
	}
	there(map[string]bool{"1": false, "2": false, "3": true, "4": true, "5": true})
	close(end)
	finished(t, live)
	if e, err := live.Log.First(t.Context()); err != nil || !errors.Is(e.Err, ErrDeleted) {
		t.Errorf("%+v, %v", e, err)
	}
	if err := h.Forget(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	there(map[string]bool{"3": true, "4": false, "5": false})
	if s := h.Stats(); s.Finished != 1 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}
