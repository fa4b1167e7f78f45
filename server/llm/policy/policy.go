// Package policy decides which models may answer a turn, in which order, and why; it knows no provider, no database and no clock.
package policy

import (
	"time"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
)

// Auto is the name of the model that means: choose one.
const Auto = "auto"

// Rules are what a tenant wants of the choice, with the server's own rules where it says nothing. Models are full ids.
type Rules struct {
	Default     string   // where nothing tells the two apart
	Weak        string   // the cheap model of the pair
	Strong      string   // the strong one
	StrongShare float64  // how many of the scored turns may go to Strong, from 0 to 1
	Fallback    []string // in order, after those of the same class
}

// Model is what is known of one model that the rules name.
type Model struct {
	ID      string
	Info    catalog.Info
	Known   bool          // the catalogue has it
	Denied  Skip          // why the tenant may not use it at all: SkipTier, SkipNotAllowed, SkipUnknown; empty when it may
	Cooling time.Duration // how long its circuit stays open; zero when it is healthy
}

// Ask is one turn. It holds no text, so that it can be recorded.
type Ask struct {
	Model     string     // a full id, or Auto
	Fallback  bool       // another model than the one that was named may answer
	Tools     bool       // functions are offered, or were called before
	Vision    bool       // there are images
	Schema    bool       // an answer in a JSON schema is wanted
	Effort    llm.Effort // named by the caller for this turn; empty when not
	Input     int64      // tokens of the prompt, on the high side
	Output    int64      // the most tokens of the answer; zero when the caller names no limit
	Scored    bool       // Failure is known
	Failure   float64    // the probability that the weak model fails, from 0 to 1
	Threshold float64    // Failure above it goes to the strong model
	Last      string     // the model that answered the session's last turn; empty in a new or reset session
	Idle      time.Duration
	Micros    int64 // micro-dollars that the tenant has left this month; negative when there is no limit
}

// Reason is why the first candidate is first.
type Reason string

// The reasons.
const (
	ReasonExplicit   Reason = "explicit"   // the caller named it
	ReasonScore      Reason = "score"      // the score chose between weak and strong
	ReasonSticky     Reason = "sticky"     // the session stays with the model of its last turn
	ReasonGate       Reason = "gate"       // only this one passes the gates
	ReasonDefault    Reason = "default"    // there was no signal
	ReasonFallback   Reason = "fallback"   // the ones before it failed; set by the turn, not by Decide
	ReasonEscalation Reason = "escalation" // the weak answer was unusable; set by the turn, not by Decide
)

// Skip is why a candidate was left out. The empty Skip means that it was not.
type Skip string

// The gates.
const (
	SkipUnknown    Skip = "unknown_model"
	SkipTier       Skip = "tier"
	SkipNotAllowed Skip = "not_allowed"
	SkipTools      Skip = "no_tools"
	SkipVision     Skip = "no_vision"
	SkipSchema     Skip = "no_json_schema"
	SkipEffort     Skip = "no_thinking_level"
	SkipContext    Skip = "context_window"
	SkipPrice      Skip = "price_unknown"
	SkipBudget     Skip = "budget"
	SkipCooling    Skip = "cooling"
	SkipEmbedding  Skip = "embedding_model"
)

// Candidate is one model that was considered. Those without a Skip are the chain, in the order in which they are tried.
type Candidate struct {
	ID     string `json:"model"`
	Skip   Skip   `json:"skipped,omitempty"`
	Micros int64  `json:"estimated_cost_micros"`
	Priced bool   `json:"priced"`
}

// Decision is the choice with its reasons.
type Decision struct {
	Reason     Reason
	Candidates []Candidate // the chain first, then those left out
}

// Chain is the ids of the candidates to try, best first; empty when none passes the gates.
func (d Decision) Chain() []string {
	var out []string
	for _, c := range d.Candidates {
		if c.Skip == "" {
			out = append(out, c.ID)
		}
	}
	return out
}
