package main

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/clawless/clawless/tui/internal/scripttest"
	"github.com/clawless/clawless/tui/kit"
)

// demo adds a wait before the answer, reasoning, tool calls and failures to the script.
type demo struct {
	*scripttest.Backend
	delay time.Duration
}

// Ask plays an answer.
func (d demo) Ask(ctx context.Context, ask kit.Ask) iter.Seq2[kit.Event, error] {
	return func(yield func(kit.Event, error) bool) {
		if !d.pause(ctx, d.delay) {
			return
		}
		fails := strings.Contains(ask.Text, "fail")
		n := 0
		for e, err := range d.Backend.Ask(ctx, ask) {
			if n++; fails && n > 60 {
				yield(kit.Event{}, scripttest.Failure{Text: "the connection to 127.0.0.1:8080 was lost", Next: "try: clawless doctor"})
				return
			}
			if !yield(e, err) {
				return
			}
			if e.Kind == kit.Started && strings.Contains(ask.Text, "think") && !d.think(ctx, yield) {
				return
			}
		}
	}
}

func (d demo) think(ctx context.Context, yield func(kit.Event, error) bool) bool {
	for _, word := range strings.SplitAfter("The person wants to know about tides. Let me look up when the moon is highest and what the wind does to the water level in a narrow bay. ", " ") {
		if !d.pause(ctx, 80*time.Millisecond) || !yield(kit.Event{Kind: kit.Thinking, Text: word}, nil) {
			return false
		}
	}
	for _, name := range []string{"search", "http_fetch"} {
		c := kit.Call{ID: name, Name: name, Status: kit.CallRunning}
		if !yield(kit.Event{Kind: kit.Tool, Call: c}, nil) || !d.pause(ctx, 600*time.Millisecond) {
			return false
		}
		c.Status, c.Took = kit.CallDone, 600*time.Millisecond
		if !yield(kit.Event{Kind: kit.Tool, Call: c}, nil) {
			return false
		}
	}
	return true
}

func (d demo) pause(ctx context.Context, t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
