package chat

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/quotas"
)

// stateless admits a call without a session: tenant, model, budget. The caller must range over metered(call), which settles it.
func (c *Chat) stateless(ctx context.Context, r *request) (*call, error) {
	if c.hub.Draining() {
		return nil, fault.New(fault.ShuttingDown, "the server is shutting down; try again in some seconds")
	}
	if r.model == "" {
		f := fault.New(fault.ValidationFailed, "model: is required; GET /v1/models lists what there is").WithParam("model")
		f.Details = []fault.Detail{{Field: "model", Message: "is required; GET /v1/models lists what there is"}}
		return nil, f
	}
	k, err := c.prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	if k.target, err = c.target(ctx, k.tenant, r.model); err != nil {
		return nil, err
	}
	k.req.Messages = c.system(k.tenant, "", r.messages)
	k.prompt = estimate(k.req.Messages, k.req.Tools, bytesPerToken)
	k.answer = newAnswer(k.requestID, k.target.ID, time.Now())
	b := c.budget(k, r.maxTokens)
	if b.Monthly == 0 {
		return k, nil
	}
	err = c.db.Write(ctx, func(q db.Querier) (err error) {
		k.hold, err = quotas.Reserve(ctx, q, b, "", time.Now())
		return err
	})
	return k, err
}

// prepare is what every call starts with: the tenant, and what the caller may ask for.
func (c *Chat) prepare(ctx context.Context, r *request) (*call, error) {
	who := auth.From(ctx)
	t, err := c.Tenant(ctx, who.TenantID)
	if err != nil {
		return nil, err
	}
	if err := c.permit(t, who, r); err != nil {
		return nil, err
	}
	return &call{who: who, tenant: t, requestID: api.RequestID(ctx), user: r.user,
		req: &llm.Request{Tools: r.tools, Params: r.params, Stream: r.stream}}, nil
}

// complete runs a stateless call to its end and returns the whole answer.
func (c *Chat) complete(ctx context.Context, k *call) (ChatCompletion, error) {
	c.active.Add(1)
	defer c.active.Done()
	ctx, done := c.turnContext(ctx)
	defer done()
	for _, err := range c.metered(ctx, k) {
		if err != nil {
			return ChatCompletion{}, err
		}
	}
	return k.answer.body(k.prompt), nil
}

// opened is a stream whose first chunk has come, so that its status can be sent.
type opened struct {
	first llm.Chunk
	next  func() (llm.Chunk, error, bool)
	stop  func()
}

// open starts a stateless stream and waits for its first chunk; a failure before it keeps its own status. The caller must call stop.
func (c *Chat) open(ctx context.Context, k *call) (*opened, error) {
	c.active.Add(1)
	ctx, done := c.turnContext(ctx)
	next, stop := iter.Pull2(c.metered(ctx, k))
	o := &opened{next: next, stop: func() {
		stop()
		done()
		c.active.Done()
	}}
	chunk, err, ok := next()
	if err == nil && !ok {
		err = fault.New(fault.StreamBroken, "the provider sent no answer; ask again")
	}
	if err != nil {
		o.stop()
		return nil, err
	}
	o.first = chunk
	return o, nil
}

func asFault(err error, f **fault.Error) bool { return errors.As(err, f) }
