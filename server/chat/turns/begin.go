package turns

import (
	"context"
	"errors"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/admit"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/peers"
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

// askAgain is how often it is asked whether another server's turn of the session is over.
const askAgain = 100 * time.Millisecond

// errMoved says that the session changed between reading its history and starting the turn.
var errMoved = errors.New("the session moved on")

func busy() error {
	return fault.New(fault.SessionBusy, "another turn of this session is still running; wait for it, or cancel its run").WithRetryAfter(time.Second)
}

// take starts the turn in the database. wait ends with the patience for a turn that another server runs.
func (c *Turns) take(ctx, wait context.Context, k *call, r *dialect.Request) error {
	for {
		if c.Hub.Draining() {
			return admit.ShuttingDown()
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
func (c *Turns) begin(ctx context.Context, k *call, r *dialect.Request) error {
	p, err := c.recall(ctx, k)
	if err != nil {
		return err
	}
	at, err := c.place(ctx, k, r, &p)
	if err != nil {
		return err
	}
	added := admit.Kept(r.Messages)
	if err := window.Check(p.llm(), added); err != nil {
		return err
	}
	c.offer(ctx, k, r, p.session)
	turn, instructions := c.planned(k, r, p)
	choice, err := c.Planner.Plan(ctx, turn)
	if err != nil {
		return err
	}
	k.Decide(choice)
	k.Req.CachePrompt = true
	k.session = p.session
	k.memory = memory{instructions: instructions, summary: p.summary, history: append(p.messages, k.fresh(added)...), fresh: len(p.messages), answer: r.MaxTokens}
	k.memory.window = c.window(ctx, k)
	k.rebuild()
	k.Send(k.built.Messages)
	if err := admit.Ready(k.Call); err != nil {
		return err
	}
	now := time.Now()
	k.started = now
	k.Answer = dialect.NewAnswer(k.RunID, k.Target.ID, now)
	k.Answer.Limit = r.MaxTokens
	k.turn = dialect.NewAnswer(k.RunID, k.Target.ID, now)
	k.turn.SessionID, k.turn.RunID = p.session.ID, k.RunID
	k.turn.Hidden = k.Who.Kind == auth.Visitor && !k.Tenant.Settings.ThinkingInWidget
	var stored []sessions.Message
	err = c.DB.Write(ctx, func(q db.Querier) (err error) {
		stored, err = c.insert(ctx, q, k, r, p, at, added, now)
		return err
	})
	for i, m := range stored {
		k.memory.history[k.memory.fresh+i], k.asked = remembered(m), m
	}
	return err
}

// insert is the transaction that begins a turn: all of it happens, or nothing.
func (c *Turns) insert(ctx context.Context, q db.Querier, k *call, r *dialect.Request, p past, at place, added []llm.Message, now time.Time) (stored []sessions.Message, err error) {
	t, s := db.TenantOf(k.Tenant.ID), p.session
	run := runs.Run{ID: k.RunID, TenantID: k.Tenant.ID, SessionID: s.ID, KeyID: k.Who.KeyID, EndUser: k.Who.VisitorID, RequestID: k.RequestID, Status: runs.Running,
		Model: k.Target.ID, Provider: k.Target.Provider.Name(), StartedAt: db.At(now)}
	if k.sent != nil {
		run.ParentRunID, run.Hops = k.sent.from.RunID, k.sent.hops
	}
	if err = runs.Insert(ctx, q, run, c.Node); err != nil {
		return nil, err
	}
	fresh, err := sessions.Get(ctx, q, t, k.Who.VisitorID, s.ID) // after the lane is taken: on Postgres that may have waited for the end of another turn
	if err != nil {
		return nil, err
	}
	if fresh.Version != p.version {
		c.ForgetSession(k.Tenant.ID, s.ID)
		return nil, errMoved
	}
	if err := at.apply(ctx, q, t, s.ID, now); err != nil {
		return nil, err
	}
	if k.Hold, err = quotas.Reserve(ctx, q, k.Budget(r.MaxTokens), now); err != nil {
		return nil, err
	}
	for _, m := range added {
		msg := sessions.Message{ID: ids.New(ids.Message), SessionID: s.ID, RunID: k.RunID, Role: m.Role, Content: m.Content, ToolCallID: m.ToolCallID, Name: m.Name}
		if k.sent != nil {
			msg.Origin, msg.Taint = k.sent.from.SessionID, k.sent.taint()
		}
		if err = sessions.Append(ctx, q, t, &msg, now); err != nil {
			return nil, err
		}
		stored = append(stored, msg)
	}
	if k.sent != nil {
		if err := peers.Bind(ctx, q, t, k.sent.key, k.RunID); err != nil {
			return nil, err
		}
	}
	c.Planner.Note(k.Tenant.ID, k.Plan)
	if claim, ok := api.ClaimOf(ctx); ok {
		return stored, replays.Bind(ctx, q, claim, k.RunID)
	}
	return stored, nil
}

// fresh are messages as the window takes those that are not stored yet.
func (k *call) fresh(list []llm.Message) []window.Message {
	out := make([]window.Message, len(list))
	for i, m := range list {
		out[i] = window.Message{Message: m, Taint: k.sent.taint()}
	}
	return out
}
