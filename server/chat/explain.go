package chat

import (
	"context"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/routes"
)

// Explain says which model would answer the body of a chat call, and why. No model is called and nothing is reserved.
func (c *Chat) Explain(ctx context.Context, body []byte) (routes.Explanation, error) {
	r, err := dialect.Read(body)
	if err != nil {
		return routes.Explanation{}, err
	}
	k, err := c.Prepare(ctx, r)
	if err != nil {
		return routes.Explanation{}, err
	}
	k.SessionID = r.SessionID
	t := plan.Turn{Tenant: k.Tenant, Request: r, Messages: r.Messages, Input: dialect.Prompt(c.System(k.Tenant, "", r.Messages), r.Tools).Tokens()}
	if k.SessionID != "" {
		if t, err = c.Foresee(ctx, k, r); err != nil {
			return routes.Explanation{}, err
		}
	}
	decided, err := c.planner.Plan(ctx, t)
	if err != nil && decided.Asked == "" {
		return routes.Explanation{}, err
	}
	out := routes.Choice{Asked: decided.Asked, Ask: decided.Ask, Decision: decided.Decision, Share: decided.Share, Output: policy.Answer(decided.Ask), Thinking: string(decided.Effort),
		PriceVersion: c.opts.Prices.Version(), Why: plan.Why, Err: err}
	out.Ask.Input = t.Input
	return out.Explain(), nil
}
