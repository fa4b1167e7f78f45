package tenants

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm/policy"
)

func at[T any](v T) *T { return &v }

// TestInTier: the most specific entry decides, an exact id before any pattern; what is not named needs no tier, and a tier that does not exist is nobody's.
func TestInTier(t *testing.T) {
	models := map[string]string{"anthropic/*": "enterprise", "anthropic/*-haiku-*": "pro", "anthropic/claude-haiku-old": "starter", "*/free*": "starter", "openai/o?": "business", "lab/*": "gold"}
	for _, c := range []struct {
		id    string
		tier  Tier
		needs Tier
		ok    bool
	}{
		{"openai/gpt-4o-mini", Starter, "", true},
		{"openai/o3", Pro, Business, false},
		{"openai/o3", Business, Business, true},
		{"openai/o3", Enterprise, Business, true},
		{"anthropic/claude-opus", Business, Enterprise, false},
		{"anthropic/claude-opus", Enterprise, Enterprise, true},
		{"anthropic/claude-haiku-new", Starter, Pro, false},
		{"anthropic/claude-haiku-new", Pro, Pro, true},
		{"anthropic/claude-haiku-old", Starter, Starter, true},
		{"anthropic/free-one", Starter, Enterprise, false},
		{"other/deep/free/er", Starter, Starter, true},
		{"lab/m", Enterprise, "gold", false},
		{"anthropic/a/b", Pro, Enterprise, false},
	} {
		for range 20 { // the order of a map must not show
			if needs, ok := (Tenant{Tier: c.tier}).InTier(c.id, models); needs != c.needs || ok != c.ok {
				t.Errorf("%s on %s: needs %q, %v", c.id, c.tier, needs, ok)
			}
		}
	}
	same := map[string]string{"a/*c": "pro", "a/b*": "enterprise"}
	for range 20 {
		if needs, _ := (Tenant{Tier: Pro}).InTier("a/bc", same); needs != Enterprise {
			t.Errorf("of two alike, %s counts", needs)
		}
	}
	if needs, ok := (Tenant{Tier: Starter}).InTier("a/b", nil); needs != "" || !ok {
		t.Errorf("without entries: %q, %v", needs, ok)
	}
}

// TestCheckTierModels: every entry that is wrong is named, and none that is right.
func TestCheckTierModels(t *testing.T) {
	if p := CheckTierModels(map[string]string{"anthropic/*": "enterprise", "openai/gpt-4o": "starter"}); len(p) != 0 {
		t.Errorf("good entries: %v", p)
	}
	got := CheckTierModels(map[string]string{"b/*": "Enterprise", "a/[": "pro", "": "", "c/d": "pro"})
	if len(got) != 4 || !strings.HasPrefix(got[0], "tier_models.: ") || !strings.HasPrefix(got[2], "tier_models.a/[: ") || !strings.Contains(got[3], `"Enterprise" is no tier`) {
		t.Errorf("bad entries: %q", got)
	}
}

// TestRules: what the tenant says goes before the server's word, and zero is something to say.
func TestRules(t *testing.T) {
	server := policy.Rules{Default: "lab/d", Weak: "lab/w", Strong: "lab/s", StrongShare: 0.3, Fallback: []string{"lab/f"}}
	for name, c := range map[string]struct {
		settings Settings
		want     policy.Rules
	}{
		"nothing":             {Settings{}, server},
		"auto is no default":  {Settings{DefaultModel: "auto"}, server},
		"a pair":              {Settings{WeakModel: "own/w", StrongModel: "own/s"}, policy.Rules{Default: "lab/d", Weak: "own/w", Strong: "own/s", StrongShare: 0.3, Fallback: []string{"lab/f"}}},
		"none for the strong": {Settings{StrongShare: at(0.0)}, policy.Rules{Default: "lab/d", Weak: "lab/w", Strong: "lab/s", Fallback: []string{"lab/f"}}},
		"everything": {Settings{DefaultModel: "own/d", WeakModel: "fast", StrongModel: "own/s", StrongShare: at(1.0), FallbackModels: []string{"own/a", "own/b"}},
			policy.Rules{Default: "own/d", Weak: "fast", Strong: "own/s", StrongShare: 1, Fallback: []string{"own/a", "own/b"}}},
	} {
		if got := (Tenant{Settings: c.settings}).Rules(server); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestSettings: what no assistant could work with is refused, all of it at once; the rest comes back from the database as it went in.
func TestSettings(t *testing.T) {
	bad := Settings{AllowedModels: []string{"["}, MonthlyTokens: at(int64(-1)), MonthlyCostMicros: at(int64(-1)), WeakModel: "auto", StrongModel: "lab/", StrongShare: at(math.NaN()),
		FallbackModels: []string{"lab/ok", "lab/*", "", "default"}, Thinking: "loud", AnswerCacheSeconds: 86_401}
	f := fault.From(bad.check())
	if f == nil || f.Code != fault.ValidationFailed {
		t.Fatalf("%v", f)
	}
	var fields []string
	for _, d := range f.Details {
		fields = append(fields, strings.TrimPrefix(d.Field, "settings."))
	}
	if got := strings.Join(fields, " "); got != "allowed_models monthly_tokens monthly_cost_micros weak_model strong_model fallback_models[1] fallback_models[2] fallback_models[3] strong_share thinking answer_cache_seconds" {
		t.Errorf("refused: %s", got)
	}
	for _, share := range []float64{-0.01, 1.01, math.Inf(1)} {
		if (Settings{StrongShare: &share}).check() == nil {
			t.Errorf("the share %v was taken", share)
		}
	}
	for _, micros := range []int64{maxMicros + 1, math.MaxInt64} {
		if (Settings{MonthlyCostMicros: &micros}).check() == nil {
			t.Errorf("%d micro-dollars were taken", micros)
		}
	}
	good := Settings{WeakModel: "fast", StrongModel: "lab/org/m:70b", StrongShare: at(0.0), FallbackModels: []string{"a/b"}, Thinking: "high", ThinkingInWidget: true, AnswerCacheSeconds: 86_400,
		MonthlyCostMicros: at(int64(25_000_000))}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	text, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	back, err := row{Settings: string(text)}.tenant()
	if err != nil || !reflect.DeepEqual(back.Settings, good) || back.MonthlyMicros() != 25_000_000 || (Tenant{}).MonthlyMicros() != 0 {
		t.Errorf("%s came back as %+v, %v", text, back.Settings, err)
	}
}
