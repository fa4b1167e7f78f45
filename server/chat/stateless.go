package chat

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/clawless/clawless/server/chat/admit"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/quotas"
)

// flight is a stateless call under way. end must be called, once or more.
type flight struct {
	*engine.Call
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
	k, err := c.Prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	messages := c.System(k.Tenant, "", r.Messages)
	size := dialect.Prompt(messages, r.Tools)
	p, err := c.planner.Plan(ctx, plan.Turn{Tenant: k.Tenant, Request: r, Messages: r.Messages, Input: size.Tokens()})
	if err != nil {
		return nil, err
	}
	k.Decide(p)
	k.Send(messages)
	if err := admit.Ready(k); err != nil {
		return nil, err
	}
	// A conversation is likely to go on, and long instructions come again with the next question.
	k.Req.CachePrompt = len(r.Messages) > 2 || instructed(messages, r.Tools)
	k.Answer = dialect.NewAnswer(k.RequestID, k.Target.ID, time.Now())
	k.Answer.Limit = r.MaxTokens
	c.engine.Remember(k)
	limited, stop := c.engine.TurnContext(ctx)
	if !c.Admit(k, stop) {
		stop(nil)
		return nil, admit.ShuttingDown()
	}
	f := &flight{k, limited, sync.OnceFunc(func() {
		stop(nil)
		c.Leave(k)
	})}
	if k.Free() {
		return f, nil
	}
	c.planner.Note(k.Tenant.ID, p)
	err = c.db.WriteSoon(ctx, func(q db.Querier) (err error) {
		k.Hold, err = quotas.Reserve(ctx, q, k.Budget(r.MaxTokens), time.Now())
		return err
	})
	if err != nil {
		f.end()
		return nil, err
	}
	return f, nil
}

// cachedFrom is the length, in tokens, from which providers keep a prompt.
const cachedFrom = 1024

// instructs reports whether a message is an instruction and no part of the conversation.
func instructs(m llm.Message) bool { return m.Role == "system" || m.Role == "developer" }

func instructed(messages []llm.Message, tools []llm.Tool) bool {
	n := 0
	for n < len(messages) && instructs(messages[n]) {
		n++
	}
	size := dialect.Prompt(messages[:n], tools)
	return size.Tokens() >= cachedFrom
}

// complete runs a stateless call to its end and returns the whole answer.
func (c *Chat) complete(ctx context.Context, f *flight) (dialect.ChatCompletion, error) {
	defer f.end()
	for _, err := range c.engine.Metered(f.ctx, f.Call) {
		if err != nil {
			f.Headers(ctx)
			return dialect.ChatCompletion{}, err
		}
	}
	f.Headers(ctx)
	return f.Answer.Body(f.Input()), nil
}

// opened is a stream whose first chunk has come, so that its status can be sent. stop must be called.
type opened struct {
	first llm.Chunk
	next  func() (llm.Chunk, error, bool)
	stop  func()
}

// open starts a stateless stream and waits for its first chunk; a failure before it keeps its own status.
func (c *Chat) open(ctx context.Context, f *flight) (*opened, error) {
	if !f.Keeps() {
		f.Answer.Brief()
	}
	next, stop := iter.Pull2(c.engine.Metered(f.ctx, f.Call))
	o := &opened{next: next, stop: func() {
		defer f.end()
		stop()
	}}
	whole := false
	defer func() {
		f.Headers(ctx)
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
