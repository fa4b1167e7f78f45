package tenants

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"unicode"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/policy"
)

// Settings are what a tenant's assistant may do. Empty fields take the server's or the tier's default.
type Settings struct {
	Conversations
	DefaultModel       string   `json:"default_model,omitempty"`
	SystemPrompt       string   `json:"system_prompt,omitempty"`
	AllowedModels      []string `json:"allowed_models,omitempty"`       // exact ids or patterns such as openai/*; empty allows all
	AllowedTools       []string `json:"allowed_tools,omitempty"`        // names of tools a caller may offer to the model; empty allows all
	MonthlyTokens      *int64   `json:"monthly_tokens,omitempty"`       // 0 is no limit; absent is the tier's
	MonthlyCostMicros  *int64   `json:"monthly_cost_micros,omitempty"`  // micro-dollars; 0 or absent is no limit
	WeakModel          string   `json:"weak_model,omitempty"`           // the cheap model behind auto
	StrongModel        string   `json:"strong_model,omitempty"`         // the strong one
	StrongShare        *float64 `json:"strong_share,omitempty"`         // of the auto calls that may go to the strong model, from 0 to 1; absent is the server's
	FallbackModels     []string `json:"fallback_models,omitempty"`      // that may answer when the chosen one fails, in order; empty is the server's
	Thinking           string   `json:"thinking,omitempty"`             // an llm.Effort; empty leaves it to the model
	ThinkingInWidget   bool     `json:"thinking_in_widget,omitempty"`   // a widget's visitors may see the model's thoughts
	AnswerCacheSeconds int64    `json:"answer_cache_seconds,omitempty"` // how long an answer may be given again to exactly the same request; 0 is never
}

// MonthlyTokens is the tenant's budget of tokens a calendar month (UTC); 0 is no limit.
func (t Tenant) MonthlyTokens() int64 {
	if t.Settings.MonthlyTokens != nil {
		return *t.Settings.MonthlyTokens
	}
	return tierTokens[t.Tier]
}

// MonthlyMicros is the tenant's budget of micro-dollars a calendar month (UTC); 0 is no limit.
func (t Tenant) MonthlyMicros() int64 {
	if t.Settings.MonthlyCostMicros != nil {
		return *t.Settings.MonthlyCostMicros
	}
	return 0
}

// Rules are the tenant's rules of the choice of a model, with the server's where it has none of its own. Models may be other names for models, as they were set.
func (t Tenant) Rules(server policy.Rules) policy.Rules {
	s, r := t.Settings, server
	if s.DefaultModel != policy.Auto { // a tenant whose calls are all routed still needs a model where nothing tells the two apart
		r.Default = cmp.Or(s.DefaultModel, r.Default)
	}
	r.Weak, r.Strong = cmp.Or(s.WeakModel, r.Weak), cmp.Or(s.StrongModel, r.Strong)
	if s.StrongShare != nil {
		r.StrongShare = *s.StrongShare
	}
	if len(s.FallbackModels) > 0 {
		r.Fallback = s.FallbackModels
	}
	return r
}

// The bounds of settings.
const (
	maxAnswerCache = 86_400 // seconds
	maxMicros      = 1e15   // a thousand million dollars: sums of it stay far below the end of the numbers
	maxModelName   = 200
)

// check validates what a schema cannot.
func (s Settings) check() error {
	var bad []fault.Detail
	wrong := func(field, message string) {
		bad = append(bad, fault.Detail{Field: "settings." + field, Message: message})
	}
	for _, list := range []struct {
		field    string
		patterns []string
	}{{"allowed_models", s.AllowedModels}, {"allowed_tools", s.AllowedTools}} {
		for _, p := range list.patterns {
			if _, err := path.Match(p, ""); err != nil || p == "" {
				wrong(list.field, "not a name or a pattern with *")
			}
		}
	}
	if s.MonthlyTokens != nil && *s.MonthlyTokens < 0 {
		wrong("monthly_tokens", "must be 0 (no limit) or more")
	}
	if m := s.MonthlyCostMicros; m != nil && (*m < 0 || *m > maxMicros) {
		wrong("monthly_cost_micros", "must be 0 (no limit) or more micro-dollars, and at most 1000000000000000")
	}
	s.checkRouting(wrong)
	s.Conversations.check(wrong)
	if len(bad) == 0 {
		return nil
	}
	f := fault.New(fault.ValidationFailed, "%s: %s", bad[0].Field, bad[0].Message).WithParam(bad[0].Field)
	f.Details = bad
	return f
}

func (s Settings) checkRouting(wrong func(field, message string)) {
	const want = "not provider/model or another name of one model; auto and default are none"
	if s.WeakModel != "" && !namesModel(s.WeakModel) {
		wrong("weak_model", want)
	}
	if s.StrongModel != "" && !namesModel(s.StrongModel) {
		wrong("strong_model", want)
	}
	for i, m := range s.FallbackModels {
		if !namesModel(m) {
			wrong(fmt.Sprintf("fallback_models[%d]", i), want)
		}
	}
	if p := s.StrongShare; p != nil && !(*p >= 0 && *p <= 1) {
		wrong("strong_share", "must be from 0 to 1")
	}
	if _, ok := llm.ParseEffort(s.Thinking); s.Thinking != "" && !ok {
		wrong("thinking", "must be off, minimal, low, medium, high, or empty")
	}
	if s.AnswerCacheSeconds < 0 || s.AnswerCacheSeconds > maxAnswerCache {
		wrong("answer_cache_seconds", "must be from 0 (off) to 86400")
	}
}

// namesModel reports whether a text can be the id of a model or another name for one; whether there is one is found out when it is called.
func namesModel(s string) bool {
	if s == "" || s == policy.Auto || s == "default" || len(s) > maxModelName || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '*' }) {
		return false
	}
	provider, model, full := strings.Cut(s, "/")
	return !full || provider != "" && model != ""
}
