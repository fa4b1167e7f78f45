package chat

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/window"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/replays"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
)

const (
	historyMessages = 400                    // read at most for a turn, however long the session is
	askAgain        = 100 * time.Millisecond // whether another server's turn of the session is over
)

// errMoved says that the session changed between reading its history and starting the turn.
var errMoved = errors.New("the session moved on")

func busy() error {
	return fault.New(fault.SessionBusy, "another turn of this session is still running; wait for it, or cancel its run").WithRetryAfter(time.Second)
}

// fitsSession refuses what the session keeps by itself.
func fitsSession(r *dialect.Request) error {
	for _, m := range r.Messages {
		if m.Role == "assistant" {
			return fault.New(fault.InvalidRequest, "with session_id send only what is new; the session keeps the assistant's messages itself").WithParam("messages")
		}
	}
	if !slices.ContainsFunc(r.Messages, func(m llm.Message) bool { return m.Role == "user" || m.Role == "tool" }) {
		return fault.New(fault.InvalidRequest, "with session_id send at least one user or tool message").WithParam("messages")
	}
	return nil
}

// take starts the turn in the database. wait ends with the patience for a turn that another server runs.
func (c *Chat) take(ctx, wait context.Context, k *call, r *dialect.Request) error {
	for {
		if c.hub.Draining() {
			return shuttingDown()
		}
		err := c.begin(ctx, k, r)
		switch {
		case fault.Is(err, fault.SessionBusy):
			again := time.NewTimer(askAgain)
			select {
			case <-again.C:
			case <-wait.Done():
				again.Stop()
				return err
			}
		case !errors.Is(err, errMoved):
			return err
		case wait.Err() != nil:
			return busy()
		}
	}
}

// begin reads the session, decides the model, builds the context, and then takes the session's lane, reserves and stores the new messages in one transaction.
func (c *Chat) begin(ctx context.Context, k *call, r *dialect.Request) error {
	s, past, err := c.recall(ctx, k)
	if err != nil {
		return err
	}
	added := kept(r.Messages)
	if err := window.Check(past.messages, added); err != nil {
		return err
	}
	turn, instructions := c.planned(k, r, s, past)
	p, err := c.planner.Plan(ctx, turn)
	if err != nil {
		return err
	}
	k.Decide(p)
	k.Req.CachePrompt = true
	history := past.messages
	m := memory{instructions: instructions, history: append(history, added...)}
	m.room = c.room(ctx, k, dialect.Prompt(m.instructions, r.Tools), r.MaxTokens)
	k.remember(m)
	if err := k.ready(); err != nil {
		return err
	}
	now := time.Now()
	k.Answer = dialect.NewAnswer(k.RunID, k.Target.ID, now)
	k.Answer.SessionID, k.Answer.RunID, k.Answer.Limit = s.ID, k.RunID, r.MaxTokens
	return c.db.Write(ctx, func(q db.Querier) error { return c.insert(ctx, q, k, r, s, added, now) })
}

// past is what a session has so far.
type past struct {
	messages []llm.Message // the newest, oldest first
	model    string        // that gave its last answer; empty when none did
	idle     time.Duration // since its last message
}

// recall reads the session and the newest of its messages.
func (c *Chat) recall(ctx context.Context, k *call) (s sessions.Session, p past, err error) {
	t := db.TenantOf(k.Tenant.ID)
	err = c.db.Read(ctx, func(q db.Querier) error {
		if s, err = sessions.Get(ctx, q, t, k.Who.VisitorID, k.SessionID); err != nil {
			return err
		}
		newest, err := sessions.Newest(ctx, q, t, s.ID, s.Epoch, s.LastSequence+1, historyMessages)
		p = past{messages: make([]llm.Message, 0, len(newest)+4)}
		for i, m := range slices.Backward(newest) {
			p.messages = append(p.messages, m.LLM())
			if m.Role == "assistant" {
				p.model = m.Model
			}
			if i == 0 {
				p.idle = max(0, time.Since(m.CreatedAt.Time))
			}
		}
		return err
	})
	return s, p, err
}

// insert is the transaction that begins a turn: all of it happens, or nothing.
func (c *Chat) insert(ctx context.Context, q db.Querier, k *call, r *dialect.Request, s sessions.Session, added []llm.Message, now time.Time) (err error) {
	t := db.TenantOf(k.Tenant.ID)
	run := runs.Run{ID: k.RunID, TenantID: k.Tenant.ID, SessionID: s.ID, KeyID: k.Who.KeyID, EndUser: k.Who.VisitorID, RequestID: k.RequestID, Status: runs.Running,
		Model: k.Target.ID, Provider: k.Target.Provider.Name(), StartedAt: db.At(now)}
	if err = runs.Insert(ctx, q, run, c.opts.Node); err != nil {
		return err
	}
	fresh, err := sessions.Get(ctx, q, t, k.Who.VisitorID, s.ID) // after the lane is taken: on Postgres that may have waited for the end of another turn
	if err != nil {
		return err
	}
	if fresh.LastSequence != s.LastSequence || fresh.Epoch != s.Epoch {
		return errMoved
	}
	if k.Hold, err = quotas.Reserve(ctx, q, k.Budget(r.MaxTokens), now); err != nil {
		return err
	}
	for _, m := range added {
		msg := sessions.Message{ID: ids.New(ids.Message), SessionID: s.ID, RunID: k.RunID, Role: m.Role, Content: m.Content, ToolCallID: m.ToolCallID, Name: m.Name}
		if err = sessions.Append(ctx, q, t, &msg, now); err != nil {
			return err
		}
	}
	c.planner.Note(k.Tenant.ID, k.Plan)
	if claim, ok := api.ClaimOf(ctx); ok {
		return replays.Bind(ctx, q, claim, k.RunID)
	}
	return nil
}

// isKept reports whether a message becomes part of the session. A system message with a turn is for that turn alone.
func isKept(m llm.Message) bool { return m.Role != "system" && m.Role != "developer" }

func kept(messages []llm.Message) []llm.Message {
	return slices.DeleteFunc(slices.Clone(messages), func(m llm.Message) bool { return !isKept(m) })
}
