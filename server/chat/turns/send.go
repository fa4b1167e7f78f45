package turns

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/peers"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/tool"
)

// sending is what is special about a turn that another session started.
type sending struct {
	from tool.Call
	key  string // for peers.Bind
	hops int
	most engine.Spent // what a spawned session may spend of its parent's turn; zero is no limit

	spent atomic.Pointer[engine.Spent] // set before the run's log ends
}

// taint is the mark of what another session wrote; none where a person did.
func (s *sending) taint() []tool.Taint {
	if s == nil {
		return nil
	}
	return []tool.Taint{{Kind: tool.FromSession, Source: s.from.SessionID}}
}

// total is what the turn has spent, as far as it is known.
func (s *sending) total() (tokens, micros int64) {
	if e := s.spent.Load(); e != nil {
		return e.Tokens, e.Micros
	}
	return 0, 0
}

// maxHops bounds the replies that sessions give each other without a person.
const maxHops = 5

// Send implements peers.Core: it starts a turn in another session of the tenant and waits for its end. A spawned session's turn ends with its parent's.
func (c *Turns) Send(ctx context.Context, s peers.Send) (peers.Sent, error) {
	if s.Hops > maxHops {
		return peers.Sent{}, fault.New(fault.ToolLoopLimit, "sessions have answered each other %d times without a person; ask a person to go on", maxHops)
	}
	sent := &sending{from: s.From, key: s.Key, hops: s.Hops}
	if s.Child {
		sent.most = c.spawned.rest(s.From.RunID)
	}
	// The run is a request of its own: neither its id nor an Idempotency-Key of the caller's may count for it too.
	own, cancel := context.WithCancel(auth.With(context.Background(), auth.From(ctx)))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)() // while it waits for its turn; the run itself outlives this
	r := &dialect.Request{SessionID: s.SessionID, ServerTools: c.spawned.narrowed(s.From.RunID), Messages: []llm.Message{{Role: "user", Content: llm.Text(s.Text)}}, Params: map[string]json.RawMessage{}}
	live, err := c.begun(own, r, sent)
	if err != nil {
		return peers.Sent{}, err
	}
	wait, over := context.WithTimeout(ctx, s.Wait)
	defer over()
	out := peers.Sent{RunID: live.Run.ID, Status: string(runs.Running)}
	if s.Child {
		defer func() {
			tokens, micros := sent.total()
			c.spawned.add(s.From.RunID, engine.Spent{Tokens: tokens, Micros: micros})
		}()
	}
	for e, err := range live.Log.Read(wait, 0) {
		switch {
		case err != nil && s.Child: // nobody else waits for it
			stop, done := context.WithTimeout(context.WithoutCancel(ctx), runs.LastWait)
			defer done()
			if live.Cancel(stop) == nil {
				out.Tokens, out.CostMicros = sent.total()
			}
			out.Status = string(runs.Cancelled)
			return out, nil
		case err != nil:
			return out, nil
		case e.Kind == runs.Answer:
			out.Status, out.Text = string(runs.Completed), textOf(e.Data)
		case e.Kind == runs.Failure:
			f := fault.From(e.Err)
			status, _ := ended(f)
			out.Status, out.Text = string(status), f.Message
		}
	}
	out.Tokens, out.CostMicros = sent.total()
	return out, nil
}

// textOf is what a whole answer says.
func textOf(answer []byte) string {
	var body dialect.ChatCompletion
	if json.Unmarshal(answer, &body) != nil || len(body.Choices) == 0 || body.Choices[0].Message.Content == nil {
		return ""
	}
	return *body.Choices[0].Message.Content
}

// spawned is what turns under way may spend and what sessions that they spawned have spent for them.
type spawned struct {
	mu    sync.Mutex
	turns map[string]*budget
}

type budget struct {
	call  *call
	taken engine.Spent // by children, not yet added to the call
}

func (s *spawned) enter(k *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns == nil {
		s.turns = map[string]*budget{}
	}
	s.turns[k.RunID] = &budget{call: k}
}

func (s *spawned) leave(k *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.turns, k.RunID)
}

func (s *spawned) add(run string, e engine.Spent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.turns[run]; b != nil {
		b.taken.Tokens += e.Tokens
		b.taken.Micros += e.Micros
	}
}

func (s *spawned) take(run string) (e engine.Spent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.turns[run]; b != nil {
		e, b.taken = b.taken, engine.Spent{}
	}
	return e
}

// narrowed is what the request of a turn under way narrows its tools to; nil when it does not. What it starts may use no more.
func (s *spawned) narrowed(run string) *[]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.turns[run]; b != nil {
		return b.call.tools.Rights.Request
	}
	return nil
}

// rest is what a turn has left of its bounds; a bound that is used up leaves the least there is, as zero means none. The turn waits for its tools meanwhile.
func (s *spawned) rest(run string) engine.Spent {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.turns[run]
	if b == nil {
		return engine.Spent{}
	}
	most, spent := b.call.most(), b.call.Spent()
	left := func(most, spent int64) int64 {
		if most == 0 {
			return 0
		}
		return max(1, most-spent)
	}
	return engine.Spent{Tokens: left(most.Tokens, spent.Tokens+b.taken.Tokens), Micros: left(most.Micros, spent.Micros+b.taken.Micros)}
}

// most is what the turn may spend: what the tenant says, and for a spawned session no more than its parent has left.
func (k *call) most() engine.Spent {
	least := func(a, b int64) int64 {
		if a == 0 || b != 0 && b < a {
			return b
		}
		return a
	}
	m := engine.Spent{Tokens: k.Tenant.Settings.TurnTokens, Micros: k.Tenant.Settings.TurnCostMicros}
	if k.sent != nil {
		m = engine.Spent{Tokens: least(m.Tokens, k.sent.most.Tokens), Micros: least(m.Micros, k.sent.most.Micros)}
	}
	return m
}
