package catalog

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

func TestFind(t *testing.T) {
	table := Default()
	for _, tt := range []struct {
		vendor, name, model string
		id                  string
	}{
		{"openai", "openai", "gpt-4o-mini", "openai/gpt-4o-mini"},
		{"openai", "work", "gpt-4o-mini", "openai/gpt-4o-mini"},
		{"", "lab", "gpt-4o-mini", ""},
		{"workersai", "workersai", "@cf/meta/llama-3.3-70b-instruct-fp8-fast", "workersai/@cf/meta/llama-3.3-70b-instruct-fp8-fast"},
		{"ollama", "ollama", "llama3.2", "ollama/*"},
		{"ollama", "ollama", "gpt-oss:20b", "ollama/gpt-oss*"},
		{"ollama", "gpu", "gpt-oss", "ollama/gpt-oss*"},
		{"ollama", "ollama", "qwen3", "ollama/qwen3"},
		{"ollama", "ollama", "qwen3-coder:30b", "ollama/*"},
		{"anthropic", "anthropic", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"},
		{"mock", "mock", "large", "mock/large"},
		{"openai", "openai", "gpt-unheard-of", ""},
	} {
		i, ok := table.Find(tt.vendor, tt.name, tt.model)
		if ok != (tt.id != "") || i.ID != tt.id {
			t.Errorf("%s/%s at %q: %q, %v", tt.name, tt.model, tt.vendor, i.ID, ok)
		}
	}
}

// TestBuiltIn: every pair is in the table, priced, and the weak one is the cheaper; numbers stay within what can be.
func TestBuiltIn(t *testing.T) {
	table := Default()
	for vendor := range table.pairs {
		weak, strong, _ := table.Pair(vendor)
		w, ok := table.Find(vendor, vendor, weak)
		s, ok2 := table.Find(vendor, vendor, strong)
		if !ok || !ok2 || !w.Priced || !s.Priced || w.Price.Output > s.Price.Output {
			t.Errorf("%s: %+v and %+v", vendor, w, s)
		}
	}
	for id, i := range table.models {
		if i.Priced && (i.Price.CacheRead > i.Price.Input || i.Price.CacheWrite < i.Price.Input || i.Price.Output > 1e9) {
			t.Errorf("%s: %+v", id, i.Price)
		}
	}
	if len(table.models) < 100 || !strings.Contains(table.Version(), "catwalk-") {
		t.Errorf("%d models of version %s", len(table.models), table.Version())
	}
	sonnet, _ := table.Find("anthropic", "anthropic", "claude-sonnet-4-6")
	if (sonnet.Price != Price{Input: 3_000_000, Output: 15_000_000, CacheRead: 300_000, CacheWrite: 3_750_000}) || !sonnet.Vision || !slices.Equal(sonnet.Efforts, []llm.Effort{llm.EffortOff, llm.EffortLow, llm.EffortMedium, llm.EffortHigh}) {
		t.Errorf("%+v", sonnet)
	}
	for id, read := range map[string]int64{"deepseek/deepseek-v4-pro": 3625, "moonshot/kimi-k2.6": 160_000, "zai/glm-5.1": 260_000, "gemini/gemini-3.5-flash-lite": 30_000, "openai/gpt-5": 125_000, "openai/gpt-6-sol": 200_000} {
		vendor, model, _ := strings.Cut(id, "/")
		if i, ok := table.Find(vendor, vendor, model); !ok || i.Price.CacheRead != read {
			t.Errorf("%s: reading the cache costs %d, want %d", id, i.Price.CacheRead, read)
		}
	}
	dated, _ := table.Find("anthropic", "anthropic", "claude-haiku-4-5-20251001")
	undated, _ := table.Find("anthropic", "anthropic", "claude-haiku-4-5")
	if !undated.Priced || dated.Price != undated.Price || dated.Class != undated.Class {
		t.Errorf("%+v and %+v", dated, undated)
	}
}

func TestWith(t *testing.T) {
	own, err := Default().With(strings.NewReader(`{"models": {"lab/a": {"input": 5, "output": 7}, "openai/gpt-4o": {"input": 1, "output": 2, "class": "small"}, "lab/*": {"tools": true}}, "pairs": {"lab": {"weak": "a", "strong": "b"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := own.Find("", "lab", "a")
	other, ok := own.Find("", "lab", "other")
	theirs, _ := own.Find("openai", "openai", "gpt-4o")
	before, _ := Default().Find("openai", "openai", "gpt-4o")
	if a.Price != (Price{5, 7, 5, 5}) || !ok || other.Priced || !other.Tools || theirs.Price.Output != 2 || before.Price.Output == 2 {
		t.Errorf("%+v, %+v, %+v, %+v", a, other, theirs, before)
	}
	if weak, strong, ok := own.Pair("lab"); weak != "a" || strong != "b" || !ok {
		t.Error("the pair is lost")
	}
	if v := own.Version(); !strings.HasPrefix(v, Default().Version()+"+") {
		t.Errorf("version %s", v)
	}
	for bad, want := range map[string]string{
		``:                 "line 1: the file ends",
		"{\n\"models\": {": "line 2: the file ends",
		"{\"models\": {\n\"lab/a\": {\"input\": 1 \"output\": 1}}}": `line 2: invalid character '"'`,
		"{\"models\": {\n\"lab/a\": {\"input\": \"1\"}}}":           "line 2: input: must be a whole number and is a JSON string",
		"{\"models\": {\n\"lab/a\": {\"input\": 1.5}}}":             "line 2: input: must be a whole number and is a JSON number 1.5",
		"{\"models\": {\n\"lab/a\": {\"tools\": 1}}}":               "line 2: tools: must be true or false",
		"{\"models\": {\n\"lab/a\": {\"name\": 1}}}":                "line 2: name: must be a text",
		"{\"models\": {\n\"lab/a\": {\"thinking\": \"low\"}}}":      "line 2: thinking: must be a list",
		`[]`: "line 1: the table: must be an object and is a JSON array",
		"{\"models\": {\n\"lab/a\": {}, \"lab/a\": {}}}":                  "line 2: lab/a: stands there twice",
		`{"models": {"lab/a": {"input": 1, "output": 1, "Input": 2}}}`:    "line 1: Input: stands there twice",
		`{"models": {}, "MODELS": {}}`:                                    "MODELS: stands there twice",
		`{"pairs": {"lab": {"weak": "a", "strong": "b", "weak": "c"}}}`:   "weak: stands there twice",
		`{"models": {"lab/a*b": {}}}`:                                     "models: lab/a*b: a star",
		`{"models": {"*/a": {}}}`:                                         "models: */a: a star",
		`{"models": {"lab": {}}}`:                                         "models: lab: is not provider/model",
		`{"models": {"lab/a": {"input": 1}}}`:                             "both input and output",
		`{"models": {"lab/a": {"input": -1, "output": 1}}}`:               "input: is not between",
		`{"models": {"lab/a": {"input": 1, "output": 2000000000000000}}}`: "output: is not between",
		`{"models": {"lab/a": {"cache_read": 1}}}`:                        "cache prices need",
		`{"models": {"lab/a": {"class": "huge"}}}`:                        "class: is not small",
		`{"models": {"lab/a": {"thinking": ["much"]}}}`:                   `thinking: "much"`,
		`{"models": {"lab/a": {"context_window": -1}}}`:                   "context_window",
		`{"models": {"lab/a": {"price": 1}}}`:                             `line 1: unknown field "price"`,
		`{"models": {}} {}`:                                               "something stands after",
		`{"pairs": {"lab": {"weak": "a"}}}`:                               "needs weak and strong",
		`{"source": "` + strings.Repeat("x", maxFile) + `"}`:              "larger than 4 MiB",
	} {
		if _, err := Default().With(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", bad, err, want)
		}
	}
}

func TestCost(t *testing.T) {
	p := Price{Input: 3_000_000, Output: 15_000_000, CacheRead: 300_000, CacheWrite: 3_750_000}
	for _, tt := range []struct {
		p    Price
		u    llm.Usage
		want int64
	}{
		{p, llm.Usage{}, 0},
		{p, llm.Usage{Input: 1}, 3},
		{p, llm.Usage{Input: 1000, Output: 100}, 3000 + 1500},
		{p, llm.Usage{Input: 1000, Cached: 800, CacheWrite: 100, Output: 10}, 300 + 240 + 375 + 150},
		{Price{Input: 1}, llm.Usage{Input: 1}, 1}, // rounded up
		{Price{Input: 1}, llm.Usage{Input: 1_000_000}, 1},
		{Price{Input: 1}, llm.Usage{Input: 1_000_001}, 2},
		{p, llm.Usage{Input: -5, Output: -5, Cached: -5}, 0},
		{Price{Input: math.MaxInt64}, llm.Usage{Input: math.MaxInt64}, math.MaxInt64},
		{Price{}, llm.Usage{Input: math.MaxInt64, Output: math.MaxInt64}, 0},
	} {
		if got := tt.p.Cost(tt.u); got != tt.want {
			t.Errorf("%+v at %+v: %d, want %d", tt.u, tt.p, got, tt.want)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		p := Price{random.Int64N(1e8), random.Int64N(1e9), random.Int64N(1e8), random.Int64N(1e8)}
		u := llm.Usage{Input: random.Int64N(1e6), Output: random.Int64N(1e6)}
		more := u
		more.Output += random.Int64N(1000)
		one, two := p.Cost(u), p.Cost(more)
		apart := p.Cost(llm.Usage{Input: u.Input}) + p.Cost(llm.Usage{Output: u.Output})
		if one < 0 || two < one || apart < one || apart > one+1 {
			t.Fatalf("%+v at %+v: %d, %d, %d", u, p, one, two, apart)
		}
	}
}

func FuzzWith(f *testing.F) {
	f.Add([]byte(`{"models": {"lab/a": {"input": 5, "output": 7, "thinking": ["low"]}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		own, err := Default().With(strings.NewReader(string(b)))
		if err == nil && own.Version() == Default().Version() {
			t.Error("an operator's file leaves no mark in the version")
		}
	})
}
