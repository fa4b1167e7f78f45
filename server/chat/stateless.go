package chat

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
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

// opened is a stream that has begun: its first chunk has come, or is waited for so long that its reader should hear something. stop must be called.
type opened struct {
	pending <-chan pulled // gives the first chunk, where it has not come yet; nil otherwise
	first   pulled
	pull    func() (llm.Chunk, error, bool)
	stop    func()
}

// pulled is one step of a stream.
type pulled struct {
	chunk llm.Chunk
	err   error
	ok    bool
}

// next is the stream's next step, the first one first.
func (o *opened) next() (llm.Chunk, error, bool) {
	if o.pending != nil {
		o.first, o.pending = <-o.pending, nil
	}
	if p := o.first; p.ok || p.err != nil {
		o.first = pulled{}
		return p.chunk, p.err, true
	}
	return o.pull()
}

// open starts a stateless stream and waits for its first chunk, whose failure keeps its own status. One that does not come before readers and proxies take the silence
// for an end is waited for by the stream itself, which then has status 200.
func (c *Chat) open(ctx context.Context, f *flight) (*opened, error) {
	if !f.Keeps() {
		f.Answer.Brief()
	}
	pull, stop := iter.Pull2(c.engine.Metered(f.ctx, f.Call))
	first := make(chan pulled, 1)
	o := &opened{pull: pull}
	o.stop = func() {
		defer f.end()
		if o.pending != nil { // it ends with the call
			f.end()
			<-o.pending
		}
		stop()
	}
	go func() { first <- c.begin(f, pull) }()
	late := time.NewTimer(c.patience)
	defer late.Stop()
	select {
	case o.first = <-first:
	case <-late.C:
		o.pending = first
		return o, nil
	}
	f.Headers(ctx)
	if p := &o.first; p.err == nil && !p.ok {
		p.err = noAnswer()
	}
	if o.first.err != nil {
		o.stop()
		return nil, o.first.err
	}
	return o, nil
}

func noAnswer() error { return fault.New(fault.StreamBroken, "the provider sent no answer; ask again") }

// begin pulls the first chunk. A panic of the provider's driver ends this call and nothing else.
func (c *Chat) begin(f *flight, pull func() (llm.Chunk, error, bool)) (p pulled) {
	defer func() {
		if r := recover(); r != nil {
			c.opts.Log.Error("panic in a call", "request_id", f.RequestID, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			p = pulled{err: engine.Internal()}
		}
	}()
	p.chunk, p.err, p.ok = pull()
	return p
}
