package policy

import (
	"slices"
	"time"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
)

const (
	stickyFor    = 5 * time.Minute // a provider keeps a prompt's cache about as long (Anthropic and OpenAI: five minutes and more)
	leastAnswer  = 256             // tokens of a context window that an answer needs
	likelyAnswer = 512             // tokens that an answer without a limit is reckoned to have
)

// Decide chooses. It is pure: the same rules, ask and facts give the same decision. models are the facts of every model that the rules and the ask name; one
// without facts is unknown.
//
// A named model comes first and alone, unless the ask allows a fallback. For Auto the choice is between the weak and the strong model where both pass the gates;
// the rest of the chain are those of the chosen one's class, then the fallbacks in their order. Where only circuits are in the way of every candidate it is decided as if
// they were closed: one of the models may have recovered.
func Decide(r Rules, a Ask, models []Model) Decision {
	d := decider{rules: r, ask: a, models: models}
	out := d.decide()
	if len(out.Chain()) == 0 && slices.ContainsFunc(out.Candidates, func(c Candidate) bool { return c.Skip == SkipCooling }) {
		d.probing = true
		out = d.decide()
	}
	return out
}

type decider struct {
	rules   Rules
	ask     Ask
	models  []Model
	probing bool // circuits do not count
}

func (d *decider) decide() Decision {
	a := d.ask
	first, reason := a.Model, ReasonExplicit
	if a.Model == Auto {
		first, reason = d.choose()
	}
	var names []string
	if first != "" {
		names = append(names, first)
	}
	if a.Model == Auto || a.Fallback {
		names = append(names, d.others(first)...)
	}
	out := Decision{Reason: reason}
	var skipped []Candidate
	for i, id := range names {
		if slices.Contains(names[:i], id) {
			continue
		}
		c := d.candidate(id)
		if id == a.Model && c.Skip == SkipCooling {
			c.Skip = "" // a model that was named is asked, or its failure told, by whoever knows the circuit
		}
		if c.Skip == "" {
			out.Candidates = append(out.Candidates, c)
		} else {
			skipped = append(skipped, c)
		}
	}
	out.Candidates = append(out.Candidates, skipped...)
	return out
}

func (d *decider) model(id string) Model {
	for i := range d.models {
		if d.models[i].ID == id {
			return d.models[i]
		}
	}
	return Model{ID: id, Denied: SkipUnknown}
}

// choose is the first candidate of an automatic choice; empty when the rules name no model at all.
func (d *decider) choose() (string, Reason) {
	r := d.rules
	weak, strong := d.passes(r.Weak), d.passes(r.Strong)
	switch {
	case weak && strong && r.Weak != r.Strong:
		return d.between()
	case strong:
		return r.Strong, d.alone(r.Weak)
	case weak:
		return r.Weak, d.alone(r.Strong)
	case d.passes(r.Default):
		return r.Default, ReasonDefault
	}
	for _, id := range r.Fallback {
		if d.passes(id) {
			return id, ReasonGate
		}
	}
	for _, id := range []string{r.Weak, r.Strong, r.Default} {
		if id != "" {
			return id, ReasonGate
		}
	}
	return "", ReasonGate
}

// alone is the reason for one of the pair when the other is out: there is none to choose from, or a gate kept it out.
func (d *decider) alone(other string) Reason {
	if other == "" {
		return ReasonDefault
	}
	return ReasonGate
}

// between chooses where both models of the pair can answer: a session goes up freely, and down only after a pause or a reset.
func (d *decider) between() (string, Reason) {
	r, a := d.rules, d.ask
	recent := a.Last != "" && a.Idle < stickyFor
	if recent && (a.Last == r.Strong || a.Last != r.Weak && d.asStrong(a.Last)) {
		return r.Strong, ReasonSticky
	}
	if !a.Scored {
		if recent && a.Last == r.Weak {
			return r.Weak, ReasonSticky
		}
		if d.passes(r.Default) {
			return r.Default, ReasonDefault
		}
		return r.Weak, ReasonDefault
	}
	if a.Failure > a.Threshold {
		return r.Strong, ReasonScore
	}
	return r.Weak, ReasonScore
}

// asStrong reports whether a model that is neither of the pair, as a fallback is, counts as strong: it is of the strong one's class or above. Where the strong one's class
// is unknown none does.
func (d *decider) asStrong(id string) bool {
	last, strong := d.model(id), d.model(d.rules.Strong)
	return last.Known && strong.Known && strong.Info.Class != "" && rank(last.Info.Class) >= rank(strong.Info.Class)
}

func rank(c catalog.Class) int {
	return slices.Index([]catalog.Class{catalog.Small, catalog.Medium, catalog.Large}, c)
}

// others are the candidates after the first: of its class, then the other one of the pair, then the fallbacks in their order.
func (d *decider) others(first string) []string {
	var all []string
	if d.ask.Model == Auto {
		all = append(all, d.rules.Weak, d.rules.Strong)
	}
	all = append(all, d.rules.Fallback...)
	all = slices.DeleteFunc(all, func(id string) bool { return id == "" || id == first || id == Auto })
	class := d.model(first).Info.Class
	same := func(id string) bool { return class != "" && d.model(id).Info.Class == class }
	slices.SortStableFunc(all, func(a, b string) int { return order(same(a)) - order(same(b)) })
	return all
}

func order(first bool) int {
	if first {
		return 0
	}
	return 1
}

func (d *decider) passes(id string) bool { return id != "" && d.candidate(id).Skip == "" }

// candidate holds a model against the gates.
func (d *decider) candidate(id string) Candidate {
	m := d.model(id)
	c := Candidate{ID: id, Priced: m.Known && m.Info.Priced}
	if c.Priced {
		c.Micros = m.Info.Price.Cost(llm.Usage{Input: max(0, d.ask.Input), Output: Answer(d.ask)})
	}
	c.Skip = d.gate(m, c)
	return c
}

// Answer is how many tokens the answer is reckoned to have.
func Answer(a Ask) int64 {
	if a.Output > 0 {
		return a.Output
	}
	return likelyAnswer
}

// gate is the first reason against a model. Of one that the catalogue does not have, only its price is known to be unknown.
func (d *decider) gate(m Model, c Candidate) Skip {
	a, i := d.ask, m.Info
	switch {
	case m.Denied != "":
		return m.Denied
	case m.Known && i.Embedding:
		return SkipEmbedding
	case m.Known && a.Tools && !i.Tools:
		return SkipTools
	case m.Known && a.Vision && !i.Vision:
		return SkipVision
	case m.Known && a.Schema && !i.Schema:
		return SkipSchema
	case m.Known && a.Effort != "" && !slices.Contains(i.Efforts, a.Effort) && (a.Effort != llm.EffortOff || len(i.Efforts) > 0):
		return SkipEffort
	case m.Known && i.ContextWindow > 0 && a.Input+max(a.Output, leastAnswer) > i.ContextWindow:
		return SkipContext
	case !c.Priced && (a.Model == Auto || a.Micros >= 0):
		return SkipPrice
	case a.Micros >= 0 && c.Micros > a.Micros:
		return SkipBudget
	case m.Cooling > 0 && !d.probing:
		return SkipCooling
	}
	return ""
}
