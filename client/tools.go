package client

import (
	"context"
	"encoding/json"
	"time"

	"github.com/clawless/clawless/sdk"
)

// ToolUse tells what a tool of the server does in a turn. Those of one call have its ID; a later one takes the place of an earlier one.
type ToolUse struct {
	ID     string // of the call, as the session's messages name it
	Name   string
	Status sdk.ToolEventStatus
	Source string        // builtin, http or mcp
	Took   time.Duration // when it is over
	Why    string        // why it failed or was denied; a stranger may have written it

	// These belong to a call that waits: Approve says whether it may be made.
	ApprovalID string
	Arguments  string      // JSON, without credentials
	Taint      []sdk.Taint // what strangers wrote that the turn has read
}

func (ToolUse) event() {}

// Over reports whether no more is to come of the call.
func (t ToolUse) Over() bool {
	return t.Status != sdk.ToolEventStatusRunning && t.Status != sdk.ToolEventStatusWaiting
}

func toolUse(e *sdk.ToolEvent) ToolUse {
	t := ToolUse{ID: e.ID, Name: e.Name, Status: e.Status, Source: e.Source, Took: time.Duration(e.Ms) * time.Millisecond, Why: e.Why, ApprovalID: e.ApprovalID, Taint: e.Taint}
	if e.Arguments != nil {
		if b, err := json.Marshal(e.Arguments); err == nil { // it was JSON a moment ago
			t.Arguments = string(b)
		}
	}
	return t
}

// Approve says whether a call that waits for it may be made; the events of the run tell what becomes of it. A decision is made once: a second one, or one that comes
// too late, is an error.
func (c *Client) Approve(ctx context.Context, runID, approvalID string, approve bool) (*sdk.Approval, error) {
	decision := sdk.ApproveRequestDecisionDeny
	if approve {
		decision = sdk.ApproveRequestDecisionApprove
	}
	return c.ApproveRun(ctx, runID, sdk.ApproveRequest{ApprovalID: approvalID, Decision: decision})
}
