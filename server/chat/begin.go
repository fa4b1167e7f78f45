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
	s, history, err := c.recall(ctx, k)
	if err != nil {
		return err
	}
	model := r.Model
	if model == "" || model == defaultModel {
		model = s.Model
	}
	if k.target, err = c.target(ctx, k.tenant, model); err != nil {
		return err
	}
	added := kept(r.Messages)
	if err := window.Check(history, added); err != nil {
		return err
	}
	own := slices.DeleteFunc(slices.Clone(r.Messages), isKept)
	m := memory{instructions: c.system(k.tenant, s.SystemPrompt, own), history: append(history, added...)}
	m.room = c.room(ctx, k, dialect.Prompt(m.instructions, r.Tools), r.MaxTokens)
	k.remember(m)
	now := time.Now()
	k.answer = dialect.NewAnswer(k.runID, k.target.ID, now)
	k.answer.SessionID, k.answer.RunID, k.answer.Limit = s.ID, k.runID, r.MaxTokens
	return c.db.Write(ctx, func(q db.Querier) error { return c.insert(ctx, q, k, r, s, added, now) })
}

// recall reads the session and the newest of its messages, oldest first.
func (c *Chat) recall(ctx context.Context, k *call) (s sessions.Session, history []llm.Message, err error) {
	t := db.TenantOf(k.tenant.ID)
	err = c.db.Read(ctx, func(q db.Querier) error {
		if s, err = sessions.Get(ctx, q, t, k.who.VisitorID, k.sessionID); err != nil {
			return err
		}
		newest, err := sessions.Newest(ctx, q, t, s.ID, s.Epoch, s.LastSequence+1, historyMessages)
		history = make([]llm.Message, 0, len(newest)+4)
		for _, m := range slices.Backward(newest) {
			history = append(history, m.LLM())
		}
		return err
	})
	return s, history, err
}

// insert is the transaction that begins a turn: all of it happens, or nothing.
func (c *Chat) insert(ctx context.Context, q db.Querier, k *call, r *dialect.Request, s sessions.Session, added []llm.Message, now time.Time) (err error) {
	t := db.TenantOf(k.tenant.ID)
	run := runs.Run{ID: k.runID, TenantID: k.tenant.ID, SessionID: s.ID, KeyID: k.who.KeyID, EndUser: k.who.VisitorID, RequestID: k.requestID, Status: runs.Running,
		Model: k.target.ID, Provider: k.target.Provider.Name(), StartedAt: db.At(now)}
	if err = runs.Insert(ctx, q, run, c.opts.Node); err != nil {
		return err
	}
	fresh, err := sessions.Get(ctx, q, t, k.who.VisitorID, s.ID) // after the lane is taken: on Postgres that may have waited for the end of another turn
	if err != nil {
		return err
	}
	if fresh.LastSequence != s.LastSequence || fresh.Epoch != s.Epoch {
		return errMoved
	}
	if k.hold, err = quotas.Reserve(ctx, q, c.budget(k, r.MaxTokens), now); err != nil {
		return err
	}
	for _, m := range added {
		msg := sessions.Message{ID: ids.New(ids.Message), SessionID: s.ID, RunID: k.runID, Role: m.Role, Content: m.Content, ToolCallID: m.ToolCallID, Name: m.Name}
		if err = sessions.Append(ctx, q, t, &msg, now); err != nil {
			return err
		}
	}
	if claim, ok := api.ClaimOf(ctx); ok {
		return replays.Bind(ctx, q, claim, k.runID)
	}
	return nil
}

// isKept reports whether a message becomes part of the session. A system message with a turn is for that turn alone.
func isKept(m llm.Message) bool { return m.Role != "system" && m.Role != "developer" }

func kept(messages []llm.Message) []llm.Message {
	return slices.DeleteFunc(slices.Clone(messages), func(m llm.Message) bool { return !isKept(m) })
}
