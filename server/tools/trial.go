package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/httptool"
	"github.com/clawless/clawless/server/tools/executions"
	"github.com/clawless/clawless/server/tools/servers"
)

// The layers that refuse a trial.
const (
	layerArguments = "arguments" // the schema
	layerAddress   = "address"   // a network that tools may not reach, or another host than the tool's
	layerApproval  = "approval"  // nobody approved the MCP tool as it is
)

// test runs a tool once with what people type, as a turn would, but for the rules of sessions: those are shown and not applied.
func (r Routes) test(ctx context.Context, in *testIn) (*trialOut, error) {
	p := auth.From(ctx)
	subject, status, err := r.subject(ctx, p.TenantID, in.Tool)
	if err != nil {
		return nil, err
	}
	offers, err := r.offers(ctx)
	if err != nil {
		return nil, err
	}
	c := tool.Call{ID: ids.New("call_"), TenantID: p.TenantID, RequestID: api.RequestID(ctx), KeyID: p.KeyID, Arguments: json.RawMessage("{}")}
	if in.Body != nil && len(in.Body.Arguments) > 0 {
		c.Arguments = in.Body.Arguments
	}
	name := subject.Spec().Name
	body := ToolTrialBody{Tool: name, Status: "done", Taint: []tool.Taint{}, Offered: status == Active && offers(name)}
	start := time.Now()
	var res tool.Result
	switch {
	case status == servers.Pending || status == servers.Changed || status == servers.Disabled && subject.Spec().Source == tool.MCP:
		body.Status, body.Layer, body.Error = "refused", layerApproval, "the tool is "+status+": approve it by its hash first"
	default:
		if res, err = tool.Run(ctx, subject, c); err != nil {
			body.Status, body.Layer, body.Error = judge(err)
			r.panicked(c, name, err)
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	took := time.Since(start)
	if w, ok := subject.(*watched); ok {
		body.HTTPStatus = w.status
	}
	body.DurationMS, body.Result, body.ResultBytes = took.Milliseconds(), res.Text, int64(len(res.Text))
	if len(res.Taints) > 0 {
		body.Taint = res.Taints
	}
	e := executions.New(c, name, start)
	e.Error, e.Layer, e.Taints, e.ResultBytes, e.Duration, e.CostMicros = body.Error, body.Layer, res.Taints, body.ResultBytes, took, res.CostMicros
	switch body.Status {
	case "failed":
		e.Status = executions.Failed
	case "refused":
		e.Status, e.Decision = executions.Skipped, executions.Denied
	}
	body.ExecutionID = e.ID
	err = r.DB.Write(context.WithoutCancel(ctx), func(q db.Querier) error { return executions.Insert(ctx, q, e) })
	if err != nil {
		return nil, err
	}
	return &trialOut{Body: body}, nil
}

// panicked logs what of a panic is not for callers.
func (r Routes) panicked(c tool.Call, name string, err error) {
	var p *tool.PanicError
	if errors.As(err, &p) {
		r.Set.options.Log.Error("a tool panicked", "request_id", c.RequestID, "tool", name, "panic", fmt.Sprint(p.Value), "stack", string(p.Stack))
	}
}

// watched is an HTTP tool that remembers the status of its endpoint's answer.
type watched struct {
	*httptool.Tool
	status int
}

// Call implements tool.Tool.
func (w *watched) Call(ctx context.Context, c tool.Call) (tool.Result, error) {
	a, err := w.Ask(ctx, c)
	w.status = a.Status
	return tool.Result{Text: a.Text}, err
}

// judge says of a failure whether something refused the call, and what.
func judge(err error) (status, layer, message string) {
	var wrong *tool.ArgumentsError
	var refused *httptool.Refused
	switch {
	case errors.As(err, &wrong):
		return "refused", layerArguments, err.Error()
	case errors.As(err, &refused):
		return "refused", layerAddress, err.Error()
	}
	return "failed", "", err.Error()
}

// subject finds what is tried, also where it is not offered yet. Built-in tools need a session.
func (r Routes) subject(ctx context.Context, tenantID, idOrName string) (tool.Tool, string, error) {
	t := db.TenantOf(tenantID)
	var own Tool
	var others []servers.Tool
	err := r.DB.Read(ctx, func(q db.Querier) (err error) {
		if own, err = Get(ctx, q, t, idOrName); fault.Is(err, fault.NotFound) {
			others, err = servers.AllTools(ctx, q, t)
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if own.ID != "" {
		made, err := r.Set.http(own, false)
		return &watched{Tool: made}, own.Status, err
	}
	i := slices.IndexFunc(others, func(o servers.Tool) bool {
		return o.Offered() == idOrName && o.Status != servers.Unusable && o.Status != servers.Gone
	})
	if i >= 0 {
		status := others[i].Status
		if others[i].May() {
			status = Active
		}
		return r.Set.mcp(others[i]), status, nil
	}
	if r.Set.reserved(idOrName) {
		return nil, "", fault.New(fault.Conflict, "a built-in tool is tried in a session: ask the assistant to use it")
	}
	return nil, "", notFound()
}
