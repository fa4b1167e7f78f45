package toolcalls

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tools/executions"
)

const recordLimit = 5 * time.Second

// keep writes the call's row, also of a turn that was cancelled under it. What cannot be written is logged: the session's messages say too that the tool was called.
func (d *Desk) keep(ctx context.Context, e executions.Execution) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	if err := d.DB.Write(ctx, func(q db.Querier) error { return executions.Insert(ctx, q, e) }); err != nil {
		d.Log.Error("a tool call was not recorded", "run", e.RunID, "tool", e.Tool, "error", err.Error())
	}
}

// denied fills in that a call was not let through.
func denied(e *executions.Execution, v verdict, before []tool.Taint) {
	e.Decision, e.Layer, e.Status, e.Error, e.Taints = v.decision, v.layer, executions.Skipped, v.why, before
}

// ended fills in what came of a call.
func ended(e *executions.Execution, v verdict, r tool.Result, took time.Duration, err error) {
	e.Decision, e.Layer, e.Duration, e.ResultBytes, e.CostMicros, e.Taints = v.decision, v.layer, took, int64(len(r.Text)), r.CostMicros, r.Taints
	if err != nil {
		e.Status, e.Error = executions.Failed, err.Error()
	}
}
