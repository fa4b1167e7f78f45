package tenants

import "github.com/clawless/clawless/server/llm"

// TenantSettings is the wire form of what a tenant's assistant may do.
type TenantSettings struct {
	ConversationSettings
	DefaultModel       string   `json:"default_model" doc:"The model of requests that name none or \"default\"; empty takes the server's"`
	SystemPrompt       string   `json:"system_prompt" doc:"Put before every conversation of the tenant"`
	AllowedModels      []string `json:"allowed_models" nullable:"false" doc:"Model ids or patterns such as openai/*; empty allows all"`
	AllowedTools       []string `json:"allowed_tools" nullable:"false" doc:"Names or patterns of tools a request may offer to the model; empty allows all"`
	MonthlyTokens      int64    `json:"monthly_tokens" doc:"Tokens a calendar month (UTC); 0 is no limit"`
	MonthlyCostMicros  int64    `json:"monthly_cost_micros" doc:"Micro-dollars a calendar month (UTC); 0 is no limit"`
	WeakModel          string   `json:"weak_model" doc:"The cheap model behind the model auto; empty takes the server's"`
	StrongModel        string   `json:"strong_model" doc:"The strong model behind the model auto; empty takes the server's"`
	StrongShare        *float64 `json:"strong_share,omitempty" doc:"Share of the auto calls that may go to the strong model, from 0 to 1; absent takes the server's"`
	FallbackModels     []string `json:"fallback_models" nullable:"false" doc:"Models that may answer when the chosen one fails, in order; empty takes the server's"`
	Thinking           string   `json:"thinking" doc:"How much the model thinks before it answers: off, minimal, low, medium or high; empty leaves it to the model"`
	ThinkingInWidget   bool     `json:"thinking_in_widget" doc:"Whether a widget's visitors get the model's thoughts"`
	AnswerCacheSeconds int64    `json:"answer_cache_seconds" doc:"How long an answer may be given again to exactly the same request; 0 is never"`
}

// TenantSettingsInput is a change of settings: a field that is left out stays as it is.
type TenantSettingsInput struct {
	ConversationSettingsInput
	DefaultModel       *string   `json:"default_model,omitempty" maxLength:"200" doc:"The model of requests that name none; empty takes the server's"`
	SystemPrompt       *string   `json:"system_prompt,omitempty" maxLength:"100000" doc:"Put before every conversation of the tenant"`
	AllowedModels      *[]string `json:"allowed_models,omitempty" maxItems:"200" doc:"Model ids or patterns such as openai/*; empty allows all"`
	AllowedTools       *[]string `json:"allowed_tools,omitempty" maxItems:"200" doc:"Names or patterns of tools a request may offer; empty allows all"`
	MonthlyTokens      *int64    `json:"monthly_tokens,omitempty" minimum:"0" doc:"Tokens a calendar month (UTC); 0 is no limit"`
	MonthlyCostMicros  *int64    `json:"monthly_cost_micros,omitempty" minimum:"0" maximum:"1000000000000000" doc:"Micro-dollars a calendar month (UTC); 0 is no limit"`
	WeakModel          *string   `json:"weak_model,omitempty" maxLength:"200" doc:"The cheap model behind the model auto; empty takes the server's"`
	StrongModel        *string   `json:"strong_model,omitempty" maxLength:"200" doc:"The strong model behind the model auto; empty takes the server's"`
	StrongShare        *float64  `json:"strong_share,omitempty" minimum:"0" maximum:"1" doc:"Share of the auto calls that may go to the strong model"`
	FallbackModels     *[]string `json:"fallback_models,omitempty" maxItems:"20" doc:"Models that may answer when the chosen one fails, in order; empty takes the server's"`
	Thinking           *string   `json:"thinking,omitempty" maxLength:"20" doc:"off, minimal, low, medium or high; empty leaves it to the model"`
	ThinkingInWidget   *bool     `json:"thinking_in_widget,omitempty" doc:"Whether a widget's visitors get the model's thoughts"`
	AnswerCacheSeconds *int64    `json:"answer_cache_seconds,omitempty" minimum:"0" maximum:"86400" doc:"How long an answer may be given again to exactly the same request; 0 is never"`
}

// apply changes what was named; check says afterwards whether it may be so.
func (in *TenantSettingsInput) apply(s *Settings) {
	if in == nil {
		return
	}
	in.ConversationSettingsInput.apply(&s.Conversations)
	set(&s.DefaultModel, in.DefaultModel)
	set(&s.SystemPrompt, in.SystemPrompt)
	set(&s.AllowedModels, in.AllowedModels)
	set(&s.AllowedTools, in.AllowedTools)
	set(&s.WeakModel, in.WeakModel)
	set(&s.StrongModel, in.StrongModel)
	set(&s.FallbackModels, in.FallbackModels)
	set(&s.Thinking, in.Thinking)
	set(&s.ThinkingInWidget, in.ThinkingInWidget)
	set(&s.AnswerCacheSeconds, in.AnswerCacheSeconds)
	if e, ok := llm.ParseEffort(s.Thinking); ok {
		s.Thinking = string(e)
	}
	if in.MonthlyTokens != nil {
		s.MonthlyTokens = in.MonthlyTokens
	}
	if in.MonthlyCostMicros != nil {
		s.MonthlyCostMicros = in.MonthlyCostMicros
	}
	if in.StrongShare != nil {
		s.StrongShare = in.StrongShare
	}
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// settings is the wire form of the tenant's settings.
func (t Tenant) settings() TenantSettings {
	s := t.Settings
	return TenantSettings{ConversationSettings: s.Conversations.wire(), DefaultModel: s.DefaultModel, SystemPrompt: s.SystemPrompt, AllowedModels: orEmpty(s.AllowedModels), AllowedTools: orEmpty(s.AllowedTools),
		MonthlyTokens: t.MonthlyTokens(), MonthlyCostMicros: t.MonthlyMicros(), WeakModel: s.WeakModel, StrongModel: s.StrongModel, StrongShare: s.StrongShare,
		FallbackModels: orEmpty(s.FallbackModels), Thinking: s.Thinking, ThinkingInWidget: s.ThinkingInWidget, AnswerCacheSeconds: s.AnswerCacheSeconds}
}

// orEmpty makes a list that is shown as [] and never as null.
func orEmpty(list []string) []string { return append([]string{}, list...) }
