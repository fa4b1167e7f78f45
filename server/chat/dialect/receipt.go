package dialect

// Receipt says where an answer belongs, which model gave it and why, and what it cost.
type Receipt struct {
	Model     string `json:"model" doc:"provider/model that answered"`
	Asked     string `json:"asked,omitempty" doc:"The model as the caller named it; default when it named none"`
	SessionID string `json:"session_id,omitempty"`
	RunID     string `json:"run_id,omitempty"`
	Dropped   int    `json:"dropped_messages,omitempty" doc:"How many of the session's older messages were left out, because the model could not take them all"`

	Route        *Route     `json:"route,omitempty"`
	Attempts     []Attempt  `json:"attempts,omitempty" doc:"Every call of a provider, and every model that was passed over"`
	Tokens       *Tokens    `json:"tokens,omitempty"`
	CostMicros   *int64     `json:"cost_micros,omitempty" doc:"Micro-dollars that the answer cost, thrown away attempts included; absent when the price is unknown"`
	PriceVersion string     `json:"price_version,omitempty" doc:"The version of the price table; absent when the price is unknown"`
	PriceUnknown bool       `json:"price_unknown,omitempty" doc:"The table has no price for the model, so the cost is not known"`
	Thinking     string     `json:"thinking,omitempty" doc:"The level that was asked for"`
	ThinkingFrom string     `json:"thinking_from,omitempty" doc:"Who asked for it: message, session or tenant"`
	Steps        int        `json:"steps,omitempty" doc:"How many calls of the model the turn took, where tools made it more than one; tokens and cost are of all of them"`
	BesideTokens int64      `json:"beside_tokens,omitempty" doc:"Tokens that were spent beside the answer: by spawned sessions, and for a summary of older messages"`
	BesideMicros *int64     `json:"beside_cost_micros,omitempty" doc:"What that cost; it is part of cost_micros"`
	Summarised   int        `json:"summarised_messages,omitempty" doc:"How many of the session's older messages a summary stood for"`
	Trimmed      int        `json:"trimmed_results,omitempty" doc:"How many older results of tools were shortened"`
	Tool         *ToolEvent `json:"tool,omitempty" doc:"On a chunk of a stream that tells what a tool of the server does"`
	Cache        string     `json:"cache,omitempty" doc:"hit when the answer came from the tenant's cache and cost nothing"`
}

// Route is why the model was chosen.
type Route struct {
	Reason      string           `json:"reason" doc:"explicit, score, sticky, gate, default, fallback, escalation or cache"`
	Score       *float64         `json:"score,omitempty" doc:"The probability that the cheap model fails, 0 to 1"`
	Threshold   *float64         `json:"threshold,omitempty" doc:"A score above it goes to the strong model"`
	StrongShare *float64         `json:"strong_share,omitempty" doc:"The share of strong calls that the tenant wants, from which the threshold follows"`
	Candidates  []RouteCandidate `json:"candidates,omitempty"`
}

// RouteCandidate is a model that was considered.
type RouteCandidate struct {
	Model      string `json:"model"`
	Skipped    string `json:"skipped,omitempty" doc:"Why it was left out: unknown_model, tier, not_allowed, no_tools, no_vision, no_json_schema, no_thinking_level, context_window, price_unknown, budget, cooling or embedding_model"`
	CostMicros *int64 `json:"cost_micros,omitempty" doc:"What these tokens would have cost at this model; absent when its price is unknown"`
}

// Attempt is one call of a provider.
type Attempt struct {
	Model   string `json:"model"`
	Outcome string `json:"outcome" doc:"ok, left, the class of the error (auth, billing, rate_limit, overloaded, server, unreachable, timeout, broken_stream, context_too_long, content_refused, invalid_request, model_not_found), why it was passed over (cooling, unsupported, context_window), or why its answer was thrown away (empty_answer, invalid_json, repeated_tool_call)"`
	Key     int    `json:"key,omitempty" doc:"Which of the provider's keys, from 1, where there are several"`
	MS      int64  `json:"ms" doc:"How long it took"`
	FirstMS int64  `json:"first_ms,omitempty" doc:"How long until the first chunk"`
}

// Tokens are what the answer took.
type Tokens struct {
	Input      int64 `json:"input"`
	Output     int64 `json:"output"`
	Cached     int64 `json:"cached" doc:"Of the input, read from the provider's cache"`
	CacheWrite int64 `json:"cache_write" doc:"Of the input, written to it"`
	Thinking   int64 `json:"thinking" doc:"Of the output"`
}
