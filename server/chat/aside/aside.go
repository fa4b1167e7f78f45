// Package aside asks a cheap model small things beside a conversation, such as a title or a summary, and bills them like any other call.
package aside

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/tenants"
)

// Asker asks. Its fields are set once.
type Asker struct {
	Engine  *engine.Engine
	Planner *plan.Planner
}

// Question is one small thing to ask. RequestID is its own in the ledger.
type Question struct {
	Tenant    tenants.Tenant
	Who       auth.Principal
	RequestID string
	RunID     string
	SessionID string
	User      string
	Model     string // empty or auto takes the tenant's cheap one
	Messages  []llm.Message
	MaxTokens int64
}

// Reply is what the model said.
type Reply struct {
	Text  string
	Model string // provider/model
	Usage llm.Usage
	Spent engine.Spent
}

// Cheap is the model that small things are asked of when nobody says which: the cheap one of the tenant's pair, or else its default. Empty means that leave to the planner.
func (a *Asker) Cheap(t tenants.Tenant, model string) string {
	if model != "" && model != policy.Auto {
		return model
	}
	r := t.Rules(a.Planner.Rules())
	return cmp.Or(r.Weak, r.Default, plan.DefaultModel)
}

// Ask asks and settles, whatever comes of it. It is refused like any call when the tenant's budget is used up.
func (a *Asker) Ask(ctx context.Context, q Question) (Reply, error) {
	r := &dialect.Request{Model: a.Cheap(q.Tenant, q.Model), Messages: q.Messages, MaxTokens: q.MaxTokens}
	k := &engine.Call{Who: q.Who, Tenant: q.Tenant, RequestID: q.RequestID, RunID: q.RunID, SessionID: q.SessionID, User: q.User, Limited: q.MaxTokens > 0,
		Req: &llm.Request{Stream: true, Params: limit(q.MaxTokens)}}
	p, err := a.Planner.Plan(ctx, plan.Turn{Tenant: q.Tenant, Request: r, Messages: q.Messages, Input: dialect.Prompt(q.Messages, nil).Tokens()})
	if err != nil {
		return Reply{}, err
	}
	k.Decide(p)
	k.Send(q.Messages)
	k.Answer = dialect.NewAnswer(q.RequestID, k.Target.ID, time.Now())
	k.Answer.Limit = q.MaxTokens
	err = a.Engine.DB.Write(ctx, func(tx db.Querier) (err error) {
		k.Hold, err = quotas.Reserve(ctx, tx, k.Budget(q.MaxTokens), time.Now())
		return err
	})
	if err != nil {
		return Reply{}, err
	}
	for _, err := range a.Engine.Metered(ctx, k) {
		if err != nil {
			return Reply{Spent: k.Spent()}, err
		}
	}
	reply := Reply{Text: strings.TrimSpace(k.Answer.Said()), Model: k.Target.ID, Usage: k.Usage(), Spent: k.Spent()}
	if reply.Text == "" {
		return reply, fault.New(fault.AnswerInvalid, "the model %s said nothing", k.Target.ID)
	}
	return reply, nil
}
