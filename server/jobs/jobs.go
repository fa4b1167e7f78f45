// Package jobs runs the server's periodic work: one goroutine a job, no overlap, a time limit for each run, all stopped by the context.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// Job is work that is repeated.
type Job struct {
	Name  string
	Every time.Duration
	Limit time.Duration // of one run; zero: Every
	Run   func(context.Context) error
}

// Run runs every job until ctx ends, then waits for those under way. A job that fails is logged and runs again at its next time.
func Run(ctx context.Context, log *slog.Logger, list ...Job) {
	var wg sync.WaitGroup
	for _, j := range list {
		wg.Go(func() { repeat(ctx, log, j) })
	}
	wg.Wait()
}

func repeat(ctx context.Context, log *slog.Logger, j Job) {
	limit := j.Limit
	if limit == 0 {
		limit = j.Every
	}
	tick := time.NewTicker(j.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		run, cancel := context.WithTimeout(ctx, limit)
		if err := try(run, j); err != nil && ctx.Err() == nil {
			log.Warn("job failed", "job", j.Name, "error", err.Error())
		}
		cancel()
	}
}

// try runs the job once. A job that panics must not end the server.
func try(ctx context.Context, j Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return j.Run(ctx)
}
