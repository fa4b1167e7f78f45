package plan

import (
	"context"
	"encoding/json"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/llm/score"
	"github.com/clawless/clawless/server/tenants"
)

// lab is a provider that is only named.
type lab struct{}

func (lab) Name() string                                                     { return "lab" }
func (lab) Stream(context.Context, *llm.Request) iter.Seq2[llm.Chunk, error] { return nil }

// shelf has models of which everything is known.
type shelf map[string]catalog.Info

func (s shelf) Resolve(_ context.Context, name string) (router.Target, error) {
	id := strings.TrimPrefix(name, "alias:")
	i, ok := s[id]
	if !ok {
		return router.Target{}, fault.New(fault.ModelNotFound, "no provider offers the model %q", name).WithParam("model")
	}
	return router.Target{Provider: lab{}, Model: id, ID: id, Info: i, Known: i.ID != ""}, nil
}

func (shelf) Cooling(id, _ string) time.Duration {
	if id == "lab/tired" {
		return time.Minute
	}
	return 0
}

func models() shelf {
	known := func(id string, class catalog.Class, price int64) catalog.Info {
		return catalog.Info{ID: id, Class: class, ContextWindow: 8000, Tools: true, Schema: true, Priced: true, Price: catalog.Price{Input: price, Output: price}}
	}
	s := shelf{"lab/weak": known("lab/weak", catalog.Small, 1e5), "lab/strong": known("lab/strong", catalog.Large, 1e7), "lab/other": known("lab/other", catalog.Large, 2e7),
		"lab/tired": known("lab/tired", catalog.Large, 1e7), "lab/dear": known("lab/dear", catalog.Large, 1e9), "lab/mystery": {}, "lab/vectors": {ID: "lab/vectors", Embedding: true}}
	strong := s["lab/strong"]
	strong.Efforts, strong.Vision = []llm.Effort{llm.EffortLow, llm.EffortHigh}, true
	s["lab/strong"] = strong
	return s
}

func planner() *Planner {
	return &Planner{Models: models(), Random: func() float64 { return 0 }, Default: func(context.Context) (string, error) { return "lab/weak", nil }, TierModels: map[string]string{"lab/dear": "enterprise"},
		Rules: func() policy.Rules {
			return policy.Rules{Weak: "alias:lab/weak", Strong: "lab/strong", StrongShare: 0.3, Default: "lab/weak", Fallback: []string{"lab/other"}}
		}, Shares: policy.NewShares(score.Threshold), Left: func(context.Context, tenants.Tenant) (int64, error) { return 0, nil }}
}

const (
	easy = "What is the capital of France?"
	hard = "Prove Fermat's little theorem by induction, then use it to compute 3^100 mod 101; explain every step and state where each assumption is needed."
)

func turn(body string, change func(*Turn)) Turn {
	r, err := dialect.Read([]byte(body))
	if err != nil {
		panic(err)
	}
	t := Turn{Tenant: tenants.Tenant{ID: "ten_1", Tier: tenants.Starter}, Request: r, Messages: r.Messages, Input: 50}
	if change != nil {
		change(&t)
	}
	return t
}

func ask(model, text, extra string) string {
	content, _ := json.Marshal(text)
	return `{"model":"` + model + `","messages":[{"role":"user","content":` + string(content) + `}]` + extra + `}`
}

const image = `[{"type":"text","text":"what is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]`

var plans = []struct {
	name   string
	body   string
	change func(*Turn)
	chain  string // of the targets
	reason policy.Reason
	code   fault.Code
	says   string // a part of the fault's message
}{
	{"nothing named", ask("", easy, ""), nil, "lab/weak lab/other", policy.ReasonExplicit, "", ""},
	{"the tenant's default", ask("default", easy, ""), func(t *Turn) { t.Tenant.Settings.DefaultModel = "lab/strong" }, "lab/strong lab/other", policy.ReasonExplicit, "", ""},
	{"the session's model is strict", ask("", easy, ""), func(t *Turn) { t.Model = "lab/strong" }, "lab/strong", policy.ReasonExplicit, "", ""},
	{"the message goes before the session", ask("lab/weak", easy, ""), func(t *Turn) { t.Model = "lab/strong" }, "lab/weak", policy.ReasonExplicit, "", ""},
	{"a session that is routed", ask("", hard, ""), func(t *Turn) { t.Model = "auto" }, "lab/strong lab/other lab/weak", policy.ReasonScore, "", ""},
	{"a named model is strict", ask("lab/strong", easy, ""), nil, "lab/strong", policy.ReasonExplicit, "", ""},
	{"unless a fallback is allowed", ask("lab/strong", easy, `,"fallback":true`), nil, "lab/strong lab/other", policy.ReasonExplicit, "", ""},
	{"the caller's fallbacks go first", ask("lab/strong", easy, `,"fallback":["alias:lab/weak","lab/weak","lab/gone"]`), nil, "lab/strong lab/other lab/weak", policy.ReasonExplicit, "", ""},
	{"an easy one", ask("auto", easy, ""), nil, "lab/weak lab/strong lab/other", policy.ReasonScore, "", ""},
	{"a hard one", ask("auto", hard, ""), nil, "lab/strong lab/other lab/weak", policy.ReasonScore, "", ""},
	{"no words", ask("auto", "?!", ""), nil, "lab/weak lab/strong lab/other", policy.ReasonDefault, "", ""},
	{"an image", `{"model":"auto","messages":[{"role":"user","content":` + image + `}]}`, nil, "lab/strong", policy.ReasonGate, "", ""},
	{"an image for a blind model", `{"model":"lab/weak","messages":[{"role":"user","content":` + image + `}]}`, nil, "", "", fault.UnsupportedParam, "takes no images"},
	{"a long one for auto", ask("auto", easy, ""), func(t *Turn) { t.Input = 9000 }, "", "", fault.ContextTooLong, ""},
	{"a long one for a named model", ask("lab/weak", easy, ""), func(t *Turn) { t.Input = 9000 }, "lab/weak", policy.ReasonExplicit, "", ""},
	{"a tier", ask("lab/dear", easy, ""), nil, "", "", fault.ModelNotInTier, "needs the tier enterprise"},
	{"a tier by another name", ask("alias:lab/dear", easy, ""), nil, "", "", fault.ModelNotInTier, ""},
	{"a tier that is reached", ask("lab/dear", easy, ""), func(t *Turn) { t.Tenant.Tier = tenants.Enterprise }, "lab/dear", policy.ReasonExplicit, "", ""},
	{"a tier does not let fallbacks through", ask("lab/weak", easy, `,"fallback":["lab/dear"]`), nil, "lab/weak lab/other", policy.ReasonExplicit, "", ""},
	{"the allowed models", ask("lab/strong", easy, ""), func(t *Turn) { t.Tenant.Settings.AllowedModels = []string{"lab/weak"} }, "", "", fault.ModelNotAllowed, "lab/strong"},
	{"the allowed models bind auto", ask("auto", hard, ""), func(t *Turn) { t.Tenant.Settings.AllowedModels = []string{"lab/weak"} }, "lab/weak", policy.ReasonGate, "", ""},
	{"an unknown model", ask("lab/gone", easy, ""), nil, "", "", fault.ModelNotFound, ""},
	{"a model without a price", ask("lab/mystery", easy, ""), nil, "lab/mystery", policy.ReasonExplicit, "", ""},
	{"a circuit does not hide a named model", ask("lab/tired", easy, ""), nil, "lab/tired", policy.ReasonExplicit, "", ""},
	{"an embedding model", ask("lab/vectors", easy, ""), nil, "", "", fault.InvalidRequest, "POST /v1/embeddings"},
	{"a level that is there", ask("lab/strong", easy, `,"thinking":"low"`), nil, "lab/strong", policy.ReasonExplicit, "", ""},
	{"a level that is not", ask("lab/strong", easy, `,"thinking":"medium"`), nil, "", "", fault.UnsupportedParam, "it has low, high"},
	{"a level where there is none", ask("lab/weak", easy, `,"thinking":"high"`), nil, "", "", fault.UnsupportedParam, "no levels"},
	{"a level decides for auto", ask("auto", easy, `,"thinking":"high"`), nil, "lab/strong", policy.ReasonGate, "", ""},
	{"a default level rules nothing out", ask("lab/weak", easy, ""), func(t *Turn) { t.Thinking = "high" }, "lab/weak", policy.ReasonExplicit, "", ""},
	{"a budget that is used up", ask("auto", easy, ""), capped, "", "", fault.QuotaExceeded, "--monthly-cost"},
	{"a session stays up", ask("auto", easy, ""), func(t *Turn) { t.Last, t.Idle = "lab/strong", time.Minute }, "lab/strong lab/other lab/weak", policy.ReasonSticky, "", ""},
}

func capped(t *Turn) {
	one := int64(1)
	t.Tenant.Settings.MonthlyCostMicros = &one
}

func TestPlan(t *testing.T) {
	for _, tt := range plans {
		t.Run(tt.name, func(t *testing.T) {
			p, err := planner().Plan(t.Context(), turn(tt.body, tt.change))
			var chain []string
			for _, target := range p.Targets {
				chain = append(chain, target.ID)
				if target.Provider == nil {
					t.Errorf("%s has no provider", target.ID)
				}
			}
			if tt.code != "" {
				if f := fault.From(err); err == nil || f.Code != tt.code || !strings.Contains(f.Message, tt.says) {
					t.Errorf("got %v, %v; want %s with %q", chain, err, tt.code, tt.says)
				}
				return
			}
			if err != nil || strings.Join(chain, " ") != tt.chain || p.Decision.Reason != tt.reason {
				t.Errorf("got %v by %s, %v; want %s by %s", chain, p.Decision.Reason, err, tt.chain, tt.reason)
			}
		})
	}
}

// TestEffort: the message goes before the session, and the session before the tenant.
func TestEffort(t *testing.T) {
	for _, tt := range []struct{ message, session, tenant, want, from string }{
		{"low", "high", "high", "low", "message"},
		{"", "high", "low", "high", "session"},
		{"", "", "low", "low", "tenant"},
		{"", "", "", "", ""},
		{"off", "high", "high", "off", "message"},
	} {
		in := turn(ask("lab/weak", easy, ""), func(in *Turn) {
			in.Request.Effort, in.Thinking, in.Tenant.Settings.Thinking = llm.Effort(tt.message), tt.session, tt.tenant
		})
		if got, from := effort(in); string(got) != tt.want || from != tt.from {
			t.Errorf("%+v: got %s from %s", tt, got, from)
		}
	}
}

// TestSystemPromptIsNoSignal: what is scored is the last user message, whatever the instructions say.
func TestSystemPromptIsNoSignal(t *testing.T) {
	score := func(body string) float64 {
		p, err := planner().Plan(t.Context(), turn(body, nil))
		if err != nil || !p.Ask.Scored {
			t.Fatalf("%+v, %v", p.Ask, err)
		}
		return p.Ask.Failure
	}
	plain := score(`{"model":"auto","messages":[{"role":"system","content":"x"},{"role":"user","content":"` + easy + `"}]}`)
	long, _ := json.Marshal(strings.Repeat(hard+" ", 20))
	if instructed := score(`{"model":"auto","messages":[{"role":"system","content":` + string(long) + `},{"role":"user","content":"` + easy + `"}]}`); instructed != plain {
		t.Errorf("%g with other instructions, %g", instructed, plain)
	}
}

func TestNoModels(t *testing.T) {
	p := planner()
	p.Rules = func() policy.Rules { return policy.Rules{} }
	_, err := p.Plan(t.Context(), turn(ask("auto", easy, ""), nil))
	if f := fault.From(err); f.Code != fault.NoModel || !strings.Contains(f.Message, "auto_weak") {
		t.Errorf("got %v", err)
	}
	p.Rules = func() policy.Rules { return policy.Rules{Weak: "lab/mystery", Strong: "lab/gone"} }
	_, err = p.Plan(t.Context(), turn(ask("auto", easy, ""), nil))
	if f := fault.From(err); f.Code != fault.NoModel || len(f.Details) != 2 || f.Status != 400 {
		t.Errorf("got %+v", f)
	}
}

// TestShareOfLikePrompts: prompts that all score alike still go to the strong model in the share that the tenant wants.
func TestShareOfLikePrompts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	p := planner()
	p.Random = random.Float64
	strong := 0
	const first, calls = 500, 1500
	for i := range first + calls {
		out, err := p.Plan(t.Context(), turn(ask("auto", easy, ""), nil))
		if err != nil {
			t.Fatal(err)
		}
		p.Note("ten_1", out)
		if i >= first && out.Targets[0].ID == "lab/strong" {
			strong++
		}
	}
	if share := float64(strong) / calls; share < 0.25 || share > 0.35 {
		t.Errorf("wanted a share of 0.3, got %.3f", share)
	}
}

// TestTierOfAVendor: a vendor's models need their tier under any name of the provider.
func TestTierOfAVendor(t *testing.T) {
	p := planner()
	p.TierModels = map[string]string{"acme/*": "enterprise"}
	p.Vendor = func(string) string { return "acme" }
	if _, err := p.Plan(t.Context(), turn(ask("lab/weak", easy, ""), nil)); !fault.Is(err, fault.ModelNotInTier) {
		t.Errorf("got %v", err)
	}
	for _, id := range []string{"lab/DEAR", "lab//dear", "lab/ dear", "Lab/dear"} {
		if planner().May(tenants.Tenant{Tier: tenants.Starter}, id) == nil {
			t.Errorf("%q gets around the tier", id)
		}
	}
}
