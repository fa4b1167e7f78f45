// Package plan turns a request into the models that may answer it, in order, with the reasons; it gathers the facts that package policy decides on.
package plan

import (
	"cmp"
	"context"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/llm/score"
	"github.com/clawless/clawless/server/tenants"
)

// DefaultModel is the name of the model that means: the tenant's default.
const DefaultModel = "default"

// Models finds models and knows which of them are left alone for a while; the router is one.
type Models interface {
	Resolve(ctx context.Context, model string) (router.Target, error)
	Cooling(id, caller string) time.Duration
}

// Planner knows what decides about every turn. Its fields are set once.
type Planner struct {
	Models     Models
	Default    func(context.Context) (string, error)                      // of tenants that name none
	Rules      func() policy.Rules                                        // of tenants that have none
	TierModels map[string]string                                          // patterns of models and the least tier that may use them
	Vendor     func(provider string) string                               // whose models a provider runs; nil where providers have their vendors' names
	Shares     *policy.Shares                                             // what the tenants' scores were lately
	Left       func(ctx context.Context, t tenants.Tenant) (int64, error) // micro-dollars of this month; asked only for tenants with a cap
	Random     func() float64                                             // from 0 to 1; nil is math/rand
}

// Turn is what is to be planned.
type Turn struct {
	Tenant   tenants.Tenant
	Request  *dialect.Request
	Model    string // the session's; empty when it has none
	Thinking string // the session's; empty when it has none
	Last     string // the model that answered the session's last turn
	Idle     time.Duration
	Messages []llm.Message // the conversation as far as it is known, the new messages last
	Input    int64         // tokens of what the model must be shown, on the high side
}

// tieBreak is far below any difference that means something.
const tieBreak = 1e-6

func (p *Planner) random() float64 {
	if p.Random != nil {
		return p.Random()
	}
	return rand.Float64()
}

// Plan is who may answer a turn, and why.
type Plan struct {
	Asked      string          // what the caller wrote, or default
	Ask        policy.Ask      // as it was decided, without any text
	Decision   policy.Decision //
	Targets    []router.Target // the chain, at least one
	Share      float64         // of strong calls that the tenant wants
	Rules      policy.Rules
	Effort     llm.Effort // how much to think; empty leaves it to the model
	EffortFrom string     // message, session or tenant

	known map[string]router.Target
}

// Target is what is known of a model that was considered.
func (p Plan) Target(id string) (router.Target, bool) {
	t, ok := p.known[id]
	return t, ok
}

// Auto reports whether the model was chosen here.
func (p Plan) Auto() bool { return p.Ask.Model == policy.Auto }

// Plan decides. Its faults say what the caller can do.
func (p *Planner) Plan(ctx context.Context, t Turn) (Plan, error) {
	out := Plan{Asked: cmp.Or(t.Request.Model, DefaultModel), Rules: t.Tenant.Rules(p.Rules())}
	out.Effort, out.EffortFrom = effort(t)
	model, named, err := p.name(ctx, t)
	if err != nil {
		return Plan{}, err
	}
	out.Share = out.Rules.StrongShare
	// Who leaves the choice to the tenant or to the router gets an answer if there is one to be had; a model that was named is strict.
	out.Ask = policy.Ask{Model: model, Fallback: t.Request.Fallback || !named || model == policy.Auto, Tools: len(t.Request.Tools) > 0, Effort: t.Request.Effort,
		Output: t.Request.MaxTokens, Last: t.Last, Idle: t.Idle, Micros: -1}
	out.Rules.Fallback = slices.Concat(t.Request.FallbackModels, out.Rules.Fallback)
	facts := &facts{planner: p, ctx: ctx, tenant: t.Tenant}
	if model == policy.Auto {
		p.auto(ctx, t, &out)
		facts.add(out.Rules.Weak, out.Rules.Strong, out.Rules.Default)
	} else {
		target, err := p.Models.Resolve(ctx, model)
		if err != nil {
			return Plan{}, err
		}
		out.Ask.Model = target.ID
		out.Ask.Vision = vision(t.Messages)
		facts.know(target)
	}
	if out.Ask.Fallback {
		out.Ask.Input = t.Input
		if out.Ask.Micros, err = p.left(ctx, t.Tenant); err != nil { // a fallback that the budget rules out must not keep the others from answering
			return Plan{}, err
		}
		facts.add(out.Rules.Fallback...)
		out.Rules.Fallback = facts.ids(out.Rules.Fallback)
	}
	out.Decision, out.known = policy.Decide(out.Rules, out.Ask, facts.models), facts.targets
	return out, p.targets(&out, facts)
}

// name is the model that the turn asks for, and whether its caller named it.
func (p *Planner) name(ctx context.Context, t Turn) (model string, named bool, err error) {
	if m := t.Request.Model; m != "" && m != DefaultModel {
		return m, true, nil
	}
	if t.Model != "" && t.Model != DefaultModel {
		return t.Model, true, nil
	}
	if m := t.Tenant.Settings.DefaultModel; m != "" && m != DefaultModel {
		return m, false, nil
	}
	model, err = p.Default(ctx)
	return model, false, err
}

// effort is how much to think, by the first who says so.
func effort(t Turn) (llm.Effort, string) {
	if t.Request.Effort != "" {
		return t.Request.Effort, "message"
	}
	if e, ok := llm.ParseEffort(t.Thinking); ok {
		return e, "session"
	}
	if e, ok := llm.ParseEffort(t.Tenant.Settings.Thinking); ok {
		return e, "tenant"
	}
	return "", ""
}

// auto fills in what only the choice between models needs.
func (p *Planner) auto(ctx context.Context, t Turn, out *Plan) {
	r, a := t.Request, &out.Ask
	text, images := lastUser(t.Messages)
	a.Vision = vision(t.Messages)
	a.Tools = a.Tools || slices.ContainsFunc(t.Messages, func(m llm.Message) bool { return len(m.ToolCalls) > 0 })
	a.Schema = strings.Contains(string(r.Params["response_format"]), `"json_schema"`)
	s := score.Score(score.Signals{Text: text, Messages: len(t.Messages), Tools: len(r.Tools), Images: images, Schema: a.Schema})
	a.Scored, a.Failure = s.OK, s.Failure
	if s.OK { // prompts that score alike would all fall on one side of the threshold, and the share would not come about
		a.Failure += tieBreak * p.random()
	}
	a.Threshold = p.Shares.Threshold(t.Tenant.ID, out.Share)
	for _, name := range []*string{&out.Rules.Weak, &out.Rules.Strong, &out.Rules.Default} {
		*name = p.full(ctx, *name)
	}
}

// left is what the tenant may still spend this month, in micro-dollars; negative when it has no cap.
func (p *Planner) left(ctx context.Context, t tenants.Tenant) (int64, error) {
	if t.MonthlyMicros() <= 0 {
		return -1, nil
	}
	left, err := p.Left(ctx, t)
	return max(left, 0), err
}

// Note tells the shares of a scored turn that was really asked.
func (p *Planner) Note(tenantID string, out Plan) {
	if out.Auto() && out.Ask.Scored {
		p.Shares.Note(tenantID, out.Ask.Failure)
	}
}

// full is the full id of a model's name; a name that nobody offers stays as it is.
func (p *Planner) full(ctx context.Context, name string) string {
	if name == "" || name == policy.Auto || name == DefaultModel {
		return ""
	}
	if t, err := p.Models.Resolve(ctx, name); err == nil {
		return t.ID
	}
	return name
}

// plain is how a server that takes no care of them reads a model's name: without spaces, doubled slashes and capitals. A tier must not be got around by spelling.
func plain(id string) string {
	return strings.ToLower(path.Clean(strings.Join(strings.Fields(id), "")))
}

// insist puts the model first among the candidates, as one that is tried.
func insist(candidates []policy.Candidate, id string) []policy.Candidate {
	out := slices.Clone(candidates)
	for i, c := range out {
		if c.ID == id {
			c.Skip = ""
			return slices.Insert(slices.Delete(out, i, i+1), 0, c)
		}
	}
	return out
}

// targets fills in the chain, or says why there is none.
func (p *Planner) targets(out *Plan, f *facts) error {
	chain := out.Decision.Chain()
	if len(chain) == 0 || !out.Auto() && chain[0] != out.Ask.Model {
		if err := p.refuse(out, f); err != nil {
			return err
		}
		if !slices.Contains(chain, out.Ask.Model) && !out.Auto() { // what is only unwise is the caller's choice
			chain = append([]string{out.Ask.Model}, chain...)
			out.Decision.Candidates = insist(out.Decision.Candidates, out.Ask.Model)
		}
	}
	for _, id := range chain {
		out.Targets = append(out.Targets, f.targets[id])
	}
	if len(out.Targets) == 0 {
		return p.none(out)
	}
	return nil
}

// Facts tells the facts of models for the replay of recorded decisions.
func (p *Planner) Facts(ctx context.Context, t tenants.Tenant, ids []string) []policy.Model {
	f := &facts{planner: p, ctx: ctx, tenant: t}
	f.add(ids...)
	return f.models
}

// May is the fault of a model that the tenant may not use, or nil.
func (p *Planner) May(t tenants.Tenant, id string) error {
	switch skip, needs := p.denied(t, id); skip {
	case policy.SkipTier:
		return fault.New(fault.ModelNotInTier, "the model %s needs the tier %s; GET /v1/models lists those of yours", id, needs).WithParam("model")
	case policy.SkipNotAllowed:
		return fault.New(fault.ModelNotAllowed, "this tenant may not use the model %s; GET /v1/models lists those it may", id).WithParam("model")
	}
	return nil
}

func (p *Planner) denied(t tenants.Tenant, id string) (skip policy.Skip, needs string) {
	for _, name := range []string{id, plain(id)} {
		if needs, ok := t.InTier(name, p.TierModels); !ok {
			return policy.SkipTier, string(needs)
		}
	}
	// A vendor's models need the tier under whatever name an operator has given their provider.
	if provider, model, _ := strings.Cut(id, "/"); p.Vendor != nil {
		if vendor := p.Vendor(provider); vendor != "" && vendor != provider {
			if needs, ok := t.InTier(plain(vendor+"/"+model), p.TierModels); !ok {
				return policy.SkipTier, string(needs)
			}
		}
	}
	if !t.AllowsModel(id) {
		return policy.SkipNotAllowed, ""
	}
	return "", ""
}
