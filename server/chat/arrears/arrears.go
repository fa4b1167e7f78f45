// Package arrears keeps the writes that the store refused after their cost had been spent, until it takes them.
package arrears

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// Arrears are writes that the store refused after their tokens had been spent. They are tried again until the store takes them, and while it takes none no new call
// is admitted: what cannot be recorded must not be spent.
type Arrears struct {
	db     *db.DB
	log    *slog.Logger
	mu     sync.Mutex
	list   []Debt
	closed bool // the store itself failed at the last try
	work   sync.Mutex
}

// New makes an empty book of debts to d.
func New(d *db.DB, log *slog.Logger) *Arrears { return &Arrears{db: d, log: log} }

// Debt is one write that is due.
type Debt struct {
	What      string // for the log
	RequestID string // for the log
	Write     func(context.Context, db.Querier) error
	tries     int // that failed for another reason than the store's state
}

// maxTries is how often a write is tried that the store understands and refuses; one that lost a race with a deletion succeeds at the second.
const maxTries = 5

// Add takes a debt in that failed with err.
func (a *Arrears) Add(d Debt, err error) {
	a.mu.Lock()
	a.list = append(a.list, d)
	a.closed = a.closed || temporary(err)
	a.mu.Unlock()
}

// Refuse is the fault of a call that comes while the store takes nothing.
func (a *Arrears) Refuse() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		return nil
	}
	return fault.New(fault.StoreUnavailable, "the database does not take what earlier calls have cost; try again").WithRetryAfter(5 * time.Second)
}

// take takes the debts that are due.
func (a *Arrears) take() []Debt {
	a.mu.Lock()
	defer a.mu.Unlock()
	due := a.list
	a.list = nil
	return due
}

// left puts back what is still due, before what came meanwhile, and notes whether the store takes writes.
func (a *Arrears) left(due []Debt, closed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(due, a.list...)
	a.closed = closed
}

// Pay writes what is due, oldest first, and stops where the store still refuses; it is a periodic job, and the last thing before the database is closed.
func (a *Arrears) Pay(ctx context.Context) error {
	a.work.Lock()
	defer a.work.Unlock()
	due := a.take()
	var later []Debt
	for i, d := range due {
		err := a.db.Write(ctx, func(q db.Querier) error { return d.Write(ctx, q) })
		switch {
		case err == nil:
			a.log.Info(d.What+" recorded late", "request_id", d.RequestID)
		case temporary(err):
			a.left(append(later, due[i:]...), true)
			return err
		case d.tries+1 < maxTries:
			d.tries++
			later = append(later, d)
		default:
			a.log.Error(d.What+" lost", "request_id", d.RequestID, "error", err.Error())
		}
	}
	a.left(later, false)
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
