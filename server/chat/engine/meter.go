package engine

import (
	"context"
	"errors"
	"iter"
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
	overLimit  = 4
	limitSlack = 1024 // tokens
)

// errLeft says that the reader ended the range.
var errLeft = fault.New(fault.Canceled, "the reader left")

// spent reports whether the answer must end here.
func (c *Engine) spent(ctx context.Context, k *Call) bool {
	size := k.seen.Size
	switch {
	case size.Bytes > maxAnswer, size.Bytes+frameBytes*k.chunks > maxFrames:
		return true
	case k.Limited:
		return size.Tokens() > overLimit*k.Hold.Output+limitSlack
	case k.Hold.Monthly == 0 && k.Hold.MonthlyMicros == 0, size.Ceiling() < k.Hold.Output:
		return false
	}
	// A single piece can be larger than a step. What came has to be reserved whole, and is booked whole if it cannot be.
	wanted := max(AnswerStep, size.Ceiling()-k.Hold.Output+1)
	more, err := c.extend(ctx, k, wanted)
	if err != nil && ctx.Err() == nil {
		c.Log.Warn("no more tokens could be reserved", "request_id", k.RequestID, "error", err.Error())
	}
	k.Hold.Output += more
	return size.Ceiling() >= k.Hold.Output
}

// extend reserves up to tokens more of the answer's price for the call, and returns how many it got.
func (c *Engine) extend(ctx context.Context, k *Call, tokens int64) (more int64, err error) {
	err = c.DB.Write(ctx, func(q db.Querier) (err error) {
		more, err = quotas.Extend(ctx, q, k.Hold, tokens)
		return err
	})
	return more, err
}

// plausible drops a provider's count that cannot be true, so that what came is counted here. No text has more tokens than bytes, but providers add instructions of
// their own to a prompt, and thoughts that nobody sees to an answer.
func (c *Engine) plausible(k *Call, u *llm.Usage) *llm.Usage {
	if u == nil {
		return nil
	}
	most := int64(dialect.MaxOutput)
	if k.Limited {
		most = 2*k.Hold.Output + 1024 + 4*k.seen.Size.Ceiling() // a provider that does not keep to the limit may well say so
	}
	highest := 2*k.Size.Bytes + 8*k.Size.Ceiling() + 16<<10
	if k.Plan.Ask.Vision { // vendors count an image as some hundred tokens or as tens of thousands
		highest += 1 << 20
	}
	if u.Cached+u.CacheWrite <= u.Input && u.Reasoning <= u.Output && u.Input >= 0 && u.Output >= 0 && u.Input <= highest && u.Output <= most && u.Cached >= 0 && u.CacheWrite >= 0 && u.Reasoning >= 0 {
		return u
	}
	c.Log.Warn("a provider's count of tokens cannot be true; counting for ourselves", "request_id", k.RequestID, "provider", k.Target.Provider.Name(), "input", u.Input, "output", u.Output)
	return nil
}

// explain turns a provider's failure into the caller's fault; why the context ended matters more than that it did.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fault.From(cause)
	}
	return router.Fault(err)
}

// Metered streams a stateless call and settles it when the range ends, however it ends, even by a panic. It yields faults.
func (c *Engine) Metered(ctx context.Context, k *Call) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		if k.kept != nil {
			k.recall(yield)
			return
		}
		settled := false
		defer func() {
			if !settled {
				c.settle(ctx, k, Internal())
			}
		}()
		err := c.Relay(ctx, k, yield)
		c.settle(ctx, k, err)
		settled = true
		switch {
		case err == nil:
			c.keep(k)
		case k.Charged(err), len(k.booked) > 0: // what a broken answer has cost is told in the headers, where there still are any
			k.Answer.Paper = c.Paper(k)
		}
		if err != nil && !errors.Is(err, errLeft) {
			yield(llm.Chunk{}, err)
		}
	}
}

// Internal is the fault of what should not happen.
func Internal() error {
	return fault.New(fault.Internal, "internal error; quote the request id to the operator")
}

// settle writes the ledger's line under a context that outlives the caller. The answer was served already, so a store that fails now makes a debt and no error.
func (c *Engine) settle(ctx context.Context, k *Call, cause error) {
	now := time.Now()
	_ = c.MustWrite(ctx, "usage", k, func(ctx context.Context, q db.Querier) error { return c.Book(ctx, q, k, cause, now) })
}

// MustWrite writes what may not be lost. What the store does not take now is tried again until it does; the error says that this is so.
func (c *Engine) MustWrite(ctx context.Context, what string, k *Call, fn func(context.Context, db.Querier) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.SettleLimit)
	defer cancel()
	err := c.DB.Write(ctx, func(q db.Querier) error { return fn(ctx, q) })
	if err != nil {
		c.Log.Error(what+" not recorded", "request_id", k.RequestID, "run", k.RunID, "tenant", k.Tenant.ID, "error", err.Error())
		c.Debts.Add(arrears.Debt{What: what, RequestID: k.RequestID, Write: fn}, err)
	}
	return err
}

// TurnContext ends with the caller, with stop, or when the turn has taken too long.
func (c *Engine) TurnContext(ctx context.Context) (limited context.Context, stop context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	limited, stopTimer := context.WithTimeoutCause(ctx, c.TurnLimit, fault.New(fault.Timeout, "the answer took longer than the server allows; ask for less at once"))
	return limited, func(cause error) {
		cancel(cause)
		stopTimer()
	}
}
