package routes

import (
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm/policy"
)

// Routes serves the explanation of a choice to tenants, and the replay of recorded ones to the operator.
type Routes struct {
	DB *db.DB
	// Explain decides for the caller's tenant what a chat call with this body would be answered by.
	Explain func(ctx context.Context, body []byte) (Explanation, error)
	// ChatBody is a value of the type that documents the body of a chat call.
	ChatBody any
	// Facts tells what is known of models for a tenant, as full ids in the order of the names and nothing for a name that can be no model. Without a tenant nobody's
	// permissions count.
	Facts func(ctx context.Context, tenantID string, names []string) ([]policy.Model, error)
	// Tenant turns an id or a name into an existing tenant's id.
	Tenant func(ctx context.Context, q db.Querier, idOrName string) (id string, err error)
	// PriceVersion is that of the table that Facts takes prices from.
	PriceVersion string
}

// ReplayRequest says which decisions are taken anew, and how.
type ReplayRequest struct {
	Since  string       `json:"since,omitempty" maxLength:"40" default:"7d" doc:"From when: how long ago (7d, 36h) or an RFC 3339 time"`
	Until  string       `json:"until,omitempty" maxLength:"40" doc:"Until when, in the same forms; now when absent"`
	Tenant string       `json:"tenant,omitempty" maxLength:"64" doc:"The id or name of the tenant whose decisions are meant; all tenants' when absent"`
	Policy ReplayPolicy `json:"policy"`
}

// ReplayPolicy is the whole policy to decide by; nothing is taken from the tenants' or the server's settings.
type ReplayPolicy struct {
	WeakModel      string   `json:"weak_model,omitempty" maxLength:"200" doc:"The cheap model of the pair"`
	StrongModel    string   `json:"strong_model,omitempty" maxLength:"200" doc:"The strong one"`
	StrongShare    *float64 `json:"strong_share,omitempty" minimum:"0" maximum:"1" doc:"The share of the scored calls that may go to the strong model; needed when there is a pair"`
	FallbackModels []string `json:"fallback_models,omitempty" maxItems:"20" doc:"Models that may answer when the others cannot, in order"`
	DefaultModel   string   `json:"default_model,omitempty" maxLength:"200" doc:"Where nothing tells the pair apart"`
}

// ReplayBody compares what was done with what the policy would have done.
type ReplayBody struct {
	Since              time.Time  `json:"since"`
	Until              time.Time  `json:"until"`
	Decisions          int64      `json:"decisions" doc:"How many were replayed"`
	Changed            int64      `json:"changed" doc:"How many would have gone to another model than the one that answered"`
	Cut                bool       `json:"cut" doc:"There were more; only the newest were replayed"`
	RecordedCostMicros int64      `json:"recorded_cost_micros" doc:"Micro-dollars that were booked at the time, answers that were thrown away included"`
	Before             ReplaySide `json:"before" doc:"The models that answered, at today's prices"`
	After              ReplaySide `json:"after" doc:"The models that the policy chooses, at today's prices for the same tokens"`
	PriceVersion       string     `json:"price_version" doc:"The version of the price table"`
	Note               string     `json:"note" doc:"What the comparison leaves out"`
}

// ReplaySide is what one of the two policies comes to.
type ReplaySide struct {
	CostMicros   int64         `json:"cost_micros" doc:"Micro-dollars, without the unpriced ones"`
	StrongCalls  int64         `json:"strong_calls" doc:"Decisions for the policy's strong model or another of its class or above"`
	Unpriced     int64         `json:"unpriced" doc:"Decisions for a model whose price is unknown today"`
	Unanswerable int64         `json:"unanswerable" doc:"Decisions that no model answered, or could"`
	ByModel      []ReplayModel `json:"by_model" nullable:"false" doc:"The dearest first"`
}

// ReplayModel is one model's part.
type ReplayModel struct {
	Model      string `json:"model" doc:"provider/model"`
	Decisions  int64  `json:"decisions"`
	CostMicros int64  `json:"cost_micros" doc:"Micro-dollars"`
}

type (
	explainIn struct {
		RawBody []byte `contentType:"application/json"`
	}
	explainOut struct{ Body Explanation }
	replayIn   struct{ Body ReplayRequest }
	replayOut  struct{ Body ReplayBody }
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	explain := huma.Operation{OperationID: "explain-route", Method: "POST", Path: "/v1/route", Summary: "Explain which model would answer", Tags: []string{"routes"},
		SkipValidateBody: true, // it is read as a chat call is
		Description:      "Takes the body of a chat call and says which model would be asked and why, and what each would cost. No model is called and nothing is spent."}
	api.Handle(a, api.KeyWith(auth.ScopeChat), api.Dialect(explain), r.explain)
	a.BodySchema(explain, r.ChatBody, "ChatRequest")
	api.Handle(a, api.OperatorOnly(), huma.Operation{OperationID: "replay-routes", Method: "POST", Path: "/admin/routes/replay", Tags: []string{"routes"},
		Summary: "Take recorded decisions anew under another policy", Description: "Nothing is changed and no model is called. Decisions are kept for 90 days."}, r.replay)
}

func (r Routes) explain(ctx context.Context, in *explainIn) (*explainOut, error) {
	e, err := r.Explain(ctx, in.RawBody)
	if err != nil {
		return nil, err
	}
	return &explainOut{Body: e}, nil
}

func (r Routes) replay(ctx context.Context, in *replayIn) (*replayOut, error) {
	s, err := in.Body.span(time.Now())
	if err != nil {
		return nil, err
	}
	if err := in.Body.Policy.check(); err != nil {
		return nil, err
	}
	if in.Body.Tenant != "" {
		err := r.DB.Read(ctx, func(q db.Querier) error {
			s.tenantID, err = r.Tenant(ctx, q, in.Body.Tenant)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	again := newReplay(r.Facts)
	if err := again.adopt(ctx, s.tenantID, in.Body.Policy.rules()); err != nil {
		return nil, err
	}
	cut, err := again.run(ctx, r.DB, s, mostReplayed)
	if err != nil {
		return nil, err
	}
	sum := again.sum
	return &replayOut{Body: ReplayBody{Since: s.since.UTC(), Until: s.until.UTC(), Decisions: sum.decisions, Changed: sum.changed, Cut: cut, RecordedCostMicros: sum.recorded,
		Before: sum.before.wire(), After: sum.after.wire(), PriceVersion: r.PriceVersion, Note: note(cut)}}, nil
}

// span reads the two times.
func (r ReplayRequest) span(now time.Time) (span, error) {
	s := span{until: now}
	var bad []fault.Detail
	read := func(field, text string, into *time.Time) {
		var ok bool
		if *into, ok = moment(text, now); !ok {
			bad = append(bad, fault.Detail{Field: field, Message: "neither how long ago, such as 7d or 36h, nor an RFC 3339 time"})
		}
	}
	read("since", r.Since, &s.since)
	if r.Until != "" {
		read("until", r.Until, &s.until)
	}
	if s.since.Before(time.Unix(0, 0)) {
		s.since = time.Unix(0, 0)
	}
	if len(bad) == 0 && !s.since.Before(s.until) {
		bad = append(bad, fault.Detail{Field: "since", Message: "not before the end"})
	}
	return s, refuse(bad)
}

// check refuses a policy by which nothing could be decided.
func (p ReplayPolicy) check() error {
	var bad []fault.Detail
	if p.WeakModel == "" && p.StrongModel == "" && p.DefaultModel == "" && len(p.FallbackModels) == 0 {
		bad = append(bad, fault.Detail{Field: "policy", Message: "names no model; set weak_model, strong_model and strong_share"})
	}
	if p.WeakModel != "" && p.StrongModel != "" && p.StrongShare == nil {
		bad = append(bad, fault.Detail{Field: "policy.strong_share", Message: "is missing: from 0 to 1, the share of the scored calls that may go to strong_model"})
	}
	for i, m := range p.FallbackModels {
		if m == "" {
			bad = append(bad, fault.Detail{Field: fmt.Sprintf("policy.fallback_models[%d]", i), Message: "is empty"})
		}
	}
	return refuse(bad)
}

func (p ReplayPolicy) rules() policy.Rules {
	r := policy.Rules{Weak: p.WeakModel, Strong: p.StrongModel, Default: p.DefaultModel, Fallback: p.FallbackModels}
	if p.StrongShare != nil {
		r.StrongShare = *p.StrongShare
	}
	return r
}

func (s side) wire() ReplaySide {
	out := ReplaySide{CostMicros: s.micros, StrongCalls: s.strong, Unpriced: s.unpriced, Unanswerable: s.unanswerable, ByModel: []ReplayModel{}}
	for _, id := range s.byModel() {
		out.ByModel = append(out.ByModel, ReplayModel{Model: id, Decisions: s.models[id].decisions, CostMicros: s.models[id].micros})
	}
	return out
}

// note says what a replay cannot know.
func note(cut bool) string {
	text := "another model is assumed to take the same tokens, cached ones included; both sides are at today's prices and under today's tiers and allowed models; " +
		"failures, fallbacks after them, escalations and models that a request named as its own fallback are not replayed; each decision has the budget that was left at its time"
	if cut {
		text = fmt.Sprintf("only the newest %d decisions were replayed; ", mostReplayed) + text
	}
	return text
}
