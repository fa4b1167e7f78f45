package chat

import (
	"context"
	"sync"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// arrears are writes that the store refused after their tokens had been spent. They are tried again until the store takes them, and until then no new call is
// admitted: what cannot be recorded must not be spent.
type arrears struct {
	mu   sync.Mutex
	list []debt
	work sync.Mutex // one at a time pays
}

// debt is one write that is due.
type debt struct {
	what      string
	requestID string
	write     func(context.Context, db.Querier) error
}

func (a *arrears) add(d debt) {
	a.mu.Lock()
	a.list = append(a.list, d)
	a.mu.Unlock()
}

func (a *arrears) refuse() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) == 0 {
		return nil
	}
	return fault.New(fault.StoreUnavailable, "the database does not take what earlier calls have cost; try again").WithRetryAfter(5 * time.Second)
}

func (a *arrears) first() (debt, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) == 0 {
		return debt{}, false
	}
	return a.list[0], true
}

func (a *arrears) paid() {
	a.mu.Lock()
	a.list = a.list[1:]
	a.mu.Unlock()
}

// Pay writes what is due, oldest first, and stops where the store still refuses; it is a periodic job, and the last thing before the database is closed.
func (c *Chat) Pay(ctx context.Context) error {
	c.debts.work.Lock()
	defer c.debts.work.Unlock()
	for {
		d, ok := c.debts.first()
		if !ok {
			return nil
		}
		err := c.db.Write(ctx, func(q db.Querier) error { return d.write(ctx, q) })
		if err != nil && temporary(err) {
			return err
		}
		if err != nil {
			c.opts.Log.Error(d.what+" lost", "request_id", d.requestID, "error", err.Error())
		} else {
			c.opts.Log.Info(d.what+" recorded late", "request_id", d.requestID)
		}
		c.debts.paid()
	}
}

// temporary reports whether the same write may succeed later.
func temporary(err error) bool {
	switch fault.From(err).Code {
	case fault.StoreUnavailable, fault.StoreFull, fault.Timeout, fault.Canceled:
		return true
	}
	return false
}
