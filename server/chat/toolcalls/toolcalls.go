// Package toolcalls executes the calls that a model makes in a turn: it decides which may run, asks people where it must, runs them side by side and records each.
package toolcalls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tools/executions"
)

// The bounds of a turn's calls.
const (
	atOnce   = 8  // calls that run side by side
	maxCalls = 32 // that one answer may make; further ones are refused
	maxTools = 128
)

// Desk executes calls for all turns. Its fields are set once.
type Desk struct {
	DB      *db.DB
	BuiltIn *tool.Registry
	Own     func(ctx context.Context, tenantID string) ([]tool.Tool, error) // a tenant's tools; nil for none
	Wait    time.Duration                                                   // how long a call waits for somebody's approval
	Log     *slog.Logger

	waiting waiting
}

// Turn is what a turn may do with tools. It is used by one goroutine at a time; Tell may be called by several.
type Turn struct {
	Rights tool.Rights
	Call   tool.Call    // what is the same for all calls of the turn
	Ask    bool         // people are asked where an approval is needed; otherwise the call is refused
	Taints []tool.Taint // what strangers wrote that the turn has read; it grows
	Tell   func(dialect.ToolEvent)

	offered map[string]tool.Tool
	denied  map[string]tool.Tool // that some layer denies; a model may ask for them all the same
	told    sync.Mutex
}

// Done is a call that has ended, whatever came of it. Text is for the model.
type Done struct {
	Call   llm.ToolCall
	Text   string
	Taints []tool.Taint
	Waited time.Duration // for somebody's approval
}

// Offer returns the tools that the turn's model is offered beside those of the caller, which go first: of two with one name the caller's counts.
// A tenant's tools that cannot be read are left out, and the log says so.
func (d *Desk) Offer(ctx context.Context, t *Turn, callers []llm.Tool) []llm.Tool {
	t.offered, t.denied = map[string]tool.Tool{}, map[string]tool.Tool{}
	all := d.BuiltIn.List()
	if d.Own != nil && t.Rights.Any() {
		own, err := d.Own(ctx, t.Call.TenantID)
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("a tenant's tools could not be read", "tenant", t.Call.TenantID, "error", err.Error())
		}
		all = append(slices.Clip(all), own...)
	}
	out := slices.Clip(callers)
	for _, one := range all {
		s := one.Spec()
		taken := slices.ContainsFunc(out, func(c llm.Tool) bool { return c.Function.Name == s.Name })
		if taken || len(out) >= maxTools {
			continue
		}
		if !t.Rights.Decide(s.Name).Allowed {
			t.denied[s.Name] = one
			continue
		}
		t.offered[s.Name] = one
		out = append(out, llm.Tool{Type: "function", Function: llm.ToolFunction{Name: s.Name, Description: s.Description, Parameters: s.Parameters}})
	}
	return out
}

// Runs reports whether a call of this name is the server's to make, or to refuse.
func (t *Turn) Runs(name string) bool { return t.offered[name] != nil || t.denied[name] != nil }

// Offered reports whether the turn has any tool of the server.
func (t *Turn) Offered() bool { return len(t.offered) > 0 }

// Do makes the calls side by side and returns what came of them, in their order. It ends early when ctx does; then some of the results say so.
func (d *Desk) Do(ctx context.Context, t *Turn, calls []llm.ToolCall) []Done {
	out := make([]Done, len(calls))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	before := slices.Clone(t.Taints) // what the calls of one answer read cannot have led to the others
	for i, call := range calls {
		out[i].Call = call
		if i >= maxCalls {
			out[i].Text = "refused: too many calls in one answer"
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			d.one(ctx, t, before, &out[i])
		})
	}
	wg.Wait()
	for _, done := range out {
		t.Read(done.Taints)
	}
	return out
}

// Read notes what strangers wrote that the turn has read.
func (t *Turn) Read(taints []tool.Taint) { t.Taints = Union(t.Taints, taints) }

const maxTaints = 50 // sources that are kept of a turn or a message

// Union is both lists, each source once, the first ones kept where there are too many.
func Union(a, b []tool.Taint) []tool.Taint {
	for _, one := range b {
		if len(a) < maxTaints && !slices.Contains(a, one) {
			a = append(slices.Clip(a), one)
		}
	}
	return a
}

// one makes one call, with its decision, its events and its record. before is what strangers wrote that the turn had read when the model asked for it.
func (d *Desk) one(ctx context.Context, t *Turn, before []tool.Taint, done *Done) {
	which := t.offered[done.Call.Function.Name]
	if which == nil {
		which = t.denied[done.Call.Function.Name]
	}
	if which == nil {
		done.Text = "refused: there is no such tool"
		return
	}
	start, spec := time.Now(), which.Spec()
	c := t.Call
	c.ID, c.Arguments = done.Call.ID, asObject(done.Call.Function.Arguments)
	row := executions.New(c, spec.Name, start)
	defer func() { d.keep(ctx, row) }()
	event := dialect.ToolEvent{ID: c.ID, Name: spec.Name, Source: string(spec.Source)}
	v := d.permit(ctx, t, spec, c, before, event)
	done.Waited = time.Since(start)
	if !v.runs() {
		denied(&row, v, before)
		done.Text = "refused: " + v.why
		event.Status, event.Why = "denied", v.why
		t.tell(event)
		return
	}
	event.Status = "running"
	t.tell(event)
	began := time.Now()
	result, err := tool.Run(ctx, which, c)
	ended(&row, v, result, time.Since(began), err)
	event.Status, event.MS = "done", row.Duration.Milliseconds()
	done.Text, done.Taints = result.Text, result.Taints
	if err != nil {
		event.Status, event.Why = "failed", err.Error()
		var broken *tool.PanicError
		if errors.As(err, &broken) {
			d.Log.Error("panic in a tool", "tool", spec.Name, "run", c.RunID, "panic", fmt.Sprint(broken.Value), "stack", string(broken.Stack))
		}
		done.Text, done.Taints = "failed: "+err.Error(), tainted(spec, result)
	}
	t.tell(event)
}

// tainted is where a failure's words are from: an error of a stranger's server is a stranger's text too.
func tainted(spec tool.Spec, r tool.Result) []tool.Taint {
	if len(r.Taints) == 0 && spec.Taints != "" {
		return []tool.Taint{{Kind: spec.Taints, Source: spec.Name}}
	}
	return r.Taints
}

func (t *Turn) tell(e dialect.ToolEvent) {
	t.told.Lock()
	defer t.told.Unlock()
	t.Tell(e)
}

// asObject makes valid JSON of what a model gave as arguments; what is none is refused by the schema as a text.
func asObject(s string) json.RawMessage {
	if s = strings.TrimSpace(s); s == "" {
		return json.RawMessage("{}")
	}
	if !json.Valid([]byte(s)) {
		b, _ := json.Marshal(s) // texts always marshal
		return b
	}
	return json.RawMessage(s)
}
