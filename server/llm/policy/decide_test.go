package policy

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
)

// facts are a weak and a strong model, two fallbacks, and some that cannot do everything.
func facts() []Model {
	make := func(id string, class catalog.Class, out int64) Model {
		return Model{ID: id, Known: true, Info: catalog.Info{ID: id, Class: class, ContextWindow: 8000, Tools: true, Vision: true, Schema: true, Priced: true,
			Price: catalog.Price{Input: out / 4, Output: out}, Efforts: []llm.Effort{llm.EffortLow, llm.EffortHigh}}}
	}
	return []Model{make("weak", catalog.Small, 1_000_000), make("strong", catalog.Large, 10_000_000), make("big", catalog.Large, 20_000_000), make("little", catalog.Small, 2_000_000)}
}

func rules() Rules {
	return Rules{Default: "weak", Weak: "weak", Strong: "strong", StrongShare: 0.5, Fallback: []string{"little", "big"}}
}

func scored(failure float64) Ask {
	return Ask{Model: Auto, Input: 100, Scored: true, Failure: failure, Threshold: 0.5, Micros: -1}
}

func with(a Ask, change func(*Ask)) Ask {
	change(&a)
	return a
}

var decisions = []struct {
	name   string
	rules  Rules
	ask    Ask
	change func(m []Model)
	chain  string
	reason Reason
	skips  string
}{
	{"an easy one", rules(), scored(0.2), nil, "weak little strong big", ReasonScore, ""},
	{"a hard one", rules(), scored(0.8), nil, "strong big weak little", ReasonScore, ""},
	{"one at the threshold", rules(), scored(0.5), nil, "weak little strong big", ReasonScore, ""},
	{"no signal", rules(), Ask{Model: Auto, Micros: -1}, nil, "weak little strong big", ReasonDefault, ""},
	{"no signal, and a strong default", Rules{Default: "strong", Weak: "weak", Strong: "strong"}, Ask{Model: Auto, Micros: -1}, nil, "strong weak", ReasonDefault, ""},
	{"it stays up", rules(), with(scored(0.1), func(a *Ask) { a.Last, a.Idle = "strong", time.Minute }), nil, "strong big weak little", ReasonSticky, ""},
	{"it stays up after a fallback of that class", rules(), with(scored(0.1), func(a *Ask) { a.Last, a.Idle = "big", time.Minute }), nil, "strong big weak little", ReasonSticky, ""},
	{"it does not stay up after a fallback of a lower class", rules(), with(scored(0.1), func(a *Ask) { a.Last, a.Idle = "little", time.Minute }), nil, "weak little strong big", ReasonScore, ""},
	{"it does not stay up by a class that is unknown", rules(), with(scored(0.1), func(a *Ask) { a.Last, a.Idle = "little", time.Minute }), func(m []Model) { m[1].Info.Class = "" }, "weak little strong big", ReasonScore, ""},
	{"nor by that of the last model", rules(), with(scored(0.1), func(a *Ask) { a.Last, a.Idle = "big", time.Minute }), func(m []Model) { m[1].Info.Class, m[2].Info.Class = "", "" }, "weak little strong big", ReasonScore, ""},
	{"it goes down after a pause", rules(), with(scored(0.1), func(a *Ask) { a.Last, a.Idle = "strong", 5*time.Minute }), nil, "weak little strong big", ReasonScore, ""},
	{"it goes up freely", rules(), with(scored(0.9), func(a *Ask) { a.Last = "weak" }), nil, "strong big weak little", ReasonScore, ""},
	{"it stays down without a signal", rules(), with(Ask{Model: Auto, Micros: -1}, func(a *Ask) { a.Last = "weak" }), nil, "weak little strong big", ReasonSticky, ""},
	{"it forgets without a signal after a pause", Rules{Default: "strong", Weak: "weak", Strong: "strong"}, Ask{Model: Auto, Micros: -1, Last: "weak", Idle: 5 * time.Minute}, nil, "strong weak", ReasonDefault, ""},
	{"unknown classes are not the same", rules(), scored(0.1), func(m []Model) { m[0].Info.Class, m[2].Info.Class = "", "" }, "weak strong little big", ReasonScore, ""},
	{"auto is no fallback", Rules{Weak: "weak", Strong: "strong", Fallback: []string{Auto}}, scored(0.1), nil, "weak strong", ReasonScore, ""},
	{"images", rules(), with(scored(0.1), func(a *Ask) { a.Vision = true }), func(m []Model) { m[0].Info.Vision = false }, "strong big little", ReasonGate, "weak:no_vision"},
	{"tools", rules(), with(scored(0.9), func(a *Ask) { a.Tools = true }), func(m []Model) { m[1].Info.Tools = false }, "weak little big", ReasonGate, "strong:no_tools"},
	{"a schema", rules(), with(scored(0.1), func(a *Ask) { a.Schema = true }), func(m []Model) { m[0].Info.Schema = false }, "strong big little", ReasonGate, "weak:no_json_schema"},
	{"a level of thinking", rules(), with(scored(0.1), func(a *Ask) { a.Effort = llm.EffortHigh }), func(m []Model) { m[0].Info.Efforts = nil }, "strong big little", ReasonGate, "weak:no_thinking_level"},
	{"no thinking where there is none", rules(), with(scored(0.1), func(a *Ask) { a.Effort = llm.EffortOff }), func(m []Model) { m[0].Info.Efforts = nil }, "weak", ReasonGate, "little:no_thinking_level strong:no_thinking_level big:no_thinking_level"},
	{"a long conversation", rules(), with(scored(0.1), func(a *Ask) { a.Input = 9000 }), func(m []Model) { m[2].Info.ContextWindow = 100_000 }, "big", ReasonGate, "strong:context_window weak:context_window little:context_window"},
	{"room for a short answer", rules(), with(scored(0.1), func(a *Ask) { a.Input = 8000 - leastAnswer }), nil, "weak little strong big", ReasonScore, ""},
	{"no room for an answer", Rules{Weak: "weak"}, with(scored(0.1), func(a *Ask) { a.Input = 8000 - leastAnswer + 1 }), nil, "", ReasonGate, "weak:context_window"},
	{"a long answer", rules(), with(scored(0.1), func(a *Ask) { a.Output = 7950 }), func(m []Model) { m[1].Info.ContextWindow = 100_000 }, "strong", ReasonGate, "big:context_window weak:context_window little:context_window"},
	{"tiers", rules(), scored(0.9), func(m []Model) { m[1].Denied, m[2].Denied = SkipTier, SkipNotAllowed }, "weak little", ReasonGate, "strong:tier big:not_allowed"},
	{"an unknown price", rules(), scored(0.9), func(m []Model) { m[1].Info.Priced = false }, "weak little big", ReasonGate, "strong:price_unknown"},
	{"an unknown model", Rules{Weak: "weak", Strong: "gone"}, scored(0.9), nil, "weak", ReasonGate, "gone:unknown_model"},
	{"little money", rules(), with(scored(0.9), func(a *Ask) { a.Micros = 1000 }), nil, "weak", ReasonGate, "little:budget strong:budget big:budget"},
	{"just enough money", Rules{Weak: "weak"}, with(scored(0.1), func(a *Ask) { a.Micros = 25 + 512 }), nil, "weak", ReasonDefault, ""},
	{"just too little", Rules{Weak: "weak"}, with(scored(0.1), func(a *Ask) { a.Micros = 25 + 511 }), nil, "", ReasonGate, "weak:budget"},
	{"no money", rules(), with(scored(0.9), func(a *Ask) { a.Micros = 0 }), nil, "", ReasonGate, "weak:budget little:budget strong:budget big:budget"},
	{"a circuit", rules(), scored(0.9), func(m []Model) { m[1].Cooling = time.Second }, "weak little big", ReasonGate, "strong:cooling"},
	{"circuits everywhere, a hard one", Rules{Weak: "weak", Strong: "strong"}, scored(0.9), cooling, "strong weak", ReasonScore, ""},
	{"circuits everywhere, an easy one", Rules{Weak: "weak", Strong: "strong"}, scored(0.1), cooling, "weak strong", ReasonScore, ""},
	{"circuits everywhere, and it stays up", Rules{Weak: "weak", Strong: "strong"}, with(scored(0.1), func(a *Ask) { a.Last, a.Idle = "strong", time.Minute }), cooling, "strong weak", ReasonSticky, ""},
	{"circuits, and one that could not anyway", Rules{Weak: "weak", Strong: "strong"}, with(scored(0.1), func(a *Ask) { a.Vision = true }), func(m []Model) { cooling(m); m[0].Info.Vision = false }, "strong", ReasonGate, "weak:no_vision"},
	{"a circuit that is not everywhere", rules(), scored(0.1), cooling, "little big", ReasonGate, "weak:cooling strong:cooling"},
	{"an embedding model", Rules{Weak: "weak", Strong: "strong"}, scored(0.9), func(m []Model) { m[1].Info.Embedding = true }, "weak", ReasonGate, "strong:embedding_model"},
	{"no rules", Rules{}, scored(0.9), nil, "", ReasonGate, ""},
	{"one model for both", Rules{Weak: "weak", Strong: "weak"}, scored(0.9), nil, "weak", ReasonGate, ""},
	{"a strong model alone", Rules{Strong: "strong"}, scored(0.1), nil, "strong", ReasonDefault, ""},
	{"a named model", rules(), Ask{Model: "strong", Micros: -1}, nil, "strong", ReasonExplicit, ""},
	{"a named model with a fallback", rules(), Ask{Model: "strong", Fallback: true, Micros: -1}, nil, "strong big little", ReasonExplicit, ""},
	{"a named model that cools", rules(), Ask{Model: "strong", Micros: -1}, func(m []Model) { m[1].Cooling = 1 }, "strong", ReasonExplicit, ""},
	{"a named model without a price", rules(), Ask{Model: "strong", Micros: -1}, func(m []Model) { m[1].Info.Priced = false }, "strong", ReasonExplicit, ""},
	{"a named model without a price, and a cap", rules(), Ask{Model: "strong", Micros: 1e9}, func(m []Model) { m[1].Info.Priced = false }, "", ReasonExplicit, "strong:price_unknown"},
	{"a named model of another tier", rules(), Ask{Model: "strong", Micros: -1}, func(m []Model) { m[1].Denied = SkipTier }, "", ReasonExplicit, "strong:tier"},
	{"a named model that nobody knows", rules(), Ask{Model: "x", Micros: -1}, func(m []Model) { m[0] = Model{ID: "x"} }, "x", ReasonExplicit, ""},
}

func cooling(m []Model) { m[0].Cooling, m[1].Cooling = time.Second, time.Second }

func TestDecide(t *testing.T) {
	for _, tt := range decisions {
		t.Run(tt.name, func(t *testing.T) {
			m := facts()
			if tt.change != nil {
				tt.change(m)
			}
			d := Decide(tt.rules, tt.ask, m)
			var skips []string
			for _, c := range d.Candidates {
				if c.Skip != "" {
					skips = append(skips, c.ID+":"+string(c.Skip))
				}
			}
			if got := strings.Join(d.Chain(), " "); got != tt.chain || d.Reason != tt.reason || strings.Join(skips, " ") != tt.skips {
				t.Errorf("got %q by %s, skipped %q\nwant %q by %s, skipped %q", got, d.Reason, strings.Join(skips, " "), tt.chain, tt.reason, tt.skips)
			}
		})
	}
}

// TestDecideAlways: whatever the rules, the ask and the facts, the decision is the same twice, names each model once, and nobody denied is in the chain.
func TestDecideAlways(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	ids := []string{"", "weak", "strong", "big", "little", "gone"}
	id := func() string { return ids[random.IntN(len(ids))] }
	for range 20_000 {
		m := facts()
		for i := range m {
			m[i].Known, m[i].Info.Tools, m[i].Info.Priced = random.IntN(5) > 0, random.IntN(4) > 0, random.IntN(4) > 0
			if random.IntN(5) == 0 {
				m[i].Denied = SkipTier
			}
			m[i].Cooling = time.Duration(random.IntN(3)/2) * time.Second
		}
		r := Rules{Default: id(), Weak: id(), Strong: id(), Fallback: []string{id(), id(), id()}}
		a := Ask{Model: Auto, Fallback: random.IntN(2) == 0, Tools: random.IntN(2) == 0, Input: random.Int64N(10_000), Scored: random.IntN(2) == 0, Failure: random.Float64(), Threshold: random.Float64(),
			Last: id(), Idle: time.Duration(random.IntN(10)) * time.Minute, Micros: random.Int64N(20_000) - 1}
		if random.IntN(3) == 0 {
			a.Model = ids[1+random.IntN(5)]
		}
		d := Decide(r, a, m)
		if !reflect.DeepEqual(d, Decide(r, a, m)) {
			t.Fatal("two decisions")
		}
		seen := map[string]bool{}
		for _, c := range d.Candidates {
			if seen[c.ID] || c.ID == "" {
				t.Fatalf("%+v", d)
			}
			seen[c.ID] = true
		}
		for _, id := range d.Chain() {
			i := slices.IndexFunc(m, func(m Model) bool { return m.ID == id })
			if i < 0 || m[i].Denied != "" || a.Tools && m[i].Known && !m[i].Info.Tools {
				t.Fatalf("%s is in the chain: %+v", id, d)
			}
			if a.Model != Auto && !a.Fallback && id != a.Model {
				t.Fatalf("%s in place of %s", id, a.Model)
			}
		}
	}
}

// TestEstimates: every candidate has what the turn would cost, those that were left out too. A token in costs a quarter of one out.
func TestEstimates(t *testing.T) {
	m := facts()
	m[1].Info.Tools, m[3].Info.Priced = false, false
	for _, tt := range []struct {
		output int64
		want   []Candidate
	}{
		{0, []Candidate{{ID: "weak", Micros: 25 + 512, Priced: true}, {ID: "big", Micros: 500 + 10_240, Priced: true}, {ID: "little", Skip: SkipPrice}, {ID: "strong", Skip: SkipTools, Micros: 250 + 5120, Priced: true}}},
		{8, []Candidate{{ID: "weak", Micros: 25 + 8, Priced: true}, {ID: "big", Micros: 500 + 160, Priced: true}, {ID: "little", Skip: SkipPrice}, {ID: "strong", Skip: SkipTools, Micros: 250 + 80, Priced: true}}},
	} {
		got := Decide(rules(), with(scored(0.9), func(a *Ask) { a.Tools, a.Output = true, tt.output }), m).Candidates
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("an answer of %d\n got %+v\nwant %+v", tt.output, got, tt.want)
		}
	}
}
