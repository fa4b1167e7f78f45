package chat

import (
	"context"
	"sync"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// arrears are writes that the store refused after their tokens had been spent. They are tried again until the store takes them, and while it takes none no new call
// is admitted: what cannot be recorded must not be spent.
type arrears struct {
	mu     sync.Mutex
	list   []debt
	closed bool // the store itself failed at the last try
	work   sync.Mutex
}

// debt is one write that is due.
type debt struct {
	what      string
	requestID string
	write     func(context.Context, db.Querier) error
	tries     int // that failed for another reason than the store's state
}

// maxTries is how often a write is tried that the store understands and refuses; one that lost a race with a deletion succeeds at the second.
const maxTries = 5

// add takes a debt in that failed with err.
func (a *arrears) add(d debt, err error) {
	a.mu.Lock()
	a.list = append(a.list, d)
	a.closed = a.closed || temporary(err)
	a.mu.Unlock()
}

// refuse is the fault of a call that comes while the store takes nothing.
func (a *arrears) refuse() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		return nil
	}
	return fault.New(fault.StoreUnavailable, "the database does not take what earlier calls have cost; try again").WithRetryAfter(5 * time.Second)
}

// take takes the debts that are due.
func (a *arrears) take() []debt {
	a.mu.Lock()
	defer a.mu.Unlock()
	due := a.list
	a.list = nil
	return due
}

// left puts back what is still due, before what came meanwhile, and notes whether the store takes writes.
func (a *arrears) left(due []debt, closed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(due, a.list...)
	a.closed = closed
}

// Pay writes what is due, oldest first, and stops where the store still refuses; it is a periodic job, and the last thing before the database is closed.
func (c *Chat) Pay(ctx context.Context) error {
	c.debts.work.Lock()
	defer c.debts.work.Unlock()
	due := c.debts.take()
	var later []debt
	for i, d := range due {
		err := c.db.Write(ctx, func(q db.Querier) error { return d.write(ctx, q) })
		switch {
		case err == nil:
			c.opts.Log.Info(d.what+" recorded late", "request_id", d.requestID)
		case temporary(err):
			c.debts.left(append(later, due[i:]...), true)
			return err
		case d.tries+1 < maxTries:
			d.tries++
			later = append(later, d)
		default:
			c.opts.Log.Error(d.what+" lost", "request_id", d.requestID, "error", err.Error())
		}
	}
	c.debts.left(later, false)
	return nil
}

// temporary reports whether it was the store that failed, so that the same write may succeed later.
func temporary(err error) bool {
	switch fault.From(err).Code {
	case fault.StoreUnavailable, fault.StoreFull, fault.Timeout, fault.Canceled:
		return true
	}
	return false
}
