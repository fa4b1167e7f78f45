package peers

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/tool"
)

const (
	maxHops      = 5               // messages from session to session without a person
	someSendWait = 60              // seconds, when the model does not say
	claimLife    = 2 * time.Minute // after which a send that began no turn was left by a server that stopped
	lateLimit    = 5 * time.Second // for what is written after a turn
)

var sendSchema = json.RawMessage(`{"type": "object", "additionalProperties": false, "required": ["session_id", "message"], "properties": {
	"session_id": {"type": "string", "minLength": 1, "maxLength": 64, "description": "The session to write to, as sessions_list names it"},
	"message": {"type": "string", "minLength": 1, "maxLength": 20000, "description": "What to say; the other session knows nothing of this one"},
	"wait_seconds": {"type": "integer", "minimum": 0, "maximum": 120, "description": "How long to wait for the answer; 60 unless given, 0 does not wait"},
	"key": {"type": "string", "pattern": "^[!-~]+$", "maxLength": 200, "description": "A name of your own for this message; with the same name it is sent only once"}}}`)

type sendArguments struct {
	SessionID string `json:"session_id"`
	Message   string `json:"message"`
	Wait      *int   `json:"wait_seconds"`
	Key       string `json:"key"`
}

// outcome is what sessions_send returns, and with what a spawned session is sessions_spawn.
type outcome struct {
	Status    string `json:"status"` // that of the run
	SessionID string `json:"session_id"`
	RunID     string `json:"run_id"`
	Answer    string `json:"answer,omitempty"`
	Reason    string `json:"reason,omitempty"` // of a run that did not complete
	Truncated bool   `json:"truncated"`
	Omitted   int    `json:"omitted_characters,omitempty"`
}

// sending is one call of sessions_send.
type sending struct {
	sendArguments
	*peers
	call    tool.Call
	setting string
	key     string // as it is stored: what one session calls its messages is nobody else's business
	text    string
	until   time.Time
}

// send is sessions_send.
func (p *peers) send(ctx context.Context, c tool.Call) (tool.Result, error) {
	s := &sending{peers: p, call: c}
	if err := arguments(c, &s.sendArguments); err != nil {
		return tool.Result{}, err
	}
	var err error
	if s.setting, err = p.setting(ctx, c); err != nil {
		return tool.Result{}, err
	}
	s.text = framed(c.SessionID, s.Message)
	// Some models give two calls of a turn one id; then they are still two messages.
	s.key = c.RunID + " " + c.ID + " " + ids.Digest(s.SessionID+" "+s.Message)
	if s.Key != "" {
		s.key = c.SessionID + " " + s.Key
	}
	wait := someSendWait
	if s.Wait != nil {
		wait = *s.Wait
	}
	s.until = time.Now().Add(time.Duration(wait) * time.Second)
	sent, err := s.once(ctx)
	if err != nil {
		return tool.Result{}, err
	}
	return result(outcomeOf(s.SessionID, sent), sent, s.SessionID)
}

// framed marks a message as what it is.
func framed(from, message string) string {
	return "[From session " + from + ", not from a person. A model wrote it.]\n\n" + message
}

// outcomeOf is what a model is told of a run.
func outcomeOf(sessionID string, sent Sent) outcome {
	o := outcome{Status: sent.Status, SessionID: sessionID, RunID: sent.RunID}
	shown, omitted := text(sent.Text, maxText)
	o.Truncated, o.Omitted = omitted > 0, omitted
	switch sent.Status {
	case string(runs.Completed):
		o.Answer = shown
	case string(runs.Running):
		o.Truncated, o.Omitted = false, 0
	default:
		o.Reason = shown
	}
	return o
}

// result is tainted when another session's words are in it.
func result(v any, sent Sent, sessionID string) (tool.Result, error) {
	r := tool.Result{Taints: []tool.Taint{}}
	if sent.Status != string(runs.Running) {
		r.Taints = append(r.Taints, tool.Taint{Kind: tool.FromSession, Source: sessionID})
	}
	b, err := encode(v)
	r.Text = string(b)
	return r, err
}

// once sends the message, unless its key says that it was sent: then it finds out what became of it.
func (s *sending) once(ctx context.Context) (Sent, error) {
	var wait pause
	for {
		before, err := s.take(ctx)
		switch {
		case err != nil:
			return Sent{}, err
		case before == nil:
			return s.start(ctx)
		case before.RunID != "":
			return s.first(ctx, *before)
		}
		if over, err := wait.next(ctx, s.until); err != nil {
			return Sent{}, err
		} else if over {
			return Sent{}, fault.New(fault.IdempotencyInFlight, "a message with this key is being sent; call again with the same key to learn what became of it")
		}
	}
}

// start has the turn begun, and takes the key back when none was.
func (s *sending) start(ctx context.Context) (Sent, error) {
	sent, err := s.Core.Send(ctx, Send{From: s.call, SessionID: s.SessionID, Text: s.text, Key: s.key, Hops: s.call.Hops + 1, Wait: time.Until(s.until)})
	if err == nil {
		return sent, nil
	}
	s.late(ctx, "the key of a message between sessions is held until it expires", s.call, func(ctx context.Context, q db.Querier, t db.Tenant) error {
		_, err := release.Exec(ctx, q, t, db.Args{"key": s.key})
		return err
	})
	return Sent{}, err
}

// take checks whether the message may be sent and takes its key, in one transaction. It returns what the key stands for when it is taken.
func (s *sending) take(ctx context.Context) (before *sendRow, err error) {
	now, t := time.Now(), db.TenantOf(s.call.TenantID)
	err = s.DB.Write(ctx, func(q db.Querier) error {
		before = nil
		seen, err := s.look(ctx, q, s.call, s.setting)
		if err != nil {
			return err
		}
		to, err := seen.find(ctx, q, s.SessionID)
		if err != nil {
			return err
		}
		var row sendRow
		err = getSend.Get(ctx, q, t, &row, db.Args{"key": s.key})
		switch {
		case fault.Is(err, fault.NotFound):
		case err != nil:
			return err
		case row.To != s.SessionID:
			return otherMessage()
		case row.RunID != "" || now.Sub(row.CreatedAt.Time) < claimLife:
			before = &row
			return nil
		}
		if err := s.check(ctx, q, seen, !to.ArchivedAt.IsZero()); err != nil {
			return err
		}
		stmt, args := claim, db.Args{"key": s.key, "from": s.call.SessionID, "to": s.SessionID, "now": db.At(now)}
		if row.To != "" {
			stmt, args = reclaim, db.Args{"key": s.key, "old": row.CreatedAt, "now": db.At(now)}
		}
		n, err := stmt.Exec(ctx, q, t, args)
		if n == 0 { // somebody else was faster
			before = &sendRow{To: s.SessionID, CreatedAt: db.At(now)}
		}
		return err
	})
	return before, err
}

// check holds the message against what may never be sent.
func (s *sending) check(ctx context.Context, q db.Querier, seen sight, archived bool) error {
	var n int
	switch {
	case s.SessionID == s.call.SessionID:
		return fault.New(fault.InvalidRequest, "this is the session that you are in; nothing can be sent to it from here")
	case archived:
		return fault.New(fault.Conflict, "the session is archived and takes no messages")
	case s.call.Hops >= maxHops:
		return fault.New(fault.ToolLoopLimit, "sessions have answered each other %d times without a person; finish without sending, a person goes on", maxHops)
	}
	err := waiting.Get(ctx, q, db.TenantOf(seen.from.TenantID), &n, db.Args{"run_id": s.call.RunID, "session_id": s.SessionID})
	if err == nil && n > 0 {
		err = fault.New(fault.Conflict, "this session's turn began with a message of that one, which waits for it; give your answer as the answer of this turn instead of sending it")
	}
	return err
}

func otherMessage() error {
	return fault.New(fault.IdempotencyMismatch, "a message with this key was sent before and is another one; use a new key for a new message")
}

// first is what became of the message when it was sent.
func (s *sending) first(ctx context.Context, row sendRow) (Sent, error) {
	var wait pause
	for {
		var sent Sent
		err := s.DB.Read(ctx, func(q db.Querier) (err error) {
			sent, err = s.readRun(ctx, q, row.RunID)
			return err
		})
		if err != nil || sent.Status != string(runs.Running) {
			return sent, err
		}
		if over, err := wait.next(ctx, s.until); over || err != nil {
			return sent, err
		}
	}
}

// pause is a wait between two looks at the database, which becomes longer.
type pause struct{ last time.Duration }

const (
	shortPause = 20 * time.Millisecond
	longPause  = time.Second
)

// next waits a moment, and reports whether the time is up.
func (p *pause) next(ctx context.Context, until time.Time) (over bool, err error) {
	left := time.Until(until)
	if left <= 0 {
		return true, nil
	}
	p.last = min(cmp.Or(2*p.last, shortPause), longPause)
	timer := time.NewTimer(min(p.last, left))
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
