// Package lanes gives work on one thing an order: one at a time, first come first served.
package lanes

import (
	"context"
	"sync"
)

// Lanes give each session's turns their order: one at a time, in the order in which they came. The zero value is ready.
// Turns on other servers are kept apart by the database, without an order.
type Lanes struct {
	mu     sync.Mutex
	last   map[string]chan struct{} // of each session with turns: closed when the newest of them is over
	length map[string]int           // how many turns each has
}

// Enter waits until every earlier turn of the session is over and returns what ends this one. When ctx ends first it gives the place up.
func (l *Lanes) Enter(ctx context.Context, session string) (leave func(), err error) {
	mine := make(chan struct{})
	l.mu.Lock()
	if l.last == nil {
		l.last, l.length = map[string]chan struct{}{}, map[string]int{}
	}
	l.length[session]++
	before := l.last[session]
	l.last[session] = mine
	l.mu.Unlock()
	done := sync.OnceFunc(func() {
		l.mu.Lock()
		if l.length[session]--; l.length[session] == 0 {
			delete(l.last, session)
			delete(l.length, session)
		}
		l.mu.Unlock()
		close(mine)
	})
	if before == nil {
		return done, nil
	}
	select {
	case <-before:
		return done, nil
	case <-ctx.Done():
		go func() { // those behind still wait for those before
			<-before
			done()
		}()
		return nil, ctx.Err()
	}
}

// Length is how many turns of a session there are, the one under way included.
func (l *Lanes) Length(session string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.length[session]
}
