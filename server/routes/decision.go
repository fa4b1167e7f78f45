// Package routes keeps how models were chosen, explains a choice before it is made, and decides recorded ones anew under other rules.
package routes

import (
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/policy"
)

// Record is one choice of a model with what came of it. It holds no text of the turn.
type Record struct {
	TenantID, ID, RequestID string // an empty ID gets a new one when the record is inserted
	RunID, SessionID        string // empty for a stateless call
	Asked                   string // the model as the caller named it
	Used                    string // the full id of the model that answered; empty when none did
	Reason                  policy.Reason
	Ask                     policy.Ask
	Candidates              []policy.Candidate
	Usage                   llm.Usage
	Micros                  int64  // what the answer cost; zero when its price was unknown
	PriceVersion            string // of the table that gave the price; empty when it was unknown
	Outcome                 string
	CreatedAt               db.Time
}

// askForm is how an Ask is stored: these names stay as they are, for records outlive releases.
type askForm struct {
	Model     string     `json:"model"`
	Fallback  bool       `json:"fallback,omitempty"`
	Tools     bool       `json:"tools,omitempty"`
	Vision    bool       `json:"vision,omitempty"`
	Schema    bool       `json:"schema,omitempty"`
	Effort    llm.Effort `json:"effort,omitempty"`
	Input     int64      `json:"input,omitempty"`
	Output    int64      `json:"output,omitempty"`
	Scored    bool       `json:"scored,omitempty"`
	Failure   float64    `json:"failure,omitempty"`
	Threshold float64    `json:"threshold,omitempty"`
	Last      string     `json:"last,omitempty"`
	IdleMS    int64      `json:"idle_ms,omitempty"`
	Micros    int64      `json:"micros"` // always there: zero is none left
}

func formOf(a policy.Ask) askForm {
	return askForm{Model: a.Model, Fallback: a.Fallback, Tools: a.Tools, Vision: a.Vision, Schema: a.Schema, Effort: a.Effort, Input: a.Input, Output: a.Output,
		Scored: a.Scored, Failure: a.Failure, Threshold: a.Threshold, Last: a.Last, IdleMS: a.Idle.Milliseconds(), Micros: a.Micros}
}

func (f askForm) ask() policy.Ask {
	return policy.Ask{Model: f.Model, Fallback: f.Fallback, Tools: f.Tools, Vision: f.Vision, Schema: f.Schema, Effort: f.Effort, Input: f.Input, Output: f.Output,
		Scored: f.Scored, Failure: f.Failure, Threshold: f.Threshold, Last: f.Last, Idle: time.Duration(f.IdleMS) * time.Millisecond, Micros: f.Micros}
}
