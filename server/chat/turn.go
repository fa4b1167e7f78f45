package chat

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
)

const historyMessages = 400 // read at most for a turn, however long the session is

// errMoved says that the session got a message between reading its history and taking its lane.
var errMoved = errors.New("the session moved on")

// turn starts a turn of a session as a run and returns it once the user's message is durable. The run goes on without its starter.
func (c *Chat) turn(ctx context.Context, r *request) (*runs.Live, error) {
	if c.hub.Draining() {
		return nil, fault.New(fault.ShuttingDown, "the server is shutting down; try again in some seconds")
	}
	if err := fitsSession(r); err != nil {
		return nil, err
	}
	k, err := c.prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	k.sessionID, k.runID = r.sessionID, ids.New(ids.Run)
	wait, cancel := context.WithTimeout(ctx, c.opts.SessionWait)
	defer cancel()
	for {
		err := c.begin(ctx, k, r)
		switch {
		case err == nil:
			return c.start(ctx, k)
		case errors.Is(err, errMoved):
		case fault.Is(err, fault.SessionBusy):
			live := c.hub.Busy(k.tenant.ID, k.sessionID)
			if live == nil || live.Wait(wait) != nil {
				return nil, err // it runs on another server, or too long
			}
		default:
			return nil, err
		}
		if wait.Err() != nil {
			return nil, fault.New(fault.SessionBusy, "another turn of this session is still running; wait for it, or cancel its run").WithRetryAfter(time.Second)
		}
	}
}

// fitsSession refuses what the session keeps by itself.
func fitsSession(r *request) error {
	for _, m := range r.messages {
		if m.Role == "assistant" {
			return fault.New(fault.InvalidRequest, "with session_id send only what is new; the session keeps the assistant's messages itself").WithParam("messages")
		}
	}
	if !slices.ContainsFunc(r.messages, func(m llm.Message) bool { return m.Role == "user" || m.Role == "tool" }) {
		return fault.New(fault.InvalidRequest, "with session_id send at least one user or tool message").WithParam("messages")
	}
	return nil
}

// begin reads the session, decides the model, builds the context, and then takes the session's lane, reserves and stores the new messages in one transaction.
func (c *Chat) begin(ctx context.Context, k *call, r *request) error {
	var s sessions.Session
	var history []sessions.Message
	t := db.TenantOf(k.tenant.ID)
	err := c.db.Read(ctx, func(q db.Querier) (err error) {
		if s, err = sessions.Get(ctx, q, t, k.who.VisitorID, r.sessionID); err != nil {
			return err
		}
		history, err = sessions.Newest(ctx, q, t, s.ID, s.Epoch, s.LastSequence+1, historyMessages)
		return err
	})
	if err != nil {
		return err
	}
	model := r.model
	if model == "" || model == defaultModel {
		model = s.Model
	}
	if k.target, err = c.target(ctx, k.tenant, model); err != nil {
		return err
	}
	c.context(k, s, history, r)
	now := time.Now()
	run := runs.Run{ID: k.runID, TenantID: k.tenant.ID, SessionID: s.ID, KeyID: k.who.KeyID, EndUser: k.who.VisitorID, RequestID: k.requestID, Status: runs.Running,
		Model: k.target.ID, Provider: k.target.Provider.Name(), StartedAt: db.At(now)}
	return c.db.Write(ctx, func(q db.Querier) (err error) {
		if err = runs.Insert(ctx, q, run, c.opts.Node); err != nil {
			return err
		}
		fresh, err := sessions.Get(ctx, q, t, k.who.VisitorID, s.ID)
		if err != nil {
			return err
		}
		if fresh.LastSequence != s.LastSequence || fresh.Epoch != s.Epoch {
			return errMoved
		}
		if k.hold, err = quotas.Reserve(ctx, q, c.budget(k, r.maxTokens), k.runID, now); err != nil {
			return err
		}
		for _, m := range kept(r.messages) {
			msg := sessions.Message{ID: ids.New(ids.Message), SessionID: s.ID, RunID: k.runID, Role: m.Role, Content: m.Content, ToolCallID: m.ToolCallID, Name: m.Name}
			if err = sessions.Append(ctx, q, t, &msg, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// kept are the messages that become part of the session. A system message with a turn is for that turn alone.
func kept(messages []llm.Message) []llm.Message {
	return slices.DeleteFunc(slices.Clone(messages), func(m llm.Message) bool { return m.Role == "system" || m.Role == "developer" })
}

// context builds what the provider is sent: instructions, as much of the newest history as fits, and the new messages.
func (c *Chat) context(k *call, s sessions.Session, newestFirst []sessions.Message, r *request) {
	history := make([]llm.Message, 0, len(newestFirst)+len(r.messages))
	for _, m := range slices.Backward(newestFirst) {
		history = append(history, m.LLM())
	}
	history = append(history, kept(r.messages)...)
	var own []llm.Message
	for _, m := range r.messages {
		if m.Role == "system" || m.Role == "developer" {
			own = append(own, m)
		}
	}
	k.req.Messages = c.system(k.tenant, s.SystemPrompt, append(own, window(history, contextTokens)...))
	k.prompt = estimate(k.req.Messages, k.req.Tools, bytesPerToken)
	k.answer = newAnswer(k.runID, k.target.ID, time.Now())
	k.answer.sessionID, k.answer.runID = s.ID, k.runID
}

// start hands the begun turn to the hub.
func (c *Chat) start(ctx context.Context, k *call) (*runs.Live, error) {
	api.BindRun(ctx, k.runID)
	run := runs.Run{ID: k.runID, TenantID: k.tenant.ID, SessionID: k.sessionID, KeyID: k.who.KeyID, EndUser: k.who.VisitorID, RequestID: k.requestID, Model: k.target.ID}
	live, err := c.hub.Start(ctx, run, func(ctx context.Context, l *runs.Live) { c.execute(ctx, k, l) })
	if err != nil {
		c.record(ctx, k, err)
		return nil, err
	}
	return live, nil
}

// execute is the body of a run: it appends the answer's frames to the log as they come, and its end once everything is durable.
func (c *Chat) execute(ctx context.Context, k *call, l *runs.Live) {
	ctx, done := c.turnContext(ctx)
	defer done()
	var failure error
	func() {
		defer func() {
			if p := recover(); p != nil {
				c.opts.Log.Error("panic in a run", "run", k.runID, "panic", p)
				failure = fault.New(fault.Internal, "internal error; quote the request id to the operator")
			}
		}()
		for chunk, err := range c.metered(ctx, k) {
			if err != nil {
				failure = err
				return
			}
			k.answer.frames(chunk, func(b []byte) { l.Log.Append(runs.Frame, b) })
		}
	}()
	if err := c.record(ctx, k, failure); err != nil && failure == nil {
		failure = err
	}
	if failure != nil {
		l.Log.Fail(failure, api.ErrorJSON(failure, k.requestID))
		return
	}
	l.Log.Append(runs.Usage, k.answer.usageFrame(k.prompt))
	body, err := json.Marshal(k.answer.body(k.prompt))
	if err != nil { // raw logprobs are the only part that could fail, and they were checked
		body = []byte("{}")
	}
	l.Log.Append(runs.Answer, body)
	l.Log.Append(runs.Done, nil)
}

// record stores how the run ended, what it said and what it cost, in one transaction that outlives the caller.
func (c *Chat) record(ctx context.Context, k *call, failure error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	now := time.Now()
	run := runs.Run{ID: k.runID, TenantID: k.tenant.ID, Status: runs.Completed, FinishReason: string(k.answer.finish), FinishedAt: db.At(now)}
	if failure != nil {
		f := fault.From(failure)
		run.Status, run.ErrorCode, run.ErrorMessage, run.FinishReason = runs.Failed, string(f.Code), f.Message, ""
		switch f.Code {
		case fault.RunCancelled:
			run.Status = runs.Cancelled
		case fault.RunInterrupted, fault.ShuttingDown:
			run.Status = runs.Interrupted
		}
	}
	if failure == nil || k.answer.started() {
		run.Usage = k.answer.total(k.prompt)
	}
	t := db.TenantOf(k.tenant.ID)
	err := c.db.Write(ctx, func(q db.Querier) error {
		if m, ok := k.message(failure); ok {
			if err := sessions.Append(ctx, q, t, &m, now); err != nil && !fault.Is(err, fault.NotFound) { // the session may have been deleted under it
				return err
			}
		}
		if err := runs.Finish(ctx, q, run); err != nil {
			return err
		}
		return c.book(ctx, q, k, failure, now)
	})
	if err != nil {
		c.opts.Log.Error("run not recorded", "request_id", k.requestID, "run", k.runID, "tenant", k.tenant.ID, "error", err.Error())
	}
	return err
}

// message is what the assistant said. Of a broken answer the text is kept and half-made tool calls are not.
func (k *call) message(failure error) (sessions.Message, bool) {
	a := k.answer
	m := sessions.Message{ID: ids.New(ids.Message), SessionID: k.sessionID, RunID: k.runID, Role: "assistant", Reasoning: a.reasoning.String(), Model: k.target.ID,
		FinishReason: string(a.finish)}
	u := a.total(k.prompt)
	m.InputTokens, m.OutputTokens = u.Input, u.Output
	text := a.text.String()
	if text == "" {
		text = a.refusal.String()
	}
	if text != "" {
		m.Content = llm.Text(text)
	}
	if failure == nil {
		m.ToolCalls = a.calls
		return m, true
	}
	m.FinishReason = "error"
	if fault.Is(failure, fault.RunCancelled) {
		m.FinishReason = "cancelled"
	}
	return m, text != ""
}
