package runs

import (
	"context"
	"iter"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/redis"
	"github.com/clawless/clawless/server/runs/events"
	"github.com/clawless/clawless/server/runs/mirror"
)

const (
	pageOf     = 500                    // events that are read from Redis at once
	lookLonger = time.Second            // for the next event of a run of another server
	settling   = 5 * time.Second        // that a finished run's last events may take to be where others see them
	breath     = 250 * time.Millisecond // before asking again
	outage     = 20 * time.Second       // of Redis, after which a reader is sent away
)

// Find returns a run's events wherever they are kept: in this process, in Redis, or in the database. r is the run as it was just read for the tenant and the owner who
// ask. It fails with run_expired when the events are gone, and with conflict and a time to wait when another server has them and there is no Redis to see them through.
func (h *Hub) Find(ctx context.Context, r Run) (*Live, error) {
	if l, ok := h.Get(r.TenantID, "", r.ID); ok {
		return l, nil
	}
	if r.Status == Running {
		if h.opts.Redis == nil {
			return nil, notHere()
		}
		return h.away(r), nil
	}
	if h.opts.Redis != nil {
		last, err := h.opts.Redis.Last(ctx, mirror.Stream(r.TenantID, r.ID))
		if err == nil && last.Number > 0 && (whole(last) || recent(r)) {
			return h.away(r), nil
		}
	}
	list, err := h.stash(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case list != nil:
		l := Over(r, func(*Log) {})
		l.Log = events.Whole(list)
		return l, nil
	case recent(r): // its server is about to show them
		return nil, notHere()
	}
	return nil, expired()
}

// notHere answers for a run whose events another server has.
func notHere() error {
	return fault.New(fault.Conflict, "this run is on another server; follow it there, or read the session's messages").WithRetryAfter(time.Second)
}

// recent reports whether a run ended a moment ago.
func recent(r Run) bool { return time.Since(r.FinishedAt.Time) < settling }

// whole reports whether an entry is the last of a run.
func whole(e redis.Entry) bool {
	ev, ok := mirror.Event(e)
	return ok && ev.Last()
}

// stash reads the events that were written to the database; nil when there are none.
func (h *Hub) stash(ctx context.Context, r Run) (list []Event, err error) {
	if h.opts.DB == nil {
		return nil, nil
	}
	err = h.opts.DB.Read(ctx, func(q db.Querier) error {
		list, err = takeEvents(ctx, q, r, time.Now())
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return list, err
}

// away makes a run of another server readable through Redis.
func (h *Hub) away(r Run) *Live {
	return &Live{Run: r, beat: h.opts.Beat, cancel: func(error) { h.Stop(r) }, Log: events.Far(func(ctx context.Context, after int64) iter.Seq2[Event, error] {
		return func(yield func(Event, error) bool) {
			f := follower{hub: h, run: r, after: after, yield: yield, good: time.Now()}
			f.follow(ctx)
		}
	})}
}

// follower reads one run of another server.
type follower struct {
	hub   *Hub
	run   Run
	after int64
	yield func(Event, error) bool
	good  time.Time // when Redis last answered
	over  time.Time // when the run was first seen to be over; zero before
}

// follow yields events until the last one. A run whose server died has no last one, so that its row is asked about it while nothing comes.
func (f *follower) follow(ctx context.Context) {
	for {
		list, err := f.hub.opts.Redis.Wait(ctx, mirror.Stream(f.run.TenantID, f.run.ID), f.after, pageOf, lookLonger)
		switch {
		case ctx.Err() != nil:
			f.yield(Event{}, ctx.Err())
			return
		case err != nil && time.Since(f.good) > outage:
			f.yield(Event{}, fault.Wrap(err, fault.StoreUnavailable, "the run's events cannot be reached; connect again in a moment"))
			return
		case err != nil:
			pause(ctx, breath)
			continue
		}
		f.good = time.Now()
		if len(list) > 0 && list[0].Number == f.after+1 {
			if !f.pass(list) {
				return
			}
			continue
		}
		if len(list) > 0 { // Redis has lost what was before; its server copies all again
			pause(ctx, breath)
		}
		if f.ended(ctx) {
			return
		}
	}
}

// pass yields entries and reports whether more may follow.
func (f *follower) pass(list []redis.Entry) bool {
	for _, e := range list {
		ev, ok := mirror.Event(e)
		if !ok || e.Number != f.after+1 {
			return true // a gap: what follows is read again
		}
		if !f.yield(ev, nil) || ev.Last() {
			return false
		}
		f.after = e.Number
	}
	return true
}

// ended looks at the row of a run of which nothing came. Once it is over, and what it said last has had time to come, it yields the end that is known and reports true.
func (f *follower) ended(ctx context.Context) bool {
	if f.hub.opts.DB == nil {
		return false
	}
	var now Run
	err := f.hub.opts.DB.Read(ctx, func(q db.Querier) (err error) {
		now, err = Get(ctx, q, db.TenantOf(f.run.TenantID), "", f.run.ID)
		return err
	})
	switch {
	case fault.Is(err, fault.NotFound):
		f.fail(err)
		return true
	case err != nil || now.Status == Running:
		return false
	case f.over.IsZero():
		f.over = time.Now()
	}
	if time.Since(f.over) < settling && now.Status != Interrupted { // an interrupted one's server is gone
		return false
	}
	if list, err := f.hub.stash(ctx, now); err == nil && int64(len(list)) > f.after {
		for _, e := range list[f.after:] {
			if !f.yield(e, nil) {
				break
			}
		}
		return true
	}
	if now.ErrorCode != "" {
		f.fail(fault.New(fault.Code(now.ErrorCode), "%s", now.ErrorMessage))
	} else {
		f.fail(expired())
	}
	return true
}

// fail yields an end that no server has written. It has no number, so that a reader who comes again is told what is known then.
func (f *follower) fail(err error) {
	f.yield(Event{Kind: Failure, Data: api.ErrorJSON(err, f.run.RequestID), Err: err}, nil)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
