package plan

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/tenants"
)

// facts gathers what is known of the models that a decision is about, each once.
type facts struct {
	planner *Planner
	ctx     context.Context
	tenant  tenants.Tenant
	models  []policy.Model
	targets map[string]router.Target
	names   map[string]string // what the rules call them -> full id
}

func (f *facts) add(names ...string) {
	for _, name := range names {
		if _, known := f.names[name]; known || name == "" || name == policy.Auto || name == DefaultModel {
			continue
		}
		target, err := f.planner.Models.Resolve(f.ctx, name)
		if err != nil {
			f.note(name, name)
			f.models = append(f.models, policy.Model{ID: name, Denied: policy.SkipUnknown})
			continue
		}
		f.note(name, target.ID)
		f.know(target)
	}
}

func (f *facts) note(name, id string) {
	if f.names == nil {
		f.names = map[string]string{}
	}
	f.names[name] = id
}

func (f *facts) know(t router.Target) {
	if _, known := f.targets[t.ID]; known {
		return
	}
	if f.targets == nil {
		f.targets = map[string]router.Target{}
	}
	f.targets[t.ID] = t
	m := policy.Model{ID: t.ID, Info: t.Info, Known: t.Known, Cooling: f.planner.Models.Cooling(t.ID, f.tenant.ID)}
	m.Denied, _ = f.planner.denied(f.tenant, t.ID)
	f.models = append(f.models, m)
}

// ids are the full ids of names.
func (f *facts) ids(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		if id := f.names[n]; id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// refuse is the fault of a named model that cannot answer; nil when it may be tried all the same.
func (p *Planner) refuse(out *Plan, f *facts) error {
	if out.Auto() {
		return nil
	}
	i := slices.IndexFunc(out.Decision.Candidates, func(c policy.Candidate) bool { return c.ID == out.Ask.Model })
	if i < 0 {
		return nil
	}
	if err := p.May(f.tenant, out.Ask.Model); err != nil {
		return err
	}
	unsupported := func(param, what string) error {
		return fault.New(fault.UnsupportedParam, "the model %s %s; choose another model, or auto", out.Ask.Model, what).WithParam(param)
	}
	switch out.Decision.Candidates[i].Skip {
	case policy.SkipTools:
		return unsupported("tools", "calls no tools")
	case policy.SkipVision:
		return unsupported("messages", "takes no images")
	case policy.SkipEffort:
		return fault.New(fault.UnsupportedParam, "the model %s does not think at the level %s; %s", out.Ask.Model, out.Ask.Effort, Levels(f.targets[out.Ask.Model])).WithParam("reasoning_effort")
	case policy.SkipEmbedding:
		return fault.New(fault.InvalidRequest, "the model %s makes embeddings; send it to POST /v1/embeddings", out.Ask.Model).WithParam("model")
	}
	return nil
}

// Levels says which levels of thinking a model has.
func Levels(t router.Target) string {
	if len(t.Info.Efforts) == 0 {
		return "it has no levels: leave the parameter out, or send off"
	}
	names := make([]string, len(t.Info.Efforts))
	for i, e := range t.Info.Efforts {
		names[i] = string(e)
	}
	return "it has " + strings.Join(names, ", ")
}

// skipWords say why a candidate was left out.
var skipWords = map[policy.Skip]string{
	policy.SkipUnknown:    "no provider offers it",
	policy.SkipTier:       "needs a higher tier",
	policy.SkipNotAllowed: "not among the tenant's allowed models",
	policy.SkipTools:      "calls no tools",
	policy.SkipVision:     "takes no images",
	policy.SkipSchema:     "keeps to no JSON schema",
	policy.SkipEffort:     "has no such level of thinking",
	policy.SkipContext:    "its context window is too small",
	policy.SkipPrice:      "its price is unknown; the operator adds it to prices_file",
	policy.SkipBudget:     "costs more than is left of the budget",
	policy.SkipCooling:    "failed too often lately",
	policy.SkipEmbedding:  "makes embeddings only",
}

// Why says in words why a candidate was left out.
func Why(s policy.Skip) string { return skipWords[s] }

// none is the fault of a turn that no model may answer. Where one reason holds for all it is that reason's own fault.
func (p *Planner) none(out *Plan) error {
	var details []fault.Detail
	same, cooling := policy.Skip(""), false
	for i, c := range out.Decision.Candidates {
		details = append(details, fault.Detail{Field: c.ID, Message: skipWords[c.Skip]})
		if i == 0 {
			same = c.Skip
		}
		if c.Skip != same {
			same = ""
		}
		cooling = cooling || c.Skip == policy.SkipCooling
	}
	var f *fault.Error
	switch same {
	case policy.SkipContext:
		f = fault.New(fault.ContextTooLong, "the conversation is longer than any of the models takes; shorten it or start a new session")
	case policy.SkipBudget:
		f = fault.New(fault.QuotaExceeded, "what is left of this month's budget pays for none of the models; the operator raises it with: clawless tenant update NAME --monthly-cost DOLLARS")
	case policy.SkipTier:
		f = fault.New(fault.ModelNotInTier, "the models behind auto need a higher tier")
	default:
		f = fault.New(fault.NoModel, "no model can answer this now: %s", listed(details))
		if !cooling {
			f.Status, f.Type = 400, "invalid_request_error" // waiting does not help
		}
	}
	f.Details = details
	return f.WithParam("model")
}

func listed(details []fault.Detail) string {
	if len(details) == 0 {
		return "auto has no models; the operator sets auto_weak and auto_strong, or configures a provider"
	}
	out := make([]string, len(details))
	for i, d := range details {
		out[i] = fmt.Sprintf("%s (%s)", d.Field, d.Message)
	}
	return strings.Join(out, ", ")
}

// lastUser is the text of the newest user message, and how many images it has.
func lastUser(messages []llm.Message) (text string, images int) {
	for _, m := range slices.Backward(messages) {
		if m.Role == "user" {
			return llm.TextOf(m.Content), imagesIn(m.Content)
		}
	}
	return "", 0
}

func vision(messages []llm.Message) bool {
	return slices.ContainsFunc(messages, func(m llm.Message) bool { return imagesIn(m.Content) > 0 })
}

func imagesIn(content json.RawMessage) (n int) {
	var parts []struct {
		Type string `json:"type"`
	}
	if len(content) == 0 || content[0] != '[' || json.Unmarshal(content, &parts) != nil {
		return 0
	}
	for _, p := range parts {
		if p.Type == "image_url" {
			n++
		}
	}
	return n
}
