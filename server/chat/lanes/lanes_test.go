package lanes

import (
	"context"
	"testing"
	"time"
)

// TestLanes: places are taken in order, one that is given up lets the next one through only after those before it, and nothing is left behind.
func TestLanes(t *testing.T) {
	var l Lanes
	first, err := l.Enter(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := l.Enter(impatient, "s")
		gaveUp <- err
	}()
	waiting := func(n int) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.length["s"] == n
	}
	poll(t, func() bool { return waiting(2) })
	third := make(chan func())
	go func() {
		leave, err := l.Enter(t.Context(), "s")
		if err != nil {
			t.Error(err)
		}
		third <- leave
	}()
	poll(t, func() bool { return waiting(3) })
	cancel()
	if err := <-gaveUp; err == nil {
		t.Error("a place was got after giving up")
	}
	select {
	case <-third:
		t.Fatal("the third went before the first was over")
	default:
	}
	if leave, err := l.Enter(t.Context(), "other"); err != nil {
		t.Error("another session waits")
	} else {
		leave()
	}
	first()
	first() // leaving twice is leaving once
	(<-third)()
	poll(t, func() bool { return waiting(0) })
	if len(l.last) != 0 || len(l.length) != 0 {
		t.Errorf("left behind: %v", l.last)
	}
}

func poll(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("not within 10 s")
		}
	}
}
