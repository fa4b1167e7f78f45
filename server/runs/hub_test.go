package runs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/runs/events"
)

func start(t *testing.T, h *Hub, id string, fn func(context.Context, *Live)) *Live {
	t.Helper()
	l, err := h.Start(t.Context(), Run{ID: id, TenantID: "ten_1", SessionID: "ses_" + id, EndUser: "vis_1"}, fn)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func finished(t *testing.T, l *Live) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.Wait(ctx); err != nil {
		t.Fatal("the run does not end")
	}
}

// TestHubKeepsWhatItMay: finished runs are kept for their time and within the memory, the oldest go first, and those under way are never dropped.
func TestHubKeepsWhatItMay(t *testing.T) {
	h := NewHub(time.Hour, 10_000)
	end := make(chan struct{})
	long := start(t, h, "long", func(ctx context.Context, l *Live) {
		l.Log.Append(Frame, []byte(strings.Repeat("x", 50_000)))
		<-end
		l.Log.Append(Done, nil)
	})
	for i := range 5 {
		finished(t, start(t, h, fmt.Sprint(i), func(_ context.Context, l *Live) {
			l.Log.Append(Frame, make([]byte, 3000))
			l.Log.Append(Done, nil)
		}))
	}
	for id, want := range map[string]bool{"0": false, "1": false, "2": true, "3": true, "4": true, "long": true} {
		if _, ok := h.Get("ten_1", "", id); ok != want {
			t.Errorf("run %s is there: %v", id, ok)
		}
	}
	if len(h.Active()) != 1 || len(h.active) != 1 {
		t.Errorf("active: %v", h.Active())
	}
	close(end)
	finished(t, long)
	if len(h.runs) != 0 || len(h.finished) != 0 || h.kept != 0 {
		t.Errorf("a log over the whole bound is not kept: %d runs, %d bytes", len(h.runs), h.kept)
	}
	h.opts.Retention = 0
	finished(t, start(t, h, "brief", func(_ context.Context, l *Live) { l.Log.Append(Done, nil) }))
	if err := h.Sweep(t.Context()); err != nil || len(h.runs) != 0 || h.kept != 0 {
		t.Errorf("%d runs are left", len(h.runs))
	}
}

// TestHubShows: a run is its tenant's, and where an owner is given its owner's.
func TestHubShows(t *testing.T) {
	h := NewHub(time.Hour, 1<<20)
	finished(t, start(t, h, "r", func(_ context.Context, l *Live) { l.Log.Append(Done, nil) }))
	for _, c := range []struct {
		tenant, owner string
		want          bool
	}{{"ten_1", "", true}, {"ten_1", "vis_1", true}, {"ten_1", "vis_2", false}, {"ten_2", "", false}, {"", "", false}} {
		if _, ok := h.Get(c.tenant, c.owner, "r"); ok != c.want {
			t.Errorf("%+v: %v", c, ok)
		}
	}
}

// TestHubDrains: a drain refuses what is new, waits as long as it may, stops the rest with the reason, and returns when all have settled.
func TestHubDrains(t *testing.T) {
	h := NewHub(time.Hour, 1<<20)
	var causes sync.Map
	for i := range 20 {
		start(t, h, fmt.Sprint(i), func(ctx context.Context, l *Live) {
			<-ctx.Done()
			causes.Store(i, context.Cause(ctx))
			l.Log.Fail(context.Cause(ctx), []byte("{}"))
		})
	}
	patience, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	h.Drain(patience)
	if _, err := h.Start(t.Context(), Run{ID: "new"}, nil); !fault.Is(err, fault.ShuttingDown) || !h.Draining() {
		t.Errorf("a new run: %v", err)
	}
	for i := range 20 {
		if c, _ := causes.Load(i); !errors.Is(c.(error), ErrShutdown) {
			t.Errorf("run %d was stopped by %v", i, c)
		}
	}
	h.Drain(t.Context()) // again is nothing
}

// TestLogReaders: readers at every place, before and after the end, see each event once and in order; one that leaves or is cancelled disturbs nobody.
func TestLogReaders(t *testing.T) {
	const n = 2000
	l := events.New(nil)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			next := int64(i*40) + 1
			for e, err := range l.Read(ctx, int64(i*40)) {
				if err != nil {
					if i%3 != 0 || !errors.Is(err, context.Canceled) {
						t.Errorf("reader %d: %v", i, err)
					}
					return
				}
				if e.Sequence != next {
					t.Errorf("reader %d got %d, want %d", i, e.Sequence, next)
					return
				}
				if next++; i%3 == 0 && next > n/2 {
					cancel()
				}
				if i%7 == 0 && next > n/3 {
					return
				}
			}
			if i%3 != 0 && i%7 != 0 && next != n+2 {
				t.Errorf("reader %d ended at %d", i, next)
			}
		})
	}
	for range n {
		l.Append(Frame, []byte("x"))
	}
	l.Append(Done, nil)
	l.Append(Frame, []byte("too late"))
	wg.Wait()
	if l.Len() != n+1 {
		t.Errorf("%d events", l.Len())
	}
}
