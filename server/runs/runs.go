// Package runs executes turns apart from the connections that watch them: a run has a numbered event log that any number of readers follow, live or finished.
package runs

import (
	"encoding/json"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs/events"
)

// Run is the execution of one turn of a session.
type Run struct {
	ID           string
	TenantID     string
	SessionID    string
	KeyID        string
	EndUser      string // the visitor that started it; empty for a key
	RequestID    string
	Status       Status
	Model        string // provider/model
	Provider     string
	ErrorCode    string
	ErrorMessage string
	FinishReason string
	Usage        llm.Usage
	Steps        int             // how often a model was asked
	ParentRunID  string          // of the run whose tool sent the message; empty for people
	Hops         int             // how many runs back the first message of a person is, along the parents
	Receipt      json.RawMessage // what was chosen, tried and spent, a JSON object; nil while it runs, and where there is none
	StartedAt    db.Time
	FinishedAt   db.Time // zero while it runs
}

// Status is where a run stands. All but Running are final.
type Status string

// The states of a run.
const (
	Running     Status = "running"
	Completed   Status = "completed"
	Failed      Status = "failed"
	Cancelled   Status = "cancelled"
	Interrupted Status = "interrupted" // its server stopped; the user message is kept, the answer is not
)

// lease is how long a run is believed to be alive without word from its server. Renewals come three times as often, and it is shorter than a turn waits for the one
// before it (session_wait), so that a killed server does not cost the next turn of a session.
const lease = 20 * time.Second

// notFound answers for a missing run, a foreign one and another visitor's alike.
func notFound() error { return fault.New(fault.NotFound, "no such run") }

// expired answers when a run is over and its events are gone.
func expired() error {
	return fault.New(fault.RunExpired, "this run's events are no longer kept; read the session's messages instead")
}

// The event log of a run is package events'; these are its names for those who run turns.
type (
	// Event is one numbered step of a run.
	Event = events.Event
	// Log is the event log of one run.
	Log = events.Log
)

// The kinds of events. Done and Failure are last.
const (
	Frame   = events.Frame
	Usage   = events.Usage
	Answer  = events.Answer
	Failure = events.Failure
	Done    = events.Done
)
