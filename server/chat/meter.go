package chat

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/chat/arrears"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
)

// The bounds of one answer, whatever its provider does.
const (
	maxAnswer  = 32 << 20 // bytes of text
	maxFrames  = 64 << 20 // bytes that its events take in a run's log, about
	frameBytes = 300
	// A caller's own limit is the provider's to keep. It is only looked after when far more came than so many tokens can be.
	bytesPerLimit = 128
	limitSlack    = 64 << 10
)

// errLeft says that the reader ended the range.
var errLeft = fault.New(fault.Canceled, "the reader left")

// relay streams the call's chunks to yield and keeps what the call comes to in k. It cuts an answer that has grown beyond its bounds or its budget, and returns
// the fault with which it ended: errLeft when the reader left.
func (c *Chat) relay(ctx context.Context, k *call, yield func(llm.Chunk, error) bool) error {
	journal := &journal{chat: c, call: k}
	for chunk, err := range c.models.Stream(ctx, &router.Call{Targets: []router.Target{k.target}, Request: k.req}) {
		if err != nil {
			return explain(ctx, err)
		}
		k.chunks++
		c.plausible(k, &chunk)
		k.answer.Add(chunk)
		cut := k.answer.Finish == "" && c.spent(ctx, k)
		if cut {
			chunk.FinishReason, k.answer.Finish = llm.FinishLength, llm.FinishLength
		}
		if !yield(chunk, nil) {
			return errLeft
		}
		if cut {
			return nil // leaving the range stops the provider
		}
		journal.note(ctx)
	}
	return nil
}

// spent reports whether the answer must end here.
func (c *Chat) spent(ctx context.Context, k *call) bool {
	size := k.answer.Size
	switch {
	case size.Bytes > maxAnswer, size.Bytes+frameBytes*k.chunks > maxFrames:
		return true
	case k.limited:
		return size.Bytes > bytesPerLimit*k.hold.Output+limitSlack
	case k.hold.Monthly == 0, size.Ceiling() < k.hold.Output:
		return false
	}
	var more int64
	err := c.db.Write(ctx, func(q db.Querier) (err error) {
		more, err = quotas.Extend(ctx, q, k.hold, answerStep)
		return err
	})
	if err != nil && ctx.Err() == nil {
		c.opts.Log.Warn("no more tokens could be reserved", "request_id", k.requestID, "error", err.Error())
	}
	k.hold.Output += more
	return more == 0
}

// plausible drops a provider's count that cannot be true, so that what came is counted here. No text has more tokens than bytes, but providers add instructions of
// their own to a prompt, and thoughts that nobody sees to an answer.
func (c *Chat) plausible(k *call, chunk *llm.Chunk) {
	u := chunk.Usage
	if u == nil {
		return
	}
	most := int64(dialect.MaxOutput)
	if k.limited {
		most = 2*k.hold.Output + 1024
	}
	highest := 2*k.size.Bytes + 8*k.size.Ceiling() + 16<<10
	if u.Input >= 0 && u.Output >= 0 && u.Input <= highest && u.Output <= most && u.Cached >= 0 && u.CacheWrite >= 0 && u.Reasoning >= 0 {
		return
	}
	c.opts.Log.Warn("a provider's count of tokens cannot be true; counting for ourselves", "request_id", k.requestID, "provider", k.target.Provider.Name(), "input", u.Input, "output", u.Output)
	chunk.Usage = nil
}

// explain turns a provider's failure into the caller's fault; why the context ended matters more than that it did.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fault.From(cause)
	}
	return router.Fault(err)
}

// metered streams a stateless call and settles it when the range ends, however it ends, even by a panic. It yields faults.
func (c *Chat) metered(ctx context.Context, k *call) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		settled := false
		defer func() {
			if !settled {
				c.settle(ctx, k, internal())
			}
		}()
		err := c.relay(ctx, k, yield)
		c.settle(ctx, k, err)
		settled = true
		if err != nil && !errors.Is(err, errLeft) {
			yield(llm.Chunk{}, err)
		}
	}
}

func internal() error {
	return fault.New(fault.Internal, "internal error; quote the request id to the operator")
}

// settle writes the ledger's line under a context that outlives the caller. The answer was served already, so a store that fails now makes a debt and no error.
func (c *Chat) settle(ctx context.Context, k *call, cause error) {
	now := time.Now()
	_ = c.mustWrite(ctx, "usage", k, func(ctx context.Context, q db.Querier) error { return c.book(ctx, q, k, cause, now) })
}

// mustWrite writes what may not be lost. What the store does not take now is tried again until it does; the error says that this is so.
func (c *Chat) mustWrite(ctx context.Context, what string, k *call, fn func(context.Context, db.Querier) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.settleLimit)
	defer cancel()
	err := c.db.Write(ctx, func(q db.Querier) error { return fn(ctx, q) })
	if err != nil {
		c.opts.Log.Error(what+" not recorded", "request_id", k.requestID, "run", k.runID, "tenant", k.tenant.ID, "error", err.Error())
		c.debts.Add(arrears.Debt{What: what, RequestID: k.requestID, Write: fn}, err)
	}
	return err
}

// book settles the call in the caller's transaction. A call that the provider failed before its first token costs nothing; one that was given up on our side
// costs its prompt, which the provider had read by then.
func (c *Chat) book(ctx context.Context, q db.Querier, k *call, cause error, now time.Time) error {
	if !k.charged(cause) {
		return quotas.GiveBack(ctx, q, k.hold)
	}
	e := k.entry(cause)
	booked, err := quotas.Settle(ctx, q, k.hold, e, now)
	if booked && c.opts.Settled != nil {
		c.opts.Settled(e)
	}
	return err
}

func (k *call) charged(cause error) bool {
	return cause == nil || k.answer.Started() || fault.Is(cause, fault.Canceled) || stopped(cause)
}

// stopped reports whether a call was ended on somebody's word, and not by a failure.
func stopped(cause error) bool {
	return fault.Is(cause, fault.RunCancelled) || fault.Is(cause, fault.TenantSuspended) || fault.Is(cause, fault.InvalidKey)
}

func (k *call) entry(cause error) quotas.Entry {
	e := quotas.Entry{TenantID: k.tenant.ID, RequestID: k.requestID, RunID: k.runID, SessionID: k.sessionID, KeyID: k.who.KeyID, EndUser: k.endUser(),
		Provider: k.target.Provider.Name(), Model: k.target.ID, Usage: k.answer.Total(k.input()), Source: quotas.Counted, Outcome: "completed"}
	if k.answer.Usage != nil {
		e.Source = quotas.FromProvider
	}
	switch {
	case cause == nil:
	case fault.Is(cause, fault.Canceled):
		e.Outcome = "disconnected"
	case stopped(cause):
		e.Outcome = "cancelled"
	case fault.Is(cause, fault.RunInterrupted):
		e.Outcome = "interrupted"
	default:
		e.Outcome = "failed"
	}
	return e
}

// turnContext ends with the caller, with stop, or when the turn has taken too long.
func (c *Chat) turnContext(ctx context.Context) (limited context.Context, stop context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	limited, stopTimer := context.WithTimeoutCause(ctx, c.opts.TurnLimit, fault.New(fault.Timeout, "the answer took longer than the server allows; ask for less at once"))
	return limited, func(cause error) {
		cancel(cause)
		stopTimer()
	}
}

// journal notes now and then what has been delivered, so that a killed server's answers are billed.
type journal struct {
	chat *Chat
	call *call
	last time.Time
	busy atomic.Bool // a note is being written, beside the stream: a slow disk must not hold it up
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
	hold, tokens := j.call.hold, j.call.input()+j.call.answer.Size.Tokens()
	go func() {
		defer j.busy.Store(false)
		err := j.chat.db.Write(ctx, func(q db.Querier) error { return quotas.Delivered(ctx, q, hold, tokens, 0, now) })
		if err != nil && ctx.Err() == nil {
			j.chat.opts.Log.Warn("delivered tokens not noted", "request_id", j.call.requestID, "error", err.Error())
		}
	}()
}
