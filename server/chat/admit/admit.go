// Package admit lets calls in: it knows the tenants, checks what each caller may ask for, and keeps account of the calls under way, so that they can be ended.
package admit

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/judge"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/tenants"
)

// Door is where calls come in.
type Door struct {
	db           *db.DB
	hub          *runs.Hub
	engine       *engine.Engine
	systemPrompt string // of tenants that have none
	tenants      *cache.Shared[tenants.Tenant]
	flights      flights
}

// maxTenants is how many tenants' settings are kept at most.
const maxTenants = 20_000

// New makes a door. systemPrompt is that of tenants that have none; settings are kept for ttl, unless bus tells of a change.
func New(d *db.DB, hub *runs.Hub, e *engine.Engine, systemPrompt string, bus cache.Bus, ttl time.Duration) *Door {
	return &Door{db: d, hub: hub, engine: e, systemPrompt: systemPrompt, tenants: cache.NewShared[tenants.Tenant](bus, "tenants", maxTenants, ttl)}
}

// HitRatio is the share of the tenants' settings that were found in the cache, 0 to 1.
func (d *Door) HitRatio() float64 { return d.tenants.HitRatio() }

// Forget drops a tenant's cached settings after a change.
func (d *Door) Forget(tenantID string) { d.tenants.Delete(tenantID) }

// Tenant reads a tenant's settings. A change that this server has made or heard of is in them.
func (d *Door) Tenant(ctx context.Context, id string) (tenants.Tenant, error) {
	return d.tenants.Load(id, func() (t tenants.Tenant, err error) {
		err = d.db.Read(ctx, func(q db.Querier) (err error) {
			t, err = tenants.Get(ctx, q, id)
			return err
		})
		return t, err
	})
}

// Prepare is what every call starts with: whether work is taken, the tenant, and what the caller may ask for.
func (d *Door) Prepare(ctx context.Context, r *dialect.Request) (*engine.Call, error) {
	if d.hub.Draining() {
		return nil, ShuttingDown()
	}
	if err := d.engine.Debts.Refuse(); err != nil {
		return nil, err
	}
	who := auth.From(ctx)
	t, err := d.Tenant(ctx, who.TenantID)
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
	return &engine.Call{Form: form, Who: who, Tenant: t, RequestID: cmp.Or(api.RequestID(ctx), ids.New(ids.Request)), User: r.User, Limited: r.MaxTokens > 0,
		Req: &llm.Request{Tools: r.Tools, Params: r.Params, Stream: stream}}, nil
}

// Ready makes the call's format ready where answers are held against it here.
func Ready(k *engine.Call) error {
	if !k.Checked() {
		return nil
	}
	if err := k.Form.Ready(); err != nil {
		return fault.New(fault.InvalidRequest, "response_format: %s", err.Error()).WithParam("response_format")
	}
	return nil
}

// ShuttingDown is the fault of calls that come too late.
func ShuttingDown() error {
	return fault.New(fault.ShuttingDown, "the server is shutting down; try again in some seconds").WithRetryAfter(5 * time.Second)
}

// permit checks what the caller may ask for.
func permit(t tenants.Tenant, who auth.Principal, r *dialect.Request) error {
	for _, tool := range r.Tools {
		if !t.AllowsTool(tool.Function.Name) {
			return fault.New(fault.Forbidden, "this tenant may not offer the tool %s; its allowed_tools decide", tool.Function.Name).WithParam("tools")
		}
	}
	if r.SessionID == "" && (r.Regenerate != "" || r.Edit != "" || r.ServerTools != nil && len(*r.ServerTools) > 0) {
		return fault.New(fault.InvalidRequest, "regenerate, edit and server_tools need a session_id").WithParam("session_id")
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

// System puts the tenant's or the session's instructions before the messages. A caller's own system message comes after them.
func (d *Door) System(t tenants.Tenant, session string, messages []llm.Message) []llm.Message {
	prompt := cmp.Or(session, t.Settings.SystemPrompt, d.systemPrompt)
	if prompt == "" {
		return messages
	}
	return append([]llm.Message{{Role: "system", Content: llm.Text(prompt)}}, messages...)
}
