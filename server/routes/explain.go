package routes

import (
	"fmt"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm/policy"
)

// Explanation is how a model would be chosen for a request, without calling any.
type Explanation struct {
	Asked                 string               `json:"asked" doc:"The model as the request names it; default when it names none"`
	Model                 string               `json:"model" doc:"provider/model that would be asked first; empty when none would"`
	Reason                string               `json:"reason" doc:"explicit, score, sticky, gate or default"`
	Score                 *float64             `json:"score,omitempty" doc:"The probability that the cheap model fails, 0 to 1; absent when the request was not scored"`
	Threshold             *float64             `json:"threshold,omitempty" doc:"A score above it goes to the strong model; below 0 all do, above 1 none"`
	StrongShare           *float64             `json:"strong_share,omitempty" doc:"The share of strong calls that the tenant wants, from which the threshold follows"`
	Thinking              string               `json:"thinking,omitempty" doc:"The level of thinking that would be asked for"`
	Candidates            []ExplainedCandidate `json:"candidates" nullable:"false" doc:"Those that would be tried, in order, then those left out"`
	EstimatedInputTokens  int64                `json:"estimated_input_tokens" doc:"Tokens of the prompt, on the high side"`
	EstimatedOutputTokens int64                `json:"estimated_output_tokens" doc:"Tokens of the answer that the estimates reckon with"`
	PriceVersion          string               `json:"price_version" doc:"The version of the price table"`
	Error                 *ExplainedError      `json:"error,omitempty" doc:"What a chat call would fail with; absent when a model would answer"`
}

// ExplainedCandidate is a model that was considered.
type ExplainedCandidate struct {
	Model               string `json:"model"`
	Skipped             string `json:"skipped,omitempty" doc:"Why it was left out: unknown_model, tier, not_allowed, no_tools, no_vision, no_json_schema, no_thinking_level, context_window, price_unknown, budget, cooling or embedding_model"`
	Why                 string `json:"why" doc:"The same in words, or why it would be tried"`
	EstimatedCostMicros *int64 `json:"estimated_cost_micros,omitempty" doc:"Micro-dollars for the estimated tokens; absent when its price is unknown"`
}

// ExplainedError is the error that a chat call would get.
type ExplainedError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Choice is what was decided for a request, to be explained.
type Choice struct {
	Asked        string
	Ask          policy.Ask
	Decision     policy.Decision
	Share        float64                  // of strong calls that the tenant wants
	Output       int64                    // tokens of the answer that the decision reckoned with
	Thinking     string                   // the level that would be asked for; empty leaves it to the model
	PriceVersion string                   // of the table
	Why          func(policy.Skip) string // says in words why a candidate was left out
	Err          error                    // what the call would fail with; nil when a model would answer
}

// Explain puts a choice into words. A failure of the server itself is no explanation: the caller returns that one as it is.
func (c Choice) Explain() Explanation {
	e := Explanation{Asked: c.Asked, Reason: string(c.Decision.Reason), Thinking: c.Thinking, Candidates: []ExplainedCandidate{}, EstimatedInputTokens: c.Ask.Input,
		EstimatedOutputTokens: c.Output, PriceVersion: c.PriceVersion}
	if c.Err != nil {
		f := fault.From(c.Err)
		e.Error = &ExplainedError{Code: string(f.Code), Message: f.Message}
	} else if chain := c.Decision.Chain(); len(chain) > 0 {
		e.Model = chain[0]
	}
	if c.Ask.Model == policy.Auto && c.Ask.Scored {
		e.Score, e.Threshold, e.StrongShare = &c.Ask.Failure, &c.Ask.Threshold, &c.Share
	}
	for i, d := range c.Decision.Candidates {
		out := ExplainedCandidate{Model: d.ID, Skipped: string(d.Skip)}
		switch {
		case d.Skip != "":
			out.Why = c.Why(d.Skip)
		case i == 0:
			out.Why = c.reason()
		default:
			out.Why = "tried when those before it fail"
		}
		if d.Priced {
			out.EstimatedCostMicros = &d.Micros
		}
		e.Candidates = append(e.Candidates, out)
	}
	return e
}

// reason says why the first candidate is first.
func (c Choice) reason() string {
	switch c.Decision.Reason {
	case policy.ReasonExplicit:
		return "the request names it, or the tenant's default does"
	case policy.ReasonScore:
		if c.Ask.Failure > c.Ask.Threshold {
			return fmt.Sprintf("the score %.2f is above the threshold", c.Ask.Failure)
		}
		return fmt.Sprintf("the score %.2f is not above the threshold", c.Ask.Failure)
	case policy.ReasonSticky:
		return "the session stays with the model of its last turn"
	case policy.ReasonDefault:
		return "nothing told the models apart"
	}
	return "the others of the pair were left out"
}
