package runs

import (
	"context"
	"errors"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/runs/events"
)

// storeLimit is how long writing one run's events may take.
const storeLimit = 10 * time.Second

// Stats are what a hub holds now, and what it has done since the start.
type Stats struct {
	Active, Finished int    // runs
	Bytes            int64  // of the finished ones' events
	Stored           uint64 // logs that were written to the database
	Dropped          uint64 // logs that nobody can read any more, though their time was not over
	Failed           uint64 // attempts to write events to the database or to Redis
	Behind           int    // runs of which Redis does not have everything yet
}

// Stats tells what the hub holds.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Stats{Active: len(h.active), Finished: len(h.finished), Bytes: h.kept, Stored: h.stored.Load(), Dropped: h.dropped.Load(), Failed: h.failed.Load()}
	if h.mirror != nil {
		s.Failed += h.mirror.Failed()
		s.Behind = h.mirror.Behind()
	}
	return s
}

func (h *Hub) finish(l *Live) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	l.until, l.size = now.Add(h.opts.Retention), l.Log.Size()
	delete(h.active, l.Run.ID)
	if l.gone { // its session was deleted
		delete(h.runs, l.Run.ID)
		return
	}
	h.finished = append(h.finished, l)
	h.kept += l.size
	if h.opts.Early {
		h.early = append(h.early, l)
	}
	h.tidyLocked(now)
}

// Sweep drops what has been kept for its time; it is a periodic job, which also tries again to store what could not be stored.
func (h *Hub) Sweep(ctx context.Context) error {
	now := time.Now()
	h.mu.Lock()
	h.paused = false
	h.tidyLocked(now)
	h.mu.Unlock()
	if h.opts.DB == nil {
		return nil
	}
	return h.opts.DB.Write(ctx, func(q db.Querier) error { return dropEvents(ctx, q, now) })
}

// tidyLocked drops what is too old, lets go what is kept elsewhere too, has the rest stored where the memory is half full, and drops the oldest where it is full.
func (h *Hub) tidyLocked(now time.Time) {
	half := h.opts.MaxBytes / 2
	h.removeLocked(func(l *Live) bool { return !l.until.After(now) || h.kept > half && l.elsewhere() })
	if h.storing == nil && h.opts.DB != nil && !h.paused {
		if h.storing = h.dueLocked(); h.storing != nil {
			h.spills.Go(h.spill)
		}
	}
	bound := h.opts.MaxBytes
	if h.storing != nil { // it goes soon
		bound += h.storing.size
	}
	h.removeLocked(func(l *Live) bool {
		if h.kept <= bound || l == h.storing {
			return false
		}
		h.dropped.Add(1)
		return true
	})
}

// elsewhere reports whether a finished run can be read without this process.
func (l *Live) elsewhere() bool { return l.safe || l.copy != nil && l.copy.Whole() }

// leave says that the hub does not keep the run any more. The hub is locked.
func (l *Live) leave() {
	l.gone = true
	if l.copy != nil {
		l.copy.Leave()
	}
}

// dueLocked is the next finished run to store; nil when there is none.
func (h *Hub) dueLocked() *Live {
	for len(h.early) > 0 {
		l := h.early[0]
		h.early[0] = nil
		if h.early = h.early[1:]; !l.safe && !l.gone {
			return l
		}
	}
	if h.kept <= h.opts.MaxBytes/2 {
		return nil
	}
	for _, l := range h.finished {
		if !l.elsewhere() {
			return l
		}
	}
	return nil
}

// removeLocked takes finished runs out of the hub, asking match about each in turn, the oldest first.
func (h *Hub) removeLocked(match func(*Live) bool) {
	left := h.finished[:0]
	for _, l := range h.finished {
		if !match(l) {
			left = append(left, l)
			continue
		}
		h.kept -= l.size
		delete(h.runs, l.Run.ID)
		l.leave()
	}
	clear(h.finished[len(left):])
	h.finished = left
}

// spill stores one finished run after another until none is due, or the database does not take one.
func (h *Hub) spill() {
	for {
		h.mu.Lock()
		l := h.storing
		h.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), storeLimit)
		err := h.store(ctx, l)
		cancel()
		if h.stepped(l, err) {
			return
		}
	}
}

// stepped notes how storing went and chooses the next; it reports whether that was the last for now.
func (h *Hub) stepped(l *Live, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.storing = nil
	if err != nil {
		if h.opts.Early {
			h.early = append([]*Live{l}, h.early...)
		}
		if !h.logged {
			h.opts.Log.Warn("the events of finished runs cannot be stored; they are kept in memory as long as there is room", "error", err.Error())
		}
		h.paused, h.logged = true, true
		h.tidyLocked(time.Now())
		return true
	}
	l.safe, h.logged = true, false
	half := h.opts.MaxBytes / 2
	h.removeLocked(func(l *Live) bool { return h.kept > half && l.elsewhere() })
	h.storing = h.dueLocked()
	return h.storing == nil
}

// store writes a finished run's events to the database. That the run was deleted meanwhile is no failure.
func (h *Hub) store(ctx context.Context, l *Live) error {
	list := l.Log.After(0)
	data, err := events.Pack(list)
	if err == nil {
		err = h.opts.DB.Write(ctx, func(q db.Querier) error { return putEvents(ctx, q, l.Run, len(list), data, l.until) })
	}
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		h.failed.Add(1)
		return err
	}
	h.stored.Add(1)
	return nil
}

// Keep stores what no other server could show, so that it can be read after a restart. It is called once, after Drain and before the database is closed.
func (h *Hub) Keep(ctx context.Context) error {
	if h.mirror != nil {
		h.mirror.Settle(ctx)
	}
	h.mu.Lock()
	var left []*Live
	for _, l := range h.finished {
		if !l.elsewhere() {
			left = append(left, l)
		}
	}
	h.mu.Unlock()
	var errs []error
	for _, l := range left {
		if h.opts.DB == nil || ctx.Err() != nil {
			break
		}
		errs = append(errs, h.store(ctx, l))
	}
	return errors.Join(append(errs, ctx.Err())...)
}
