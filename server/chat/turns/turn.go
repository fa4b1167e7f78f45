package turns

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/chat/admit"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
)

// Start starts a turn of a session as a run and returns it once the user's message is durable. The run goes on without its starter.
func (c *Turns) Start(ctx context.Context, r *dialect.Request) (*runs.Live, error) {
	return c.begun(ctx, r, nil)
}

// begun starts a turn; sent is nil for one that a person started.
func (c *Turns) begun(ctx context.Context, r *dialect.Request, sent *sending) (*runs.Live, error) {
	if err := admit.FitsSession(r); err != nil {
		return nil, err
	}
	admitted, err := c.Prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	k := &call{Call: admitted, sent: sent}
	k.SessionID, k.RunID = r.SessionID, ids.New(ids.Run)
	// Whose session it is comes before waiting for it: a stranger must not learn from the wait that there is one.
	err = c.DB.Read(ctx, func(q db.Querier) error {
		_, err := sessions.Get(ctx, q, db.TenantOf(k.Tenant.ID), k.Who.VisitorID, k.SessionID)
		return err
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if !c.Admit(k.Call, stop) { // while it waits it can be stopped like a call, and then like a run
		return nil, admit.ShuttingDown()
	}
	defer c.Leave(k.Call)
	live, err := c.queue(ctx, k, r)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, fault.From(cause)
	}
	return live, err
}

// queue waits for the turn's place in its session and starts it.
func (c *Turns) queue(ctx context.Context, k *call, r *dialect.Request) (*runs.Live, error) {
	wait, cancel := context.WithTimeout(ctx, c.SessionWait)
	defer cancel()
	leave, err := c.lanes.Enter(wait, lane(k.Tenant.ID, k.SessionID))
	if err != nil {
		return nil, busy()
	}
	if err := c.take(ctx, wait, k, r); err != nil {
		leave()
		return nil, err
	}
	api.Bound(ctx)
	return c.start(ctx, k, leave)
}

// start hands the begun turn to the hub. Whatever becomes of it, leave is called.
func (c *Turns) start(ctx context.Context, k *call, leave func()) (*runs.Live, error) {
	run := runs.Run{ID: k.RunID, TenantID: k.Tenant.ID, SessionID: k.SessionID, KeyID: k.Who.KeyID, EndUser: k.Who.VisitorID, RequestID: k.RequestID, Model: k.Target.ID, StartedAt: db.At(k.started)}
	live, err := c.Hub.Start(ctx, run, func(ctx context.Context, l *runs.Live) {
		defer leave()
		c.execute(ctx, k, l)
	})
	if err != nil {
		_ = c.record(ctx, k, err)
		leave()
		return nil, err
	}
	return live, nil
}

// execute is the body of a run: it appends the answer's frames to the log as they come, and its end once everything is durable.
func (c *Turns) execute(ctx context.Context, k *call, l *runs.Live) {
	ctx, stop := c.Engine.TurnContext(ctx)
	defer stop(nil)
	c.spawned.enter(k)
	defer c.spawned.leave(k)
	failure := c.loop(ctx, k, l)
	if err := c.record(ctx, k, failure); err != nil && failure == nil {
		failure = err
	}
	if k.sent != nil {
		spent := k.Spent()
		k.sent.spent.Store(&spent)
	}
	if failure != nil {
		l.Log.Fail(failure, api.ErrorJSON(failure, k.RequestID))
		return
	}
	fill(l.Log, k.turn, k.turn.Usage.Input)
	c.after(ctx, k)
}

// fill appends what ends the log of a complete answer.
func fill(log *runs.Log, a *dialect.Answer, input int64) {
	log.Append(runs.Usage, a.UsageFrame(input))
	body, err := json.Marshal(a.Body(input))
	if err != nil { // raw logprobs are the only part that could fail, and they were checked
		body = []byte("{}")
	}
	log.Append(runs.Answer, body)
	log.Append(runs.Done, nil)
}

// record stores how the run ended, what it said and what it cost, in one transaction that outlives the caller.
func (c *Turns) record(ctx context.Context, k *call, failure error) error {
	now := time.Now()
	run := runs.Run{ID: k.RunID, TenantID: k.Tenant.ID, Status: runs.Completed, Model: k.Target.ID, Provider: k.Target.Provider.Name(), FinishReason: string(k.Answer.Finish),
		Steps: k.Steps(), FinishedAt: db.At(now)}
	if failure == nil || k.Costs(failure) { // the tenant is told all, also of an answer that its visitor or nobody saw the end of
		run.Receipt, _ = json.Marshal(k.turn.ReceiptOf(k.receipt(c.Engine.Receipt(k.Call)))) // texts and numbers always marshal
	}
	if failure != nil {
		f := fault.From(failure)
		run.Status, run.FinishReason = ended(f)
		run.ErrorCode, run.ErrorMessage = string(f.Code), storable(f.Message)
	}
	run.Usage = k.Billed(failure)
	said, spoke := k.message(failure)
	t := db.TenantOf(k.Tenant.ID)
	var left sessions.Session
	err := c.Engine.MustWrite(ctx, "run", k.Call, func(ctx context.Context, q db.Querier) error {
		if spoke && !k.said {
			if err := sessions.Append(ctx, q, t, &said, now); err != nil && !fault.Is(err, fault.NotFound) { // the session may have been deleted under it
				return err
			}
		}
		if err := runs.Finish(ctx, q, run); err != nil {
			return err
		}
		var err error
		if left, err = sessions.Get(ctx, q, t, "", k.SessionID); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		return c.Engine.Book(ctx, q, k.Call, failure, now)
	})
	if err != nil || failure != nil {
		c.ForgetSession(k.Tenant.ID, k.SessionID)
	}
	if err == nil && failure == nil {
		if !k.said {
			k.memory.history = append(k.memory.history, remembered(said))
		}
		c.warm(k, left)
		k.close(k.receipt(c.Engine.Paper(k.Call)))
	}
	return err
}

// receipt adds to an answer's receipt what only the turn knows: how its context came about.
func (k *call) receipt(r dialect.Receipt) dialect.Receipt {
	r.Trimmed, r.Summarised = k.built.Trimmed, k.built.Summarised
	return r
}

// ended is the state of a run that failed, which has no finish reason.
func ended(f *fault.Error) (status runs.Status, finish string) {
	switch {
	case engine.Stopped(f):
		return runs.Cancelled, ""
	case f.Code == fault.RunInterrupted, f.Code == fault.ShuttingDown:
		return runs.Interrupted, ""
	}
	return runs.Failed, ""
}

// storable takes out of a provider's words what no database keeps.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// message is what the assistant said. Of a broken answer the text is kept and half-made tool calls are not.
func (k *call) message(failure error) (m sessions.Message, spoke bool) {
	u := k.Usage()
	m = sessions.Message{ID: ids.New(ids.Message), SessionID: k.SessionID, RunID: k.RunID, Role: "assistant", Reasoning: storable(k.Answer.Reasoning()), Model: k.Target.ID,
		FinishReason: string(k.Answer.Finish), InputTokens: u.Input, OutputTokens: u.Output, Taint: k.tools.Taints}
	text := k.Answer.Text()
	if text != "" {
		m.Content = llm.Text(text)
	}
	if failure == nil {
		m.ToolCalls = k.Answer.Calls()
		return m, true
	}
	m.FinishReason = "error"
	if engine.Stopped(failure) {
		m.FinishReason = "cancelled"
	}
	return m, text != ""
}
