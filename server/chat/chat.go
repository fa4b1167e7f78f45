// Package chat is the use case of the product: it admits a turn, streams it from a provider, records it in its session and settles what it cost.
package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/chat/answers"
	"github.com/clawless/clawless/server/chat/arrears"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/judge"
	"github.com/clawless/clawless/server/chat/lanes"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/llm/score"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/tenants"
)

// Models finds and runs models; the router is one.
type Models interface {
	plan.Models
	Stream(ctx context.Context, call *router.Call) iter.Seq2[llm.Chunk, error]
	Models(ctx context.Context) []llm.Model
}

// Options are the settings of the use case.
type Options struct {
	DefaultModel func(context.Context) (string, error) // of tenants that name none
	Rules        func() policy.Rules                   // of routing, for tenants that have none; nil for none
	TierModels   map[string]string                     // patterns of models and the least tier that may use them
	Vendor       func(provider string) string          // whose models a provider runs; may be nil
	Prices       *catalog.Table                        // nil: the built-in one
	SystemPrompt string                                // of tenants that have none
	SessionWait  time.Duration                         // how long a turn waits for the one before it
	TurnLimit    time.Duration                         // of one turn; zero: 15 minutes
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
	planner *plan.Planner
	engine  *engine.Engine
	flights flights     // stateless calls under way
	lanes   lanes.Lanes // whose turn it is in each session

}

// New makes the use case. Drain ends what it has under way.
func New(d *db.DB, m Models, hub *runs.Hub, o Options) *Chat {
	if o.TurnLimit == 0 {
		o.TurnLimit = 15 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Prices == nil {
		o.Prices = catalog.Default()
	}
	if o.Rules == nil {
		o.Rules = func() policy.Rules { return policy.Rules{} }
	}
	c := &Chat{db: d, models: m, hub: hub, opts: o, tenants: cache.New[tenants.Tenant](20_000, time.Second)}
	c.engine = &engine.Engine{DB: d, Models: m, Prices: o.Prices, Log: o.Log, Debts: arrears.New(d, o.Log), Answers: answers.New(), Settled: o.Settled,
		SettleLimit: 10 * time.Second, TurnLimit: o.TurnLimit}
	c.planner = &plan.Planner{Models: m, Default: o.DefaultModel, Rules: o.Rules, TierModels: o.TierModels, Vendor: o.Vendor, Shares: policy.NewShares(score.Threshold), Left: c.left}
	return c
}

// Planner decides about models; other use cases ask it too.
func (c *Chat) Planner() *plan.Planner { return c.planner }

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

// call is one admitted call, and for a session's turn what its model remembers.
type call struct {
	*engine.Call
	memory memory
	shown  int // how many messages of its history the provider gets
}

// prepare is what every call starts with: whether work is taken, the tenant, and what the caller may ask for.
func (c *Chat) prepare(ctx context.Context, r *dialect.Request) (*call, error) {
	if c.hub.Draining() {
		return nil, shuttingDown()
	}
	if err := c.engine.Debts.Refuse(); err != nil {
		return nil, err
	}
	who := auth.From(ctx)
	t, err := c.Tenant(ctx, who.TenantID)
	if err != nil {
		return nil, err
	}
	if err := permit(t, who, r); err != nil {
		return nil, err
	}
	// Only an answer that comes in pieces can be ended where the budget ends. One that has no limit of its own is streamed from the provider even if its caller waits for the whole.
	stream := r.Stream || (t.MonthlyTokens() > 0 || t.MonthlyMicros() > 0) && r.MaxTokens == 0
	form, err := judge.FormOf(r.Params["response_format"])
	if err != nil {
		return nil, fault.New(fault.InvalidRequest, "response_format: %s", err.Error()).WithParam("response_format")
	}
	return &call{Call: &engine.Call{Form: form, Who: who, Tenant: t, RequestID: cmp.Or(api.RequestID(ctx), ids.New(ids.Request)), User: r.User, Limited: r.MaxTokens > 0,
		Req: &llm.Request{Tools: r.Tools, Params: r.Params, Stream: stream}}}, nil
}

func shuttingDown() error {
	return fault.New(fault.ShuttingDown, "the server is shutting down; try again in some seconds").WithRetryAfter(5 * time.Second)
}

// permit checks what the caller may ask for.
func permit(t tenants.Tenant, who auth.Principal, r *dialect.Request) error {
	for _, tool := range r.Tools {
		if !t.AllowsTool(tool.Function.Name) {
			return fault.New(fault.Forbidden, "this tenant may not offer the tool %s; its allowed_tools decide", tool.Function.Name).WithParam("tools")
		}
	}
	if who.Kind != auth.Visitor {
		return nil
	}
	// A visitor talks to the tenant's assistant and configures nothing: anybody can read a publishable key out of a page.
	if r.Model != "" && r.Model != plan.DefaultModel || len(r.Tools) > 0 || r.User != "" {
		return fault.New(fault.Forbidden, "a widget's visitor cannot choose a model, tools or user")
	}
	if r.SessionID == "" {
		return fault.New(fault.Forbidden, "a widget's visitor needs a session_id; start one with POST /v1/sessions").WithParam("session_id")
	}
	for _, m := range r.Messages {
		if m.Role != "user" {
			return fault.New(fault.Forbidden, "a widget's visitor can only send user messages").WithParam("messages")
		}
	}
	r.Params, r.MaxTokens, r.Effort, r.Fallback, r.FallbackModels = map[string]json.RawMessage{}, 0, "", false, nil
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

// Pay writes what the store would not take when it was due; it is a periodic job, and the last thing before the database is closed.
func (c *Chat) Pay(ctx context.Context) error { return c.engine.Debts.Pay(ctx) }

// Waiting is how many turns of a session this server has, the one under way included.
func (c *Chat) Waiting(tenantID, sessionID string) int {
	return c.lanes.Length(lane(tenantID, sessionID))
}

func lane(tenantID, sessionID string) string { return tenantID + " " + sessionID }

// left is how many micro-dollars a tenant with a cap has left this month.
func (c *Chat) left(ctx context.Context, t tenants.Tenant) (left int64, err error) {
	err = c.db.Read(ctx, func(q db.Querier) error {
		used, reserved, err := quotas.Left(ctx, q, db.TenantOf(t.ID), quotas.Period(time.Now()))
		left = t.MonthlyMicros() - used - reserved
		return err
	})
	return left, err
}

// ready makes the call's format ready where answers are held against it here.
func (k *call) ready() error {
	if !k.Checked() {
		return nil
	}
	if err := k.Form.Ready(); err != nil {
		return fault.New(fault.InvalidRequest, "response_format: %s", err.Error()).WithParam("response_format")
	}
	return nil
}
