package chat

import (
	"context"
	"sync"
)

// lanes give each session's turns their order: one at a time, in the order in which they came. The zero value is ready.
// Turns on other servers are kept apart by the database, without an order.
type lanes struct {
	mu   sync.Mutex
	last map[string]chan struct{} // of each session with turns: closed when the newest of them is over
}

// enter waits until every earlier turn of the session is over and returns what ends this one. When ctx ends first it gives the place up.
func (l *lanes) enter(ctx context.Context, session string) (leave func(), err error) {
	mine := make(chan struct{})
	l.mu.Lock()
	if l.last == nil {
		l.last = map[string]chan struct{}{}
	}
	before := l.last[session]
	l.last[session] = mine
	l.mu.Unlock()
	leave = sync.OnceFunc(func() {
		l.mu.Lock()
		if l.last[session] == mine {
			delete(l.last, session)
		}
		l.mu.Unlock()
		close(mine)
	})
	if before == nil {
		return leave, nil
	}
	select {
	case <-before:
		return leave, nil
	case <-ctx.Done():
		go func() { // those behind still wait for those before
			<-before
			leave()
		}()
		return nil, ctx.Err()
	}
}
