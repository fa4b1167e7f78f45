package turns

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/toolcalls"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tenants"
)

// loop asks the model until it has come to an answer, and makes the calls that it asks for in between. A panic ends this run and nothing else.
func (c *Turns) loop(ctx context.Context, k *call, l *runs.Live) (failure error) {
	defer func() {
		if p := recover(); p != nil {
			c.Log.Error("panic in a run", "run", k.RunID, "request_id", k.RequestID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			failure = engine.Internal()
		}
	}()
	k.voice = voice{log: l.Log, index: map[int]int{}}
	if err := c.ready(ctx, k); err != nil {
		return err
	}
	for {
		k.turn.Dropped = k.built.Dropped
		failure := c.Engine.Relay(ctx, k.Call, func(chunk llm.Chunk, _ error) bool {
			k.say(chunk)
			return true
		})
		switch {
		case fault.Is(failure, fault.ContextTooLong) && !k.Answer.Started() && k.shrink():
			continue
		case failure != nil:
			return failure
		}
		mine, theirs := k.calls()
		if len(mine) == 0 {
			return nil
		}
		if err := c.work(ctx, k, mine); err != nil || theirs > 0 {
			return err
		}
		if err := k.mayGoOn(); err != nil {
			return err
		}
		k.rebuild()
		if err := c.Engine.Step(ctx, k.Call, k.built.Messages, dialect.NewAnswer(k.RunID, k.Target.ID, time.Now())); err != nil {
			return err
		}
		k.said, k.voice.index, k.voice.fresh = false, map[int]int{}, true
	}
}

// voice is how a turn's steps become one answer for its readers.
type voice struct {
	log    *runs.Log
	index  map[int]int // of the step's calls: where the caller sees each, below zero for those that the server makes
	theirs int         // calls that the caller has to make
	fresh  bool        // a step has begun after another, and nothing of it was said yet
	end    llm.Chunk   // what ended the step; it is framed once no other follows
}

// say shows a step's chunk to the readers: without the calls that are made here, and without an end that is none.
func (k *call) say(chunk llm.Chunk) {
	v := &k.voice
	chunk.ToolCalls = dialect.CallsOnly(chunk.ToolCalls, func(d llm.ToolCallDelta) int {
		at, known := v.index[d.Index]
		if !known {
			at = -1
			if !k.tools.Runs(d.Name) {
				at = v.theirs
				v.theirs++
			}
			v.index[d.Index] = at
		}
		return at
	})
	if chunk.FinishReason != "" {
		v.end = llm.Chunk{FinishReason: chunk.FinishReason}
		chunk.FinishReason = ""
	}
	chunk.Usage = nil
	k.turn.Model = k.Target.ID
	k.show(chunk)
}

// show frames a chunk. What one step says after another is a paragraph of its own.
func (k *call) show(chunk llm.Chunk) {
	if k.voice.fresh && chunk.Text != "" {
		k.voice.fresh = false
		if said := k.turn.Said(); said != "" && !strings.HasSuffix(said, "\n") {
			chunk.Text = "\n\n" + chunk.Text
		}
	}
	k.turn.Add(chunk)
	k.turn.Frames(chunk, k.frame)
}

func (k *call) frame(b []byte) { k.voice.log.Append(runs.Frame, b) }

// close shows the end of the turn's last step and fills in what the whole turn took.
func (k *call) close(paper dialect.Receipt) {
	u := k.Turn()
	k.turn.Usage, k.turn.Paper, k.turn.Model = &u, paper, k.Target.ID
	k.turn.Add(k.voice.end)
	k.turn.Frames(k.voice.end, k.frame)
}

// calls are the step's calls that are made here, and how many the caller has to make. Half-made calls of an answer that was cut are nobody's.
func (k *call) calls() (mine []llm.ToolCall, theirs int) {
	if k.Answer.Finish != llm.FinishToolCalls {
		return nil, 0
	}
	for _, t := range k.Answer.Calls() {
		if k.tools.Runs(t.Function.Name) {
			mine = append(mine, t)
		} else {
			theirs++
		}
	}
	return mine, theirs
}

// work stores what the model asked for, has it done, and stores what came of it. Results of calls that a cancelled run never made are stored too: the session goes on.
func (c *Turns) work(ctx context.Context, k *call, mine []llm.ToolCall) error {
	said, _ := k.message(nil)
	if err := c.keep(ctx, k, []sessions.Message{said}); err != nil {
		return err
	}
	k.said = true
	limit := k.Tenant.Settings.Patience() - k.spent()
	if k.tools.Ask { // the time that people take to approve is not the turn's
		limit += c.Desk.Wait
	}
	patience, cancel := context.WithTimeoutCause(ctx, limit, loopLimit("time"))
	defer cancel()
	done := c.Desk.Do(patience, k.tools, mine)
	var waited time.Duration
	results := make([]sessions.Message, len(done))
	for i, d := range done {
		results[i] = sessions.Message{ID: ids.New(ids.Message), SessionID: k.SessionID, RunID: k.RunID, Role: "tool", Content: llm.Text(storable(d.Text)), ToolCallID: d.Call.ID,
			Name: d.Call.Function.Name, Taint: d.Taints}
		waited = max(waited, d.Waited)
	}
	k.waited += waited
	if err := c.keep(context.WithoutCancel(ctx), k, results); err != nil {
		return err
	}
	k.Beside(c.spawned.take(k.RunID))
	if cause := context.Cause(patience); cause != nil {
		return fault.From(cause)
	}
	return nil
}

// keep stores messages of the turn as they happen and adds them to what the model remembers.
func (c *Turns) keep(ctx context.Context, k *call, list []sessions.Message) error {
	now, t := time.Now(), db.TenantOf(k.Tenant.ID)
	err := c.DB.Write(ctx, func(q db.Querier) error {
		for i := range list {
			if err := sessions.Append(ctx, q, t, &list[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range list {
		k.memory.history = append(k.memory.history, remembered(m))
	}
	return nil
}

// spent is how long the turn has worked, without the time that people took to approve.
func (k *call) spent() time.Duration { return time.Since(k.started) - k.waited }

// mayGoOn holds the turn against its bounds before the model is asked once more.
func (k *call) mayGoOn() error {
	s, spent := k.Tenant.Settings, k.Spent()
	most := k.most()
	switch {
	case k.Steps() >= s.Steps():
		return loopLimit("steps")
	case k.spent() >= s.Patience():
		return loopLimit("time")
	case most.Micros > 0 && spent.Micros >= most.Micros, most.Tokens > 0 && spent.Tokens >= most.Tokens:
		return loopLimit("money")
	}
	return nil
}

var limits = map[string]string{
	"steps": "the model was asked as often as a turn may, and still wants tools; ask for less at once, or raise turn_steps",
	"time":  "the turn took as long as one with tools may; ask for less at once, or raise turn_seconds",
	"money": "the turn spent what one may; ask for less at once, or raise turn_cost_micros or turn_tokens",
}

func loopLimit(which string) error { return fault.New(fault.ToolLoopLimit, "%s", limits[which]) }

// tellTool shows the turn's readers what a tool does. A widget's visitors see no more than its name and what they may have to approve.
func (k *call) tellTool(e dialect.ToolEvent) { k.frame(k.turn.ToolFrame(e)) }

// offer puts the server's tools beside the caller's.
func (c *Turns) offer(ctx context.Context, k *call, r *dialect.Request, s sessions.Session) {
	k.tools = &toolcalls.Turn{Rights: rights(k, r, s), Ask: k.Tenant.Settings.Approvals != tenants.Refuse && r.Stream, Call: k.toolCall(s), Tell: k.tellTool}
	k.Req.Tools = c.Desk.Offer(ctx, k.tools, r.Tools)
}
