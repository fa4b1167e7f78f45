package toolcalls

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tools/approvals"
	"github.com/clawless/clawless/server/tools/executions"
)

// layerTaint is the layer that asks for approvals.
const layerTaint = "taint"

// lookAgain is how often a decision is looked for that another server has taken.
const lookAgain = time.Second

// verdict is what becomes of a call, who says so, and what the model is told when it may not run.
type verdict struct {
	decision executions.Decision
	layer    string
	why      string
}

func (v verdict) runs() bool {
	return v.decision == executions.Allowed || v.decision == executions.Approved
}

// permit decides about a call. before is what strangers wrote that led to it.
func (d *Desk) permit(ctx context.Context, t *Turn, spec tool.Spec, c tool.Call, before []tool.Taint, event dialect.ToolEvent) verdict {
	if r := t.Rights.Decide(spec.Name); !r.Allowed {
		return verdict{executions.Denied, r.Layer, r.Why}
	}
	if spec.Effect == tool.Reads || len(before) == 0 {
		return verdict{decision: executions.Allowed}
	}
	if !t.Ask {
		return verdict{executions.Refused, layerTaint, "this turn has read what strangers wrote (" + sources(before) + "), and nobody can be asked whether " + spec.Name + " may act on it"}
	}
	a, err := d.ask(ctx, t, spec, c, before, event)
	switch {
	case err != nil:
		d.Log.Error("an approval could not be asked for", "run", c.RunID, "tool", spec.Name, "error", err.Error())
		return verdict{executions.Refused, layerTaint, "nobody could be asked whether it may act on what strangers wrote"}
	case a.Covers(spec.Name, c.Arguments):
		return verdict{decision: executions.Approved, layer: layerTaint}
	case a.Status == approvals.Denied:
		return verdict{executions.Refused, layerTaint, "a person said no"}
	}
	return verdict{executions.Expired, layerTaint, "nobody approved it in time"}
}

// sources names where contents are from, for people and models.
func sources(taints []tool.Taint) string {
	const most = 5
	var list []string
	for i, t := range taints {
		if i == most {
			list = append(list, fmt.Sprintf("and %d more", len(taints)-most))
			break
		}
		list = append(list, string(t.Kind)+" "+t.Source)
	}
	return strings.Join(list, ", ")
}

// ask waits for somebody's word about the call, Wait at most.
func (d *Desk) ask(ctx context.Context, t *Turn, spec tool.Spec, c tool.Call, before []tool.Taint, event dialect.ToolEvent) (approvals.Approval, error) {
	a, err := approvals.New(c, spec.Name, before, time.Now(), d.Wait)
	if err != nil {
		return a, err
	}
	wake := d.waiting.enter(a.ID)
	defer d.waiting.leave(a.ID)
	if err := d.DB.Write(ctx, func(q db.Querier) error { return approvals.Ask(ctx, q, a) }); err != nil {
		return a, err
	}
	event.Status, event.ApprovalID, event.Arguments, event.Taint = "waiting", a.ID, tool.Redact(c.Arguments), before
	t.tell(event)
	over := time.NewTimer(d.Wait)
	defer over.Stop()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return d.expire(context.WithoutCancel(ctx), a)
		case <-over.C:
			return d.expire(ctx, a)
		case <-wake:
		case <-tick.C:
		}
		var now approvals.Approval
		err := d.DB.Read(ctx, func(q db.Querier) (err error) {
			now, err = approvals.Get(ctx, q, db.TenantOf(a.TenantID), "", a.RunID, a.ID)
			return err
		})
		if err == nil && now.Status != approvals.Waiting {
			return now, nil
		}
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("an approval could not be looked at", "run", a.RunID, "error", err.Error())
		}
	}
}

// expire ends an approval that nobody gave; one that came at the last moment counts.
func (d *Desk) expire(ctx context.Context, a approvals.Approval) (approvals.Approval, error) {
	ctx, cancel := context.WithTimeout(ctx, recordLimit)
	defer cancel()
	err := d.DB.Write(ctx, func(q db.Querier) (err error) {
		a, err = approvals.Expire(ctx, q, db.TenantOf(a.TenantID), a.RunID, a.ID, time.Now())
		return err
	})
	return a, err
}

// Decided wakes the call that waits for this approval.
func (d *Desk) Decided(id string) { d.waiting.wake(id) }

// waiting are the calls of this server that wait for an approval.
type waiting struct {
	mu    sync.Mutex
	calls map[string]chan struct{}
}

func (w *waiting) enter(id string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls == nil {
		w.calls = map[string]chan struct{}{}
	}
	c := make(chan struct{}, 1)
	w.calls[id] = c
	return c
}

func (w *waiting) leave(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.calls, id)
}

func (w *waiting) wake(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.calls[id]; c != nil {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
