package engine

import (
	"context"
	"strconv"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
)

// Paper is what the caller is told about an answer that has ended, as far as it went. A widget's visitor is told nothing of costs and choices: they are the tenant's.
func (c *Engine) Paper(k *Call) dialect.Receipt {
	if k.Who.Kind == auth.Visitor {
		return dialect.Receipt{}
	}
	return c.Receipt(k)
}

// Receipt is what the tenant is told about an answer that has ended, as far as it went.
func (c *Engine) Receipt(k *Call) dialect.Receipt {
	if k.kept != nil {
		return k.Answer.Paper
	}
	u := k.Turn()
	r := dialect.Receipt{Asked: k.Plan.Asked, Route: routeOf(k.Plan, string(k.reason()), u), Tokens: &dialect.Tokens{Input: u.Input, Output: u.Output, Cached: u.Cached, CacheWrite: u.CacheWrite, Thinking: u.Reasoning}}
	for _, a := range k.attempts {
		r.Attempts = append(r.Attempts, AttemptOf(a))
	}
	if e, _ := k.effortFor(k.Target); e != "" {
		r.Thinking, r.ThinkingFrom = string(e), k.Plan.EffortFrom
	}
	cost, known := costOf(k.Target, k.Usage())
	for _, w := range k.booked {
		cost += w.Micros
		known = known && w.PriceVersion != ""
	}
	cost += k.beside.Micros
	if k.Steps() > 1 {
		r.Steps = k.Steps()
	}
	if r.BesideTokens = k.beside.Tokens; k.beside.Micros > 0 {
		r.BesideMicros = &k.beside.Micros
	}
	if r.PriceUnknown = !known; known {
		r.CostMicros, r.PriceVersion = &cost, c.Prices.Version()
	}
	return r
}

// AttemptOf is a call of a provider as the caller is told of it.
func AttemptOf(a router.Attempt) dialect.Attempt {
	out := dialect.Attempt{Model: a.Target.ID, Outcome: "ok", Key: a.Key, MS: a.Duration.Milliseconds(), FirstMS: a.First.Milliseconds()}
	switch {
	case a.Skipped != "":
		out.Outcome = a.Skipped
	case a.Err != nil:
		out.Outcome = string(a.Err.Class)
	case a.Left:
		out.Outcome = "left"
	}
	return out
}

// routeOf is the choice as it is told; each candidate says what the tokens of the answer would have cost there.
func routeOf(p plan.Plan, reason string, u llm.Usage) *dialect.Route {
	r := &dialect.Route{Reason: reason}
	if p.Auto() {
		r.StrongShare = &p.Share
		if p.Ask.Scored {
			r.Score, r.Threshold = &p.Ask.Failure, &p.Ask.Threshold
		}
	} else if len(p.Decision.Candidates) < 2 {
		return r
	}
	for _, c := range p.Decision.Candidates {
		out := dialect.RouteCandidate{Model: c.ID, Skipped: string(c.Skip)}
		if t, ok := p.Target(c.ID); ok {
			if cost, known := costOf(t, u); known {
				out.CostMicros = &cost
			}
		}
		r.Candidates = append(r.Candidates, out)
	}
	return r
}

// Headers tells in headers what is known before the answer's body.
func (k *Call) Headers(ctx context.Context) {
	if k.Who.Kind == auth.Visitor {
		return
	}
	api.SetHeader(ctx, "Clawless-Model", k.Target.ID)
	api.SetHeader(ctx, "Clawless-Route", string(k.reason()))
	if r := k.Answer.Paper; r.Route != nil {
		CostHeaders(ctx, r)
	} else if n := len(k.attempts); n > 0 {
		api.SetHeader(ctx, "Clawless-Attempts", strconv.Itoa(n))
	}
}

// CostHeaders repeats a receipt in headers: how many attempts there were, and what they cost.
func CostHeaders(ctx context.Context, r dialect.Receipt) {
	api.SetHeader(ctx, "Clawless-Attempts", strconv.Itoa(len(r.Attempts)))
	if r.CostMicros != nil {
		api.SetHeader(ctx, "Clawless-Cost-Micros", strconv.FormatInt(*r.CostMicros, 10))
		if r.PriceVersion != "" {
			api.SetHeader(ctx, "Clawless-Price-Version", r.PriceVersion)
		}
	}
}
