package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/routes"
)

// Book settles the call in the caller's transaction. A call that the provider failed before its first token costs nothing; one that was given up on our side costs
// its prompt, which the provider had read by then, unless it had only refused it. Answers that were thrown away were booked when they were.
func (c *Engine) Book(ctx context.Context, q db.Querier, k *Call, cause error, now time.Time) error {
	lines := k.booked
	if k.Charged(cause) {
		e := k.entry(c, cause)
		booked, err := quotas.Settle(ctx, q, k.Hold, e, now)
		if err != nil || !booked {
			return err
		}
		if c.Settled != nil {
			c.Settled(e)
		}
		lines = append(slices.Clip(lines), e)
	} else if err := quotas.GiveBack(ctx, q, k.Hold); err != nil {
		return err
	}
	if !k.Plan.Auto() || len(lines) == 0 {
		return nil
	}
	return routes.Insert(ctx, q, k.decision(lines, now))
}

// Charged reports whether a call that ended with the fault costs anything.
func (k *Call) Charged(cause error) bool {
	return cause == nil || k.Answer.Started() || k.seen != nil && k.seen.Started() || (fault.Is(cause, fault.Canceled) || Stopped(cause)) && k.asked()
}

// asked reports whether a provider was at work when the call was given up. Between two tries none is: the last one has refused or failed.
func (k *Call) asked() bool {
	for _, a := range slices.Backward(k.attempts) {
		if a.Key > 0 {
			return a.Err == nil || a.Err.Class == llm.ClassCanceled
		}
	}
	return len(k.attempts) == 0
}

// Costs reports whether a call that ended with the fault is on the bill with anything, a thrown away answer included.
func (k *Call) Costs(cause error) bool { return k.Charged(cause) || len(k.booked) > 0 }

// Stopped reports whether a call was ended on somebody's word, and not by a failure.
func Stopped(cause error) bool {
	return fault.Is(cause, fault.RunCancelled) || fault.Is(cause, fault.TenantSuspended) || fault.Is(cause, fault.InvalidKey)
}

// Usage is what the try under way has cost.
func (k *Call) Usage() llm.Usage {
	if k.seen == nil {
		return k.Answer.Total(k.Input())
	}
	return k.seen.Total(k.Input())
}

func (k *Call) entry(c *Engine, cause error) quotas.Entry {
	e := k.line(c, k.Usage(), k.seen != nil && k.seen.Usage != nil)
	switch {
	case cause == nil:
	case fault.Is(cause, fault.Canceled):
		e.Outcome = "disconnected"
	case Stopped(cause):
		e.Outcome = "cancelled"
	case fault.Is(cause, fault.RunInterrupted):
		e.Outcome = "interrupted"
	default:
		e.Outcome = "failed"
	}
	return e
}

// line is a ledger line of the model that answers now.
func (k *Call) line(c *Engine, u llm.Usage, counted bool) quotas.Entry {
	e := quotas.Entry{TenantID: k.Tenant.ID, RequestID: k.RequestID, RunID: k.RunID, SessionID: k.SessionID, KeyID: k.Who.KeyID, EndUser: k.endUser(),
		Provider: k.Target.Provider.Name(), Model: k.Target.ID, Usage: u, Source: quotas.Counted, Outcome: "completed"}
	if counted {
		e.Source = quotas.FromProvider
	}
	if cost, ok := costOf(k.Target, u); ok {
		e.Micros, e.PriceVersion = cost, c.Prices.Version()
	}
	return e
}

// costOf is what the tokens cost at the target, in micro-dollars; false when nobody knows.
func costOf(t router.Target, u llm.Usage) (int64, bool) {
	if !t.Known || !t.Info.Priced {
		return 0, false
	}
	return t.Info.Price.Cost(u), true
}

// decision is what is kept of an automatic choice, so that other policies can be held against it.
func (k *Call) decision(lines []quotas.Entry, now time.Time) routes.Record {
	r := routes.Record{TenantID: k.Tenant.ID, ID: ids.New("rte_"), RequestID: k.RequestID, RunID: k.RunID, SessionID: k.SessionID, Asked: k.Plan.Asked, Used: k.Target.ID,
		Reason: k.reason(), Ask: k.Plan.Ask, Candidates: k.Plan.Decision.Candidates, CreatedAt: db.At(now)}
	last := lines[len(lines)-1]
	r.Usage, r.PriceVersion, r.Outcome = last.Usage, last.PriceVersion, last.Outcome
	for _, e := range lines {
		r.Micros += e.Micros
	}
	return r
}

// journal notes now and then what has been delivered, so that a killed server's answers are billed.
type journal struct {
	engine *Engine
	call   *Call
	last   time.Time
	busy   atomic.Bool    // a note is being written, beside the stream: a slow disk must not hold it up
	work   sync.WaitGroup // the note under way
}

const journalEvery = time.Second

func (j *journal) note(ctx context.Context) {
	now := time.Now()
	if j.last.IsZero() {
		j.last = now
	}
	if now.Sub(j.last) < journalEvery || !j.busy.CompareAndSwap(false, true) {
		return
	}
	j.last = now
	k := j.call
	hold, u := k.Hold, llm.Usage{Input: k.Input(), Output: k.seen.Size.Tokens()}
	micros, _ := costOf(k.Target, u)
	j.work.Add(1)
	go func() {
		defer j.work.Done()
		defer j.busy.Store(false)
		err := j.engine.DB.Write(ctx, func(q db.Querier) error { return quotas.Delivered(ctx, q, hold, u.Total(), micros, now) })
		if err != nil && ctx.Err() == nil {
			j.engine.Log.Warn("delivered tokens not noted", "request_id", k.RequestID, "error", err.Error())
		}
	}()
}
