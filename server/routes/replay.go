package routes

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/score"
)

const (
	mostReplayed = 200_000 // decisions of one replay
	pageSize     = 1_000
)

// replay decides recorded asks anew. What it keeps is bounded by the number of decisions: a model for each session and one more for each that answered in it.
type replay struct {
	facts  func(ctx context.Context, tenantID string, ids []string) ([]policy.Model, error)
	rules  policy.Rules // with full ids
	shares *policy.Shares
	known  map[modelOf]policy.Model
	turns  map[turn]string
	sum    totals
}

type modelOf struct{ tenantID, id string }

// turn is the last one of a session that a model answered, as it was recorded. A replayed session has its own model there.
type turn struct{ tenantID, sessionID, used string }

type totals struct {
	decisions, changed int64
	recorded           int64 // micro-dollars, as they were booked
	before, after      side
}

// side is what one of the two policies did.
type side struct {
	micros, strong, unpriced, unanswerable int64
	models                                 map[string]*perModel
}

type perModel struct{ decisions, micros int64 }

func newReplay(facts func(context.Context, string, []string) ([]policy.Model, error)) *replay {
	return &replay{facts: facts, shares: policy.NewShares(score.Threshold), known: map[modelOf]policy.Model{}, turns: map[turn]string{},
		sum: totals{before: side{models: map[string]*perModel{}}, after: side{models: map[string]*perModel{}}}}
}

// adopt takes rules whose models may have other names than their full ids, and fails with all of those that no choice could ever fall on.
func (r *replay) adopt(ctx context.Context, tenantID string, rules policy.Rules) error {
	var bad []fault.Detail
	full := func(field string, name *string) error {
		if *name == "" {
			return nil
		}
		m, err := r.model(ctx, tenantID, *name)
		switch {
		case err != nil:
			return err
		case m.Denied == policy.SkipUnknown:
			bad = append(bad, fault.Detail{Field: field, Message: strconv.Quote(*name) + " is a model that no provider offers"})
		case !m.Known || !m.Info.Priced:
			bad = append(bad, fault.Detail{Field: field, Message: "the price of " + strconv.Quote(*name) + " is unknown, so auto would never choose it; add it to prices_file"})
		}
		*name = m.ID
		return nil
	}
	rules.Fallback = slices.Clone(rules.Fallback)
	fields, names := []string{"weak_model", "strong_model", "default_model"}, []*string{&rules.Weak, &rules.Strong, &rules.Default}
	for i := range rules.Fallback {
		fields, names = append(fields, "fallback_models["+strconv.Itoa(i)+"]"), append(names, &rules.Fallback[i])
	}
	for i, name := range names {
		if err := full("policy."+fields[i], name); err != nil {
			return err
		}
	}
	r.rules = rules
	return refuse(bad)
}

// refuse makes a fault of bad fields, all of them in its message; nil when there are none.
func refuse(bad []fault.Detail) error {
	if len(bad) == 0 {
		return nil
	}
	words := make([]string, len(bad))
	for i, d := range bad {
		words[i] = d.Field + ": " + d.Message
	}
	f := fault.New(fault.ValidationFailed, "%s", strings.Join(words, "; ")).WithParam(bad[0].Field)
	f.Details = bad
	return f
}

// run replays what was recorded of a span, its newest most decisions, and says whether there were more.
func (r *replay) run(ctx context.Context, d *db.DB, s span, most int) (cut bool, err error) {
	var at position
	err = d.Read(ctx, func(q db.Querier) error {
		at, cut, err = begin(ctx, q, s, most)
		return err
	})
	if err != nil {
		return false, err
	}
	for left := most; left > 0; {
		var rows []row
		err := d.Read(ctx, func(q db.Querier) error {
			rows, err = page(ctx, q, s, at, min(left, pageSize))
			return err
		})
		if err != nil {
			return false, err
		}
		for i := range rows {
			if err := r.decide(ctx, rows[i]); err != nil {
				return false, err
			}
		}
		if len(rows) < pageSize {
			break
		}
		at, left = rows[len(rows)-1].position, left-len(rows)
	}
	return cut, nil
}

// decide takes one decision anew and books both sides of it.
func (r *replay) decide(ctx context.Context, w row) error {
	a, err := w.ask()
	if err != nil {
		return err
	}
	if a.Last != "" && w.SessionID != "" { // a new or reset session has no last model, whatever the rules
		a.Last = cmp.Or(r.turns[turn{w.TenantID, w.SessionID, a.Last}], a.Last)
	}
	a.Threshold = r.shares.Threshold(w.TenantID, r.rules.StrongShare)
	if a.Scored && a.Model == policy.Auto {
		r.shares.Note(w.TenantID, a.Failure)
	}
	models, err := r.models(ctx, w.TenantID, a)
	if err != nil {
		return err
	}
	chosen := ""
	if chain := policy.Decide(r.rules, a, models).Chain(); len(chain) > 0 {
		chosen = chain[0]
	}
	if w.SessionID != "" && w.Used != "" {
		r.turns[turn{w.TenantID, w.SessionID, w.Used}] = cmp.Or(chosen, a.Last)
	}
	r.sum.decisions++
	r.sum.recorded += w.Micros
	if chosen != w.Used {
		r.sum.changed++
	}
	if err := r.book(ctx, &r.sum.before, w.TenantID, w.Used, w.usage()); err != nil {
		return err
	}
	return r.book(ctx, &r.sum.after, w.TenantID, chosen, w.usage())
}

// models are the facts that a decision needs.
func (r *replay) models(ctx context.Context, tenantID string, a policy.Ask) ([]policy.Model, error) {
	names := append([]string{r.rules.Weak, r.rules.Strong, r.rules.Default, a.Last}, r.rules.Fallback...)
	if a.Model != policy.Auto {
		names = append(names, a.Model)
	}
	out := make([]policy.Model, 0, len(names))
	for _, id := range names {
		if id == "" {
			continue
		}
		m, err := r.model(ctx, tenantID, id)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// model is what is known of one model, asked for once. Its health is that of today and says nothing about then.
func (r *replay) model(ctx context.Context, tenantID, name string) (policy.Model, error) {
	key := modelOf{tenantID, name}
	if m, ok := r.known[key]; ok {
		return m, nil
	}
	found, err := r.facts(ctx, tenantID, []string{name})
	if err != nil {
		return policy.Model{}, err
	}
	m := policy.Model{ID: name, Denied: policy.SkipUnknown}
	if len(found) > 0 {
		m = found[0]
	}
	m.Cooling = 0
	r.known[key] = m
	return m, nil
}

// book adds the tokens of a decision to one side, at today's price of its model.
func (r *replay) book(ctx context.Context, s *side, tenantID, id string, u llm.Usage) error {
	if id == "" {
		s.unanswerable++
		return nil
	}
	m, err := r.model(ctx, tenantID, id)
	if err != nil {
		return err
	}
	per := s.models[id]
	if per == nil {
		per = &perModel{}
		s.models[id] = per
	}
	per.decisions++
	if m.Known && m.Info.Priced {
		cost := m.Info.Price.Cost(u)
		per.micros += cost
		s.micros += cost
	} else {
		s.unpriced++
	}
	strong, err := r.strong(ctx, tenantID, m)
	if strong {
		s.strong++
	}
	return err
}

// strong reports whether a model counts as the strong one: it is, or it is of its class or above and not the weak one. Only so can two policies be compared that
// name different models.
func (r *replay) strong(ctx context.Context, tenantID string, m policy.Model) (bool, error) {
	if r.rules.Strong == "" || m.ID == r.rules.Weak {
		return false, nil
	}
	s, err := r.model(ctx, tenantID, r.rules.Strong)
	return m.ID == s.ID || s.Info.Class != "" && rank(m.Info.Class) >= rank(s.Info.Class), err
}

func rank(c catalog.Class) int {
	return slices.Index([]catalog.Class{catalog.Small, catalog.Medium, catalog.Large}, c)
}

// byModel are a side's models, the dearest first.
func (s side) byModel() []string {
	return slices.SortedFunc(maps.Keys(s.models), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.models[b].micros, s.models[a].micros), cmp.Compare(s.models[b].decisions, s.models[a].decisions), strings.Compare(a, b))
	})
}

// moment reads a time as RFC 3339, or as how long ago it was: 7d, 36h, 90m.
func moment(text string, now time.Time) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, true
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return now.AddDate(0, 0, -int(n)), err == nil
	}
	ago, err := time.ParseDuration(text)
	return now.Add(-ago), err == nil && ago >= 0
}
