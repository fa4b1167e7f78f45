// Package executions keeps a row for each call of a server-side tool: what was decided about it, and what it did and cost.
package executions

import (
	"encoding/json"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/tool"
)

// Decision is what became of a call before it could run.
type Decision string

// The decisions.
const (
	Allowed  Decision = "allowed"  // nobody had to be asked
	Denied   Decision = "denied"   // a layer forbids it
	Approved Decision = "approved" // somebody was asked and said yes
	Refused  Decision = "refused"  // somebody was asked and said no, or the tenant's setting says it for them
	Expired  Decision = "expired"  // nobody answered in time
)

// Status is how a call ended.
type Status string

// The states. A call that was not let through is Skipped.
const (
	Done    Status = "done"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Execution is one call of a tool.
type Execution struct {
	ID          string
	TenantID    string
	RunID       string // empty for a trial
	SessionID   string // empty for a trial
	CallID      string // the model's id of the call
	Tool        string
	Arguments   json.RawMessage // Insert redacts and bounds it
	Decision    Decision
	Layer       string // that decided against it; empty when none did
	Status      Status
	Error       string // in the words that the model got; never a secret
	Taints      []tool.Taint
	ResultBytes int64
	Duration    time.Duration
	CostMicros  int64 // micro-dollars
	CreatedAt   db.Time
}

// New returns an execution that is allowed, with an id and the time of now. The caller fills in how it ended.
func New(c tool.Call, name string, now time.Time) Execution {
	return Execution{ID: ids.New(ids.Execution), TenantID: c.TenantID, RunID: c.RunID, SessionID: c.SessionID, CallID: c.ID, Tool: name, Arguments: c.Arguments,
		Decision: Allowed, Status: Done, CreatedAt: db.At(now)}
}
