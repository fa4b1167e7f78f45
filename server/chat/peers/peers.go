// Package peers is how the sessions of a tenant know each other: the tools by which a model lists them, reads them, writes to them and starts new ones.
package peers

import (
	"context"
	_ "embed"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/tool"
)

// Core starts turns in sessions.
type Core interface {
	// Send starts a turn in a session of the tenant with a message of another one, and waits for its end, Wait at most. It is refused as any turn is. An error says that no turn
	// began; what became of one that did is in Sent. In the transaction that begins it Send calls Bind, and stores Text as the user's message as it is, with From.SessionID as its origin.
	Send(ctx context.Context, s Send) (Sent, error)
}

// Send is a message from a session to another one.
type Send struct {
	From      tool.Call // the call of the tool that sends it
	SessionID string    // to which it goes
	Text      string    // framed, so that the model that reads it knows that no person wrote it
	Key       string    // for Bind; empty for the first message of a spawned session
	Hops      int       // sends that led to the turn that it starts
	Wait      time.Duration
	Child     bool // the session was spawned by this call: its turn ends with this one's and its cost is taken from this one's
}

// Sent is what became of a turn that Send started.
type Sent struct {
	RunID      string
	Status     string // that of the run; running when the wait was over before it was
	Text       string // what it answered, or why it failed
	Tokens     int64
	CostMicros int64
}

// Options are what the tools need; all are set but Log.
type Options struct {
	DB         *db.DB
	Core       Core
	Visibility func(ctx context.Context, tenantID string) (string, error) // the tenant's setting: Self (as when empty), Tree, User or Everyone
	Log        *slog.Logger                                               // nil discards
}

// How much a session sees of others.
const (
	Self     = "self"   // itself, and the sessions that it spawned
	Tree     = "tree"   // also those that spawned it, and all that they spawned
	User     = "user"   // all of the same end user; for a session without one, all without one
	Everyone = "tenant" // all of the tenant
)

// The names of the tools.
const (
	NameList    = "sessions_list"
	NameHistory = "sessions_history"
	NameSend    = "sessions_send"
	NameSpawn   = "sessions_spawn"
)

const (
	maxSendWait  = 120 * time.Second
	maxSpawnWait = 800 * time.Second
	settleTime   = 20 * time.Second // that a call has beyond its wait, to end what it began
)

//go:embed sessions_list.md
var aboutList string

//go:embed sessions_history.md
var aboutHistory string

//go:embed sessions_send.md
var aboutSend string

//go:embed sessions_spawn.md
var aboutSpawn string

// New returns the tools. None says in its Spec what its results hold: each result says itself whose words are in it, and a refusal holds nobody's.
func New(o Options) []tool.Tool {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &peers{o}
	return []tool.Tool{
		&one{do: p.list, spec: tool.Spec{Name: NameList, Description: aboutList, Parameters: listSchema, Effect: tool.Reads, Source: tool.BuiltIn, MaxResult: maxList}},
		&one{do: p.history, spec: tool.Spec{Name: NameHistory, Description: aboutHistory, Parameters: historySchema, Effect: tool.Reads, Source: tool.BuiltIn, MaxResult: maxHistory}},
		&one{do: p.send, spec: tool.Spec{Name: NameSend, Description: aboutSend, Parameters: sendSchema, Effect: tool.Sends, Source: tool.BuiltIn, Timeout: maxSendWait + settleTime}},
		// What it starts reaches nobody: a session of the same end user that answers this one alone, and whose own tools are decided about on their own. So it writes, and does not send.
		&one{do: p.spawn, spec: tool.Spec{Name: NameSpawn, Description: aboutSpawn, Parameters: spawnSchema, Effect: tool.Writes, Source: tool.BuiltIn, Timeout: maxSpawnWait + settleTime}},
	}
}

type peers struct{ Options }

// one is one of the tools.
type one struct {
	spec tool.Spec
	do   func(ctx context.Context, c tool.Call) (tool.Result, error)
}

// Spec implements tool.Tool.
func (t *one) Spec() tool.Spec { return t.spec }

// Call implements tool.Tool.
func (t *one) Call(ctx context.Context, c tool.Call) (tool.Result, error) {
	r, err := t.do(ctx, c)
	return r, refused(err)
}

// arguments reads what the schema has let through.
func arguments(c tool.Call, into any) error {
	if len(c.Arguments) == 0 {
		return nil
	}
	return json.Unmarshal(c.Arguments, into)
}
