package turns

import (
	"context"
	"slices"
	"time"

	"github.com/clawless/clawless/server/chat/aside"
	"github.com/clawless/clawless/server/chat/toolcalls"
	"github.com/clawless/clawless/server/chat/window"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/tokens"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tenants"
	"github.com/clawless/clawless/server/tool"
)

const (
	contextTokens = 100_000                // of a context, at most, where nobody knows the model's window
	smallestRoom  = 512                    // tokens of a window below which cutting helps no more
	listPatience  = 200 * time.Millisecond // for the size of a model's window, which only saves a refusal
	summaryTokens = 1024
	summaryWait   = 60 * time.Second
)

// memory is what a turn can be given: its instructions, the summary of what is no longer shown, and the history with the new messages, oldest first.
type memory struct {
	instructions []llm.Message
	summary      sessions.Summary
	history      []window.Message
	fresh        int   // how many of the history were there before the turn
	window       int64 // tokens that the model takes, answer included
	answer       int64 // tokens of it that the answer is given
}

// built is what the model is shown.
type built struct {
	window.Built
	Summarised int // messages for which the summary stands
}

// window is how many tokens the model takes.
func (c *Turns) window(ctx context.Context, k *call) int64 {
	if size := k.Target.Info.ContextWindow; size > 0 {
		return size
	}
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	list := c.Models.Models(ctx)
	i := slices.IndexFunc(list, func(m llm.Model) bool { return m.ID == k.Target.ID })
	if i < 0 || list[i].ContextWindow <= 0 {
		return contextTokens
	}
	return int64(list[i].ContextWindow)
}

// rebuild makes the context anew of what the turn remembers.
func (k *call) rebuild() {
	m := &k.memory
	by := tokens.For(k.Target.Provider.Name(), k.Target.Model)
	m.history = slices.Clone(m.history) // it may be kept for the next turn, whose reader must not see it change
	window.Weigh(m.history, by)
	k.built = built{Summarised: int(m.summary.Messages), Built: window.Build(window.Input{Instructions: m.instructions, Summary: m.summary.Content, History: m.history[:m.fresh],
		New: m.history[m.fresh:], Tools: k.Req.Tools, Window: m.window, Answer: m.answer, Count: by,
		NoImages: k.Target.Known && !k.Target.Info.Vision})}
	k.tools.Read(k.built.Taint)
	k.tools.Read(m.summary.Taint)
}

// shrink takes the window for half of what it was said to be, for a model that refused it. It reports false when there is nothing left to cut.
func (k *call) shrink() bool {
	before := k.built.Tokens
	for m := &k.memory; m.window/2 >= smallestRoom; {
		m.window /= 2
		m.answer = min(m.answer, m.window/4)
		k.rebuild()
		if k.built.Tokens < before {
			k.Send(k.built.Messages)
			return true
		}
	}
	return false
}

// ready summarises what has no room in the model's window, and what a new epoch carries over, before the model is asked. A summary that cannot be had leaves the oldest
// messages out: the answer's receipt says how many.
func (c *Turns) ready(ctx context.Context, k *call) error {
	if k.Tenant.Settings.SummaryModel == tenants.Off {
		return nil
	}
	work, taint := k.built.Compact, k.memory.summary.Taint
	if k.carried != nil {
		work, taint = k.carried, k.carriedTaint
	}
	if work == nil {
		return nil
	}
	s, err := c.summarise(ctx, k, work, taint)
	if err != nil {
		if ctx.Err() != nil {
			return fault.From(context.Cause(ctx))
		}
		c.Log.Warn("no summary of older messages", "run", k.RunID, "request_id", k.RequestID, "error", err.Error())
		return nil
	}
	k.memory.forget(s)
	k.rebuild()
	return c.Engine.Resend(ctx, k.Call, k.built.Messages)
}

// forget lets the summary stand for the messages up to its end.
func (m *memory) forget(s sessions.Summary) {
	m.summary = s
	n := 0
	for n < m.fresh && m.history[n].Sequence <= s.UpTo {
		n++
	}
	m.history, m.fresh = m.history[n:], m.fresh-n
}

// summarise asks a cheap model for a summary and stores it beside the messages, which stay.
func (c *Turns) summarise(ctx context.Context, k *call, work *window.Compaction, before []tool.Taint) (s sessions.Summary, err error) {
	ctx, cancel := context.WithTimeout(ctx, summaryWait)
	defer cancel()
	id := k.RequestID + "/summary"
	said, err := c.aside.Ask(ctx, aside.Question{Tenant: k.Tenant, Who: k.Who, RequestID: id, RunID: k.RunID, SessionID: k.SessionID, User: k.User, Model: k.Tenant.Settings.SummaryModel,
		Messages: work.Prompt, MaxTokens: summaryTokens})
	k.Beside(said.Spent)
	if err != nil {
		return s, err
	}
	from := work.From
	if k.carried == nil && k.memory.summary.UpTo > 0 {
		from = k.memory.summary.UpTo + 1 // what the one before stands for is in it
	}
	s = sessions.Summary{ID: ids.New(ids.Summary), SessionID: k.SessionID, Epoch: k.asked.Epoch, FromSequence: from, UpTo: work.UpTo, Messages: int64(work.Count), Content: said.Text,
		Taint: toolcalls.Union(slices.Clone(before), work.Taint), Model: said.Model, RunID: k.RunID, RequestID: id, InputTokens: said.Usage.Input, OutputTokens: said.Usage.Output,
		CostMicros: said.Spent.Micros, CreatedAt: db.At(time.Now())}
	if k.carried != nil {
		s.FromSequence, s.UpTo = 0, 0
	}
	err = c.DB.Write(ctx, func(q db.Querier) error { return sessions.AddSummary(ctx, q, db.TenantOf(k.Tenant.ID), &s, time.Now()) })
	return s, err
}
