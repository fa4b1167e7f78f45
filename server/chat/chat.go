// Package chat is the use case of the product: it admits a turn, streams it from a provider, records it in its session and settles what it cost.
package chat

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/tenants"
)

// Models finds and runs models; the router is one.
type Models interface {
	Resolve(ctx context.Context, model string) (router.Target, error)
	Stream(ctx context.Context, target router.Target, req *llm.Request) iter.Seq2[llm.Chunk, error]
}

// Options are the settings of the use case.
type Options struct {
	DefaultModel func(context.Context) (string, error) // of tenants that name none
	SystemPrompt string                                // of tenants that have none
	SessionWait  time.Duration                         // how long a turn waits for the one before it
	TurnLimit    time.Duration                         // of one call of a provider; zero: 15 minutes
	WriteTimeout time.Duration                         // of one event to one reader
	Node         string                                // this server's name in runs
	Log          *slog.Logger
	Settled      func(quotas.Entry) // told of every ledger line, for metrics; may be nil
}

// Chat runs turns.
type Chat struct {
	db      *db.DB
	models  Models
	hub     *runs.Hub
	opts    Options
	tenants *cache.Cache[tenants.Tenant]
	stop    context.Context // ends stateless calls when the server's patience is over
	halt    context.CancelCauseFunc
	active  sync.WaitGroup // stateless calls under way
}

// New makes the use case. Drain ends what it has under way.
func New(d *db.DB, m Models, hub *runs.Hub, o Options) *Chat {
	if o.TurnLimit == 0 {
		o.TurnLimit = 15 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Chat{db: d, models: m, hub: hub, opts: o, tenants: cache.New[tenants.Tenant](20_000, time.Second)}
	c.stop, c.halt = context.WithCancelCause(context.Background())
	return c
}

// Drain waits for the stateless calls under way until ctx ends, then ends them with an error event. Runs of sessions are the hub's to drain, which also refuses new work.
func (c *Chat) Drain(ctx context.Context) {
	idle := make(chan struct{})
	go func() {
		c.active.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
		c.halt(runs.ErrShutdown)
		<-idle
	}
}

// Forget drops a tenant's cached settings after a change.
func (c *Chat) Forget(tenantID string) { c.tenants.Delete(tenantID) }

// Tenant reads a tenant's settings, at most a second old.
func (c *Chat) Tenant(ctx context.Context, id string) (tenants.Tenant, error) {
	if t, ok := c.tenants.Get(id); ok {
		return t, nil
	}
	var t tenants.Tenant
	err := c.db.Read(ctx, func(q db.Querier) (err error) {
		t, err = tenants.Get(ctx, q, id)
		return err
	})
	if err == nil {
		c.tenants.Set(id, t)
	}
	return t, err
}

// call is one admitted call of a model.
type call struct {
	who       auth.Principal
	tenant    tenants.Tenant
	requestID string
	target    router.Target
	req       *llm.Request
	hold      quotas.Hold
	answer    *answer
	sessionID string
	runID     string
	user      string
	prompt    int64 // estimated tokens
}

// defaultModel is what "default" means to a tenant.
const defaultModel = "default"

// target finds the model and checks that the tenant may use it.
func (c *Chat) target(ctx context.Context, t tenants.Tenant, model string) (router.Target, error) {
	if model == "" || model == defaultModel {
		model = t.Settings.DefaultModel
	}
	if model == "" {
		var err error
		if model, err = c.opts.DefaultModel(ctx); err != nil {
			return router.Target{}, err
		}
	}
	target, err := c.models.Resolve(ctx, model)
	if err != nil {
		return router.Target{}, err
	}
	if !t.AllowsModel(target.ID) {
		return router.Target{}, fault.New(fault.ModelNotAllowed, "this tenant may not use the model %s; GET /v1/models lists those it may", target.ID).WithParam("model")
	}
	return target, nil
}

// permit checks what the caller may ask for.
func (c *Chat) permit(t tenants.Tenant, who auth.Principal, r *request) error {
	for _, tool := range r.tools {
		if !t.AllowsTool(tool.Function.Name) {
			return fault.New(fault.Forbidden, "this tenant may not offer the tool %s; its allowed_tools decide", tool.Function.Name).WithParam("tools")
		}
	}
	if who.Kind != auth.Visitor {
		return nil
	}
	// A visitor talks to the tenant's assistant and configures nothing: anybody can read a publishable key out of a page.
	if r.model != "" && r.model != defaultModel || len(r.tools) > 0 || r.user != "" {
		return fault.New(fault.Forbidden, "a widget's visitor cannot choose a model, tools or user")
	}
	if r.sessionID == "" {
		return fault.New(fault.Forbidden, "a widget's visitor needs a session_id; start one with POST /v1/sessions").WithParam("session_id")
	}
	for _, m := range r.messages {
		if m.Role != "user" {
			return fault.New(fault.Forbidden, "a widget's visitor can only send user messages").WithParam("messages")
		}
	}
	r.params = map[string]json.RawMessage{}
	return nil
}

// system puts the tenant's or the session's instructions before the messages. A caller's own system message comes after them.
func (c *Chat) system(t tenants.Tenant, session string, messages []llm.Message) []llm.Message {
	prompt := session
	if prompt == "" {
		prompt = t.Settings.SystemPrompt
	}
	if prompt == "" {
		prompt = c.opts.SystemPrompt
	}
	if prompt == "" {
		return messages
	}
	return append([]llm.Message{{Role: "system", Content: llm.Text(prompt)}}, messages...)
}

func (c *Chat) budget(k *call, maxTokens int64) quotas.Budget {
	b := quotas.Budget{TenantID: k.tenant.ID, Monthly: k.tenant.MonthlyTokens(), Input: estimate(k.req.Messages, k.req.Tools, cautiousBytes), Output: maxTokens, Exact: maxTokens > 0}
	if !b.Exact {
		b.Output = defaultAnswer
	}
	return b
}

// turnContext ends with the caller, with the server, or when the turn has taken too long.
func (c *Chat) turnContext(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	limited, stopTimer := context.WithTimeout(ctx, c.opts.TurnLimit)
	unhook := context.AfterFunc(c.stop, func() { cancel(runs.ErrShutdown) })
	return limited, func() {
		unhook()
		stopTimer()
		cancel(nil)
	}
}

// metered streams the call and settles it when the range ends, however it ends. It stops an answer that has used up what was reserved for it, and yields faults.
func (c *Chat) metered(ctx context.Context, k *call) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		err := c.relay(ctx, k, yield)
		if f := c.settle(ctx, k, err); f != nil && err == nil {
			err = f
		}
		if err != nil && err != errLeft {
			yield(llm.Chunk{}, err)
		}
	}
}

// errLeft says that the reader ended the range.
var errLeft = fault.New(fault.Canceled, "the reader left")

func (c *Chat) relay(ctx context.Context, k *call, yield func(llm.Chunk, error) bool) error {
	journal := journal{chat: c, call: k}
	for chunk, err := range c.models.Stream(ctx, k.target, k.req) {
		if err != nil {
			return c.explain(ctx, err)
		}
		k.answer.add(chunk)
		spent := k.hold.Output > 0 && k.answer.finish == "" && tokensIn(k.answer.bytes) >= k.hold.Output
		if spent {
			chunk.FinishReason, k.answer.finish = llm.FinishLength, llm.FinishLength
		}
		if !yield(chunk, nil) {
			return errLeft
		}
		if spent {
			return nil // the reservation is used up; leaving the range stops the provider
		}
		journal.note(ctx)
	}
	return nil
}

// explain turns a provider's failure into the caller's fault; why the context ended matters more than that it did.
func (c *Chat) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		if f := (*fault.Error)(nil); asFault(cause, &f) {
			return f
		}
		return fault.From(cause)
	}
	return router.Fault(err)
}

// settle writes the ledger's line under a context that outlives the caller. A run settles in the transaction that stores its answer instead.
func (c *Chat) settle(ctx context.Context, k *call, cause error) error {
	if k.runID != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	now := time.Now()
	err := c.db.Write(ctx, func(q db.Querier) error { return c.book(ctx, q, k, cause, now) })
	if err != nil {
		c.opts.Log.Error("usage not recorded", "request_id", k.requestID, "tenant", k.tenant.ID, "error", err.Error())
		return err
	}
	return nil
}

// book settles the call in the caller's transaction. A call that the provider failed before its first token costs nothing; one that the caller gave up
// costs its prompt, which the provider had read by then.
func (c *Chat) book(ctx context.Context, q db.Querier, k *call, cause error, now time.Time) error {
	if cause != nil && !k.answer.started() && !fault.Is(cause, fault.Canceled) && !fault.Is(cause, fault.RunCancelled) {
		return quotas.GiveBack(ctx, q, k.hold)
	}
	e := k.entry(cause)
	if err := quotas.Settle(ctx, q, k.hold, e, now); err != nil {
		return err
	}
	if c.opts.Settled != nil {
		c.opts.Settled(e)
	}
	return nil
}

func (k *call) entry(cause error) quotas.Entry {
	e := quotas.Entry{TenantID: k.tenant.ID, RequestID: k.requestID, RunID: k.runID, SessionID: k.sessionID, KeyID: k.who.KeyID, EndUser: k.endUser(),
		Provider: k.target.Provider.Name(), Model: k.target.ID, Usage: k.answer.total(k.prompt), Source: quotas.Counted, Outcome: "completed"}
	if k.answer.usage != nil {
		e.Source = quotas.FromProvider
	}
	switch {
	case cause == nil:
	case fault.Is(cause, fault.Canceled):
		e.Outcome = "disconnected"
	case fault.Is(cause, fault.RunCancelled):
		e.Outcome = "cancelled"
	default:
		e.Outcome = "failed"
	}
	return e
}

func (k *call) endUser() string {
	if k.who.VisitorID != "" {
		return k.who.VisitorID
	}
	return strings.ToValidUTF8(k.user, "")
}

// journal notes now and then what has been delivered, so that a killed server's answers are billed.
type journal struct {
	chat *Chat
	call *call
	last time.Time
}

const journalEvery = time.Second

func (j *journal) note(ctx context.Context) {
	if j.call.hold.ID == "" {
		return
	}
	now := time.Now()
	if j.last.IsZero() {
		j.last = now
	}
	if now.Sub(j.last) < journalEvery {
		return
	}
	j.last = now
	err := j.chat.db.Write(ctx, func(q db.Querier) error {
		return quotas.Delivered(ctx, q, j.call.hold, j.call.prompt+tokensIn(j.call.answer.bytes), now)
	})
	if err != nil && ctx.Err() == nil {
		j.chat.opts.Log.Warn("delivered tokens not noted", "request_id", j.call.requestID, "error", err.Error())
	}
}
