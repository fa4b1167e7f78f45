package turns

import (
	"context"
	"slices"
	"time"

	"github.com/clawless/clawless/server/chat/admit"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/chat/window"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
)

// historyMessages are read at most for a turn, however long the session is.
const historyMessages = 400

// past is what a session has so far: the branch that is continued, after the summary that holds.
type past struct {
	session  sessions.Session
	version  int64 // of the session when it was read
	summary  sessions.Summary
	messages []window.Message // oldest first
	model    string           // that gave the last answer; empty when none did
	last     time.Time        // of the newest message; zero when there is none
}

// idle is how long ago the newest message was.
func (p past) idle() time.Duration {
	if p.last.IsZero() {
		return 0
	}
	return max(0, time.Since(p.last))
}

func (p past) llm() []llm.Message {
	out := make([]llm.Message, len(p.messages))
	for i, m := range p.messages {
		out[i] = m.Message
	}
	return out
}

// remembered is a stored message as the window takes it.
func remembered(m sessions.Message) window.Message {
	return window.Message{Message: m.LLM(), Sequence: m.Sequence, Run: m.RunID, Taint: m.Taint}
}

// recall reads the session, the summary that holds and the newest messages after it. What it takes from the cache is held against the session's version when the turn begins.
func (c *Turns) recall(ctx context.Context, k *call) (past, error) {
	if p, ok := c.known(k); ok {
		return p, nil
	}
	var p past
	t := db.TenantOf(k.Tenant.ID)
	err := c.DB.Read(ctx, func(q db.Querier) (err error) {
		if p.session, err = sessions.Get(ctx, q, t, k.Who.VisitorID, k.SessionID); err != nil {
			return err
		}
		p.version = p.session.Version
		if p.summary, _, err = sessions.HoldingSummary(ctx, q, t, p.session); err != nil {
			return err
		}
		newest, err := sessions.Newest(ctx, q, t, p.session.ID, p.session.Epoch, p.session.LastSequence+1, historyMessages, p.summary.UpTo)
		if err != nil {
			return err
		}
		p.take(newest)
		return nil
	})
	return p, err
}

// take fills in the messages, which come newest first.
func (p *past) take(newest []sessions.Message) {
	p.messages = make([]window.Message, 0, len(newest)+8)
	for i, m := range slices.Backward(newest) {
		p.messages = append(p.messages, remembered(m))
		if m.Role == "assistant" {
			p.model = m.Model
		}
		if i == 0 {
			p.last = m.CreatedAt.Time
		}
	}
}

// Foresee is a session's turn as it would be planned now. Nothing is changed.
func (c *Turns) Foresee(ctx context.Context, admitted *engine.Call, r *dialect.Request) (plan.Turn, error) {
	k := &call{Call: admitted}
	p, err := c.recall(ctx, k)
	if err != nil {
		return plan.Turn{}, err
	}
	if _, err := c.place(ctx, k, r, &p); err != nil {
		return plan.Turn{}, err
	}
	c.offer(ctx, k, r, p.session)
	t, _ := c.planned(k, r, p)
	return t, nil
}

// planned is the turn as the planner sees it, and the instructions that go before its history.
func (c *Turns) planned(k *call, r *dialect.Request, p past) (plan.Turn, []llm.Message) {
	instructions := c.System(k.Tenant, p.session.SystemPrompt, nil)
	for _, m := range r.Messages {
		if !admit.IsKept(m) {
			instructions = append(instructions, m)
		}
	}
	messages := slices.Concat(p.llm(), admit.Kept(r.Messages))
	input := dialect.Prompt(slices.Concat(instructions, admit.Kept(r.Messages)), k.Req.Tools)
	asked := *r
	asked.Tools = k.Req.Tools // a model that cannot call tools is no use where the server has some for it
	return plan.Turn{Tenant: k.Tenant, Request: &asked, Model: p.session.Model, Thinking: p.session.Thinking, Last: p.model, Idle: p.idle(), Messages: messages, Input: input.Tokens()}, instructions
}

// place is where in the session a turn goes on, when that is not simply its end.
type place struct {
	rewind bool
	to     int64  // the sequence after which messages leave the branch
	epoch  string // why a new epoch begins; empty when none does
}

// apply changes the session so that what is appended next stands at the place.
func (at place) apply(ctx context.Context, q db.Querier, t db.Tenant, session string, now time.Time) error {
	if at.epoch != "" {
		if _, err := sessions.Reset(ctx, q, t, "", session, at.epoch, "", now); err != nil {
			return err
		}
	}
	if at.rewind {
		_, err := sessions.Rewind(ctx, q, t, session, at.to, now)
		return err
	}
	return nil
}

// place finds where the turn goes on and cuts what is remembered to that.
func (c *Turns) place(ctx context.Context, k *call, r *dialect.Request, p *past) (place, error) {
	switch {
	case r.Regenerate != "":
		m, err := c.find(ctx, k, p, r.Regenerate, "regenerate")
		if err != nil {
			return place{}, err
		}
		to := p.question(m.Sequence)
		if to == 0 {
			return place{}, fault.New(fault.InvalidRequest, "there is no user message before it that is still in the model's context; nothing can be answered again").WithParam("regenerate")
		}
		p.cut(to)
		return place{rewind: true, to: to}, nil
	case r.Edit != "":
		m, err := c.find(ctx, k, p, r.Edit, "edit")
		if err != nil {
			return place{}, err
		}
		if m.Role != "user" {
			return place{}, fault.New(fault.InvalidRequest, "only a user's message can be edited").WithParam("edit")
		}
		p.cut(m.Parent)
		return place{rewind: true, to: m.Parent}, nil
	case len(p.messages) > 0 || p.summary.ID != "":
		if reason := k.Tenant.Settings.ResetDue(p.last, time.Now()); reason != "" {
			return c.restart(k, p, reason), nil
		}
	}
	return place{}, nil
}

// find reads a message of the branch that is continued.
func (c *Turns) find(ctx context.Context, k *call, p *past, id, field string) (m sessions.Message, err error) {
	err = c.DB.Read(ctx, func(q db.Querier) error {
		m, err = sessions.Find(ctx, q, db.TenantOf(k.Tenant.ID), k.Who.VisitorID, k.SessionID, id)
		return err
	})
	switch {
	case fault.Is(err, fault.NotFound):
		return m, fault.Wrap(err, fault.NotFound, "no such message in this session").WithParam(field)
	case err != nil:
		return m, err
	case m.Epoch != p.session.Epoch || !m.Active:
		return m, fault.New(fault.Conflict, "the message is not in the branch that is continued; select it first with POST /v1/sessions/%s/messages/%s/select", k.SessionID, id).WithParam(field)
	case m.Sequence <= p.summary.UpTo: // what the summary stands for is read again
		return m, c.reread(ctx, k, p, m.Sequence)
	}
	return m, nil
}

// reread takes what is remembered from the messages themselves, up to a sequence.
func (c *Turns) reread(ctx context.Context, k *call, p *past, to int64) error {
	p.summary = sessions.Summary{}
	return c.DB.Read(ctx, func(q db.Querier) error {
		newest, err := sessions.Newest(ctx, q, db.TenantOf(k.Tenant.ID), p.session.ID, p.session.Epoch, to+1, historyMessages, 0)
		if err == nil {
			p.take(newest)
		}
		return err
	})
}

// question is the newest user message at or before a sequence; 0 when none is remembered.
func (p *past) question(at int64) int64 {
	for _, m := range slices.Backward(p.messages) {
		if m.Sequence <= at && m.Role == "user" {
			return m.Sequence
		}
	}
	return 0
}

// cut leaves only the messages up to a sequence.
func (p *past) cut(to int64) {
	p.messages = slices.Clip(slices.DeleteFunc(slices.Clone(p.messages), func(m window.Message) bool { return m.Sequence > to }))
}
