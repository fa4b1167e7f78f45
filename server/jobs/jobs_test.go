package jobs

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRun: jobs repeat without overlap, a failure or a panic is logged and not the end, and the end waits for what is under way.
func TestRun(t *testing.T) {
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var runs, under atomic.Int32
	enough, again := make(chan struct{}), make(chan struct{})
	var hangs atomic.Int32
	over := make(chan struct{})
	go func() {
		defer close(over)
		Run(ctx, slog.New(slog.NewTextHandler(&log, nil)), Job{Name: "fails", Every: time.Millisecond, Run: func(context.Context) error {
			if under.Add(1) != 1 {
				t.Error("two runs of one job at once")
			}
			defer under.Add(-1)
			switch runs.Add(1) {
			case 2:
				panic("kaboom")
			case 5:
				close(enough)
			}
			return errors.New("no luck")
		}}, Job{Name: "hangs", Every: time.Millisecond, Limit: 5 * time.Millisecond, Run: func(ctx context.Context) error {
			if hangs.Add(1) == 2 { // the first one was ended by its limit
				close(again)
			}
			<-ctx.Done()
			return ctx.Err()
		}})
	}()
	for _, c := range []chan struct{}{enough, again} {
		select {
		case <-c:
		case <-time.After(20 * time.Second):
			t.Fatal("a job does not repeat")
		}
	}
	cancel()
	<-over
	if s := log.String(); !strings.Contains(s, "no luck") || !strings.Contains(s, "kaboom") || !strings.Contains(s, "deadline exceeded") {
		t.Errorf("log: %s", s)
	}
}
