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
	"github.com/clawless/clawless/server/chat/arrears"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/lanes"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/tenants"
)

// Models finds and runs models; the router is one.
type Models interface {
	Resolve(ctx context.Context, model string) (router.Target, error)
	Stream(ctx context.Context, call *router.Call) iter.Seq2[llm.Chunk, error]
	Models(ctx context.Context) []llm.Model
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
	flights flights     // stateless calls under way
	lanes   lanes.Lanes // whose turn it is in each session
	debts   *arrears.Arrears

	settleLimit time.Duration // how long the store may take to record what was spent, at first
}

// New makes the use case. Drain ends what it has under way.
func New(d *db.DB, m Models, hub *runs.Hub, o Options) *Chat {
	if o.TurnLimit == 0 {
		o.TurnLimit = 15 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Chat{db: d, debts: arrears.New(d, o.Log), models: m, hub: hub, opts: o, tenants: cache.New[tenants.Tenant](20_000, time.Second), settleLimit: 10 * time.Second}
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
	limited   bool // the caller named the most that the answer may have
	answer    *dialect.Answer
	sessionID string
	runID     string
	user      string
	size      dialect.Size // of the prompt
	chunks    int64
	memory    memory // of a session's turn
	shown     int    // how many messages of its history the provider gets
}

// input is about how many tokens the prompt has.
func (k *call) input() int64 { return k.size.Tokens() }

// send sets what the provider gets.
func (k *call) send(messages []llm.Message) {
	k.req.Messages = messages
	k.size = dialect.Prompt(messages, k.req.Tools)
	k.size.AddParams(k.req.Params)
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

// prepare is what every call starts with: whether work is taken, the tenant, and what the caller may ask for.
func (c *Chat) prepare(ctx context.Context, r *dialect.Request) (*call, error) {
	if c.hub.Draining() {
		return nil, shuttingDown()
	}
	if err := c.debts.Refuse(); err != nil {
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
	stream := r.Stream || t.MonthlyTokens() > 0 && r.MaxTokens == 0
	return &call{who: who, tenant: t, requestID: cmp.Or(api.RequestID(ctx), ids.New(ids.Request)), user: r.User, limited: r.MaxTokens > 0,
		req: &llm.Request{Tools: r.Tools, Params: r.Params, Stream: stream}}, nil
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
	if r.Model != "" && r.Model != defaultModel || len(r.Tools) > 0 || r.User != "" {
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
	r.Params, r.MaxTokens = map[string]json.RawMessage{}, 0
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

const answerStep = 8192 // tokens reserved at a time for an answer whose caller names no limit

func (c *Chat) budget(k *call, maxTokens int64) quotas.Budget {
	b := quotas.Budget{TenantID: k.tenant.ID, RequestID: k.requestID, RunID: k.runID, Monthly: k.tenant.MonthlyTokens(), Input: k.size.Ceiling(), Output: maxTokens, Exact: k.limited}
	if !k.limited {
		b.Output = answerStep
	}
	return b
}

// endUser is who a tenant served with the call.
func (k *call) endUser() string {
	if k.who.VisitorID != "" {
		return k.who.VisitorID
	}
	return k.user
}

// Pay writes what the store would not take when it was due; it is a periodic job, and the last thing before the database is closed.
func (c *Chat) Pay(ctx context.Context) error { return c.debts.Pay(ctx) }

// Waiting is how many turns of a session this server has, the one under way included.
func (c *Chat) Waiting(tenantID, sessionID string) int {
	return c.lanes.Length(lane(tenantID, sessionID))
}

func lane(tenantID, sessionID string) string { return tenantID + " " + sessionID }
