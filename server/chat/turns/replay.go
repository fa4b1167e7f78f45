package turns

import (
	"context"
	"encoding/json"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
)

// Attach finds the run that an earlier request with the same Idempotency-Key started; nil when there is none. A run whose events are gone is made again of what the
// session keeps.
func (c *Turns) Attach(ctx context.Context) (*runs.Live, error) {
	id := api.AttachedRun(ctx)
	if id == "" {
		return nil, nil
	}
	p := auth.From(ctx)
	if live, ok := c.Hub.Get(p.TenantID, p.VisitorID, id); ok {
		return live, nil
	}
	var run runs.Run
	var said []sessions.Message
	err := c.DB.Read(ctx, func(q db.Querier) (err error) {
		t := db.TenantOf(p.TenantID)
		if run, err = runs.Get(ctx, q, t, p.VisitorID, id); err != nil {
			return err
		}
		said, err = sessions.OfRun(ctx, q, t, run.SessionID, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	switch run.Status {
	case runs.Running:
		if live, err := c.Hub.Find(ctx, run); err == nil {
			return live, nil
		}
		return nil, fault.New(fault.IdempotencyInFlight, "the first request with this Idempotency-Key is the run %s, which another server is answering; repeat this one in a moment", id)
	case runs.Completed:
		hidden := p.Kind == auth.Visitor && !c.visitorsSee(ctx, p.TenantID)
		return runs.Over(run, func(log *runs.Log) { retell(log, run, said, hidden, p.Kind == auth.Visitor) }), nil
	}
	return nil, fault.New(fault.Code(run.ErrorCode), "%s", run.ErrorMessage)
}

// retell fills the log of a completed run from its messages. The pieces are larger than they were; what they say is the same.
func retell(log *runs.Log, run runs.Run, said []sessions.Message, hidden, visitor bool) {
	a := dialect.NewAnswer(run.ID, run.Model, run.StartedAt.Time)
	var paper dialect.Receipt
	a.Hidden = hidden
	if !visitor && json.Unmarshal(run.Receipt, &paper) == nil { // one that was made before there were receipts has none
		a.Paper, a.Dropped = paper, paper.Dropped
	}
	a.SessionID, a.RunID = run.SessionID, run.ID
	done := map[string]bool{} // calls that were made here
	for _, m := range said {
		done[m.ToolCallID] = m.Role == "tool"
	}
	v := call{turn: a, voice: voice{log: log}}
	for _, m := range said {
		if m.Role != "assistant" {
			continue
		}
		chunk := llm.Chunk{Text: llm.TextOf(m.Content), Reasoning: m.Reasoning}
		for _, made := range m.ToolCalls {
			if !done[made.ID] {
				chunk.ToolCalls = append(chunk.ToolCalls, llm.ToolCallDelta{Index: v.voice.theirs, ID: made.ID, Name: made.Function.Name, Arguments: made.Function.Arguments})
				v.voice.theirs++
			}
		}
		v.show(chunk)
		v.voice.fresh = true
	}
	usage := run.Usage
	end := llm.Chunk{FinishReason: llm.FinishReason(run.FinishReason), Usage: &usage}
	a.Add(end)
	a.Frames(end, v.frame)
	fill(log, a, usage.Input)
}

// visitorsSee reports whether a tenant's visitors may read what its models thought.
func (c *Turns) visitorsSee(ctx context.Context, tenantID string) bool {
	t, err := c.Tenant(ctx, tenantID)
	return err == nil && t.Settings.ThinkingInWidget
}
