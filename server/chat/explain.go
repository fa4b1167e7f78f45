package chat

import (
	"context"
	"slices"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/routes"
	"github.com/clawless/clawless/server/sessions"
)

// Explain says which model would answer the body of a chat call, and why. No model is called and nothing is reserved.
func (c *Chat) Explain(ctx context.Context, body []byte) (routes.Explanation, error) {
	r, err := dialect.Read(body)
	if err != nil {
		return routes.Explanation{}, err
	}
	k, err := c.prepare(ctx, r)
	if err != nil {
		return routes.Explanation{}, err
	}
	var s sessions.Session
	var p past
	if k.SessionID = r.SessionID; k.SessionID != "" {
		if s, p, err = c.recall(ctx, k); err != nil {
			return routes.Explanation{}, err
		}
	}
	t, _ := c.planned(k, r, s, p)
	decided, err := c.planner.Plan(ctx, t)
	if err != nil && decided.Asked == "" {
		return routes.Explanation{}, err
	}
	out := routes.Choice{Asked: decided.Asked, Ask: decided.Ask, Decision: decided.Decision, Share: decided.Share, Output: policy.Answer(decided.Ask), Thinking: string(decided.Effort),
		PriceVersion: c.opts.Prices.Version(), Why: plan.Why, Err: err}
	out.Ask.Input = t.Input
	return out.Explain(), nil
}

// planned is the turn as it is planned, with the instructions that go before its messages. Without a session s and p are empty.
func (c *Chat) planned(k *call, r *dialect.Request, s sessions.Session, p past) (plan.Turn, []llm.Message) {
	added, own := r.Messages, []llm.Message(nil)
	if k.SessionID != "" {
		added, own = kept(r.Messages), slices.DeleteFunc(slices.Clone(r.Messages), isKept)
	}
	instructions := c.system(k.Tenant, s.SystemPrompt, own)
	fixed := dialect.Prompt(append(slices.Clip(instructions), added...), r.Tools)
	return plan.Turn{Tenant: k.Tenant, Request: r, Model: s.Model, Thinking: s.Thinking, Last: p.model, Idle: p.idle, Messages: append(slices.Clip(p.messages), added...),
		Input: fixed.Tokens()}, instructions
}
