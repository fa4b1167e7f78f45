package chat

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/quotas"
)

// flight is a stateless call under way. end must be called, once or more.
type flight struct {
	*call
	ctx context.Context
	end func()
}

// stateless admits a call without a session: tenant, model, budget.
func (c *Chat) stateless(ctx context.Context, r *dialect.Request) (*flight, error) {
	if r.Model == "" {
		const what = "is required; GET /v1/models lists what there is"
		f := fault.New(fault.ValidationFailed, "model: "+what).WithParam("model")
		f.Details = []fault.Detail{{Field: "model", Message: what}}
		return nil, f
	}
	k, err := c.prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	if k.target, err = c.target(ctx, k.tenant, r.Model); err != nil {
		return nil, err
	}
	k.send(c.system(k.tenant, "", r.Messages))
	k.answer = dialect.NewAnswer(k.requestID, k.target.ID, time.Now())
	k.answer.Limit = r.MaxTokens
	limited, stop := c.turnContext(ctx)
	if !c.flights.enter(k, stop) {
		stop(nil)
		return nil, shuttingDown()
	}
	f := &flight{k, limited, sync.OnceFunc(func() {
		stop(nil)
		c.flights.leave(k)
	})}
	err = c.db.WriteSoon(ctx, func(q db.Querier) (err error) {
		k.hold, err = quotas.Reserve(ctx, q, c.budget(k, r.MaxTokens), time.Now())
		return err
	})
	if err != nil {
		f.end()
		return nil, err
	}
	return f, nil
}

// complete runs a stateless call to its end and returns the whole answer.
func (c *Chat) complete(f *flight) (dialect.ChatCompletion, error) {
	defer f.end()
	for _, err := range c.metered(f.ctx, f.call) {
		if err != nil {
			return dialect.ChatCompletion{}, err
		}
	}
	return f.answer.Body(f.input()), nil
}

// opened is a stream whose first chunk has come, so that its status can be sent. stop must be called.
type opened struct {
	first llm.Chunk
	next  func() (llm.Chunk, error, bool)
	stop  func()
}

// open starts a stateless stream and waits for its first chunk; a failure before it keeps its own status.
func (c *Chat) open(f *flight) (*opened, error) {
	f.answer.Brief()
	next, stop := iter.Pull2(c.metered(f.ctx, f.call))
	o := &opened{next: next, stop: func() {
		defer f.end()
		stop()
	}}
	whole := false
	defer func() {
		if !whole { // a panic of the provider comes up here too
			o.stop()
		}
	}()
	chunk, err, ok := next()
	if err == nil && !ok {
		err = fault.New(fault.StreamBroken, "the provider sent no answer; ask again")
	}
	if err != nil {
		return nil, err
	}
	o.first, whole = chunk, true
	return o, nil
}
