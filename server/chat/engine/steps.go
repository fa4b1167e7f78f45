package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
)

// Spent is what a call has taken so far. Money is in micro-dollars; what has no known price adds none.
type Spent struct {
	Tokens int64
	Micros int64
}

// Step books the answer that asked for tools and reserves for the next one, to which answer belongs and which is given these messages. When it fails the call has ended:
// the answer is still to be booked.
func (c *Engine) Step(ctx context.Context, k *Call, messages []llm.Message, answer *dialect.Answer) error {
	u := k.Usage()
	if err := c.rebook(ctx, k, "completed", k.targets, messages); err != nil {
		return err
	}
	k.before = plus(k.before, u)
	answer.Limit = k.Answer.Limit
	k.Answer, k.seen, k.chunks = answer, nil, 0
	return nil
}

// rebook writes the ledger's line of an answer that is not the call's last and reserves for the one after it, both or neither.
func (c *Engine) rebook(ctx context.Context, k *Call, outcome string, targets []router.Target, messages []llm.Message) error {
	now := time.Now()
	line := k.line(c, k.Usage(), k.seen.Usage != nil)
	line.Outcome, line.RequestID = outcome, fmt.Sprintf("%s/%d", k.RequestID, len(k.booked)+1)
	before, sent := k.targets, k.Req.Messages
	k.targets = targets
	k.Send(messages)
	hold := k.Hold
	err := c.DB.Write(ctx, func(q db.Querier) (err error) {
		if err = quotas.Also(ctx, q, k.Hold, line, now); err != nil {
			return err
		}
		hold, err = quotas.Again(ctx, q, k.Hold, k.Budget(k.Answer.Limit), now)
		return err
	})
	if err != nil {
		k.targets = before
		k.Send(sent)
		return err
	}
	k.Hold, k.booked = hold, append(k.booked, line)
	if c.Settled != nil {
		c.Settled(line)
	}
	return nil
}

// Beside adds what others have spent for this call: sessions that it spawned, a summary that it needed. Their own lines are in the ledger.
func (k *Call) Beside(s Spent) {
	k.beside.Tokens += s.Tokens
	k.beside.Micros += s.Micros
}

// Spent is what the call has taken with the answer under way and what was spent beside it.
func (k *Call) Spent() Spent {
	s := k.beside
	for _, line := range k.booked {
		s.Tokens += line.Usage.Total()
		s.Micros += line.Micros
	}
	u := k.Usage()
	s.Tokens += u.Total()
	if cost, ok := costOf(k.Target, u); ok {
		s.Micros += cost
	}
	return s
}

// Turn is the usage of all steps of the call.
func (k *Call) Turn() llm.Usage { return plus(k.before, k.Usage()) }

// Steps is how many answers the call has had, thrown away ones not counted.
func (k *Call) Steps() int {
	n := 1
	for _, line := range k.booked {
		if line.Outcome == "completed" {
			n++
		}
	}
	return n
}

func plus(a, b llm.Usage) llm.Usage {
	return llm.Usage{Input: a.Input + b.Input, Output: a.Output + b.Output, Cached: a.Cached + b.Cached, CacheWrite: a.CacheWrite + b.CacheWrite, Reasoning: a.Reasoning + b.Reasoning}
}

// Billed is the usage of a call that ended with the fault, as far as it is on the bill.
func (k *Call) Billed(cause error) llm.Usage {
	if k.Charged(cause) {
		return k.Turn()
	}
	return k.before
}

// Resend sets what the provider gets, and reserves for it instead of what was reserved for. When it fails the call stays as it was.
func (c *Engine) Resend(ctx context.Context, k *Call, messages []llm.Message) error {
	sent := k.Req.Messages
	k.Send(messages)
	err := c.DB.Write(ctx, func(q db.Querier) error {
		hold, err := quotas.Again(ctx, q, k.Hold, k.Budget(k.Answer.Limit), time.Now())
		if err == nil {
			k.Hold = hold
		}
		return err
	})
	if err != nil {
		k.Send(sent)
	}
	return err
}
