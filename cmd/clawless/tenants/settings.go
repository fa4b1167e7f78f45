package tenants

import (
	"maps"

	"github.com/spf13/pflag"

	"github.com/clawless/clawless/sdk"
)

// settingsFlags are the settings of a tenant as flags; only those that were given are sent.
type settingsFlags struct {
	set          *pflag.FlagSet
	model        string
	prompt       string
	models       []string
	tools        []string
	monthlyToken int64
	monthlyCost  dollars
	weak         string
	strong       string
	strongShare  float64
	fallback     []string
	thinking     string
	inWidget     bool
	answerCache  seconds

	conversations conversationFlags
}

func (s *settingsFlags) add(fs *pflag.FlagSet) {
	s.set = fs
	fs.StringVar(&s.model, "default-model", "", "`MODEL` of requests that name none, as provider/model, or auto")
	fs.StringVar(&s.prompt, "system-prompt", "", "`TEXT` put before every conversation")
	fs.StringSliceVar(&s.models, "allow-model", nil, "`MODEL` that may be used, such as openai/*; repeat it for more (default: all)")
	fs.StringSliceVar(&s.tools, "allow-tool", nil, "`NAME` of a tool that may be offered; repeat it for more (default: all)")
	fs.Int64Var(&s.monthlyToken, "monthly-tokens", 0, "budget of `N` tokens a calendar month; 0 is no limit (default: the tier's)")
	fs.Var(&s.monthlyCost, "monthly-cost", "budget of `DOLLARS` a calendar month, such as 25.00; 0 is no limit")
	fs.StringVar(&s.weak, "weak-model", "", "cheap `MODEL` behind auto (default: the server's)")
	fs.StringVar(&s.strong, "strong-model", "", "strong `MODEL` behind auto (default: the server's)")
	fs.Float64Var(&s.strongShare, "strong-share", 0, "`SHARE` of the auto calls that may go to the strong model, from 0 to 1 (default: the server's)")
	fs.StringSliceVar(&s.fallback, "fallback-model", nil, "`MODEL` that may answer when the chosen one fails; repeat it for more, in order (default: the server's)")
	fs.StringVar(&s.thinking, "thinking", "", "`LEVEL` of thinking: off, minimal, low, medium or high (default: the model's own)")
	fs.BoolVar(&s.inWidget, "thinking-in-widget", false, "show the model's thoughts to a widget's visitors")
	fs.Var(&s.answerCache, "answer-cache", "`DURATION` for which an answer may be given again to exactly the same request, up to 24h; 0 is never")
	s.conversations.add(fs)
}

// input returns what was given, or nil when nothing was.
func (s *settingsFlags) input() *sdk.TenantSettingsInput {
	in, given := sdk.TenantSettingsInput{}, false
	takes := s.conversations.takes(&in)
	maps.Copy(takes, map[string]func(){
		"default-model":      func() { in.DefaultModel = &s.model },
		"system-prompt":      func() { in.SystemPrompt = &s.prompt },
		"allow-model":        func() { in.AllowedModels = nonEmpty(s.models) },
		"allow-tool":         func() { in.AllowedTools = nonEmpty(s.tools) },
		"monthly-tokens":     func() { in.MonthlyTokens = &s.monthlyToken },
		"monthly-cost":       func() { in.MonthlyCostMicros = (*int64)(&s.monthlyCost) },
		"weak-model":         func() { in.WeakModel = &s.weak },
		"strong-model":       func() { in.StrongModel = &s.strong },
		"strong-share":       func() { in.StrongShare = &s.strongShare },
		"fallback-model":     func() { in.FallbackModels = nonEmpty(s.fallback) },
		"thinking":           func() { in.Thinking = &s.thinking },
		"thinking-in-widget": func() { in.ThinkingInWidget = &s.inWidget },
		"answer-cache":       func() { in.AnswerCacheSeconds = (*int64)(&s.answerCache) },
	})
	for name, take := range takes {
		if s.set.Changed(name) {
			take()
			given = true
		}
	}
	if !given {
		return nil
	}
	return &in
}

// nonEmpty makes --allow-model "" mean the empty list, which allows all again.
func nonEmpty(list []string) []string {
	out := []string{}
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
