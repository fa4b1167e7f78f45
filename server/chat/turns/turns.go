// Package turns answers the turns of sessions: it recalls the conversation, starts a run that outlives its starter, lets the model use tools, and records what came of it.
package turns

import (
	"context"
	"log/slog"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/chat/admit"
	"github.com/clawless/clawless/server/chat/aside"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/lanes"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/chat/toolcalls"
	"github.com/clawless/clawless/server/chat/window"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tool"
)

// Models lists models, for the sizes of their windows.
type Models interface {
	Models(ctx context.Context) []llm.Model
}

// Options are what turns need; all but Desk are there.
type Options struct {
	*admit.Door
	DB          *db.DB
	Models      Models
	Hub         *runs.Hub
	Engine      *engine.Engine
	Planner     *plan.Planner
	Desk        *toolcalls.Desk // nil: the server has no tools
	SessionWait time.Duration   // how long a turn waits for the one before it
	Bus         cache.Bus       // tells of changes by other servers
	CacheTTL    time.Duration   // how long conversations are kept in memory; zero: not at all
	Node        string          // this server's name in runs
	Log         *slog.Logger
}

// Turns runs the turns of sessions.
type Turns struct {
	Options
	lanes   lanes.Lanes // whose turn it is in each session
	aside   aside.Asker
	hot     *cache.Cache[past] // nil where nothing is kept
	spawned spawned            // what sessions that a turn started have spent for it
}

// New makes it.
func New(o Options) *Turns {
	if o.Desk == nil {
		o.Desk = &toolcalls.Desk{DB: o.DB, BuiltIn: tool.New(), Log: o.Log}
	}
	c := &Turns{Options: o, aside: aside.Asker{Engine: o.Engine, Planner: o.Planner}}
	if o.CacheTTL > 0 {
		c.hot = cache.Weighed(hotBytes, o.CacheTTL, past.weight)
		o.Bus.Subscribe(hotTopic, c.drop)
	}
	return c
}

// call is one turn: what it remembers, what its model was given, and what its readers have seen.
type call struct {
	*engine.Call
	turn   *dialect.Answer // what readers see of all steps
	tools  *toolcalls.Turn
	memory memory
	built  built

	voice   voice
	started time.Time
	waited  time.Duration // for people to approve
	said    bool          // the step's message is stored already
	session sessions.Session
	asked   sessions.Message   // the last of the turn's new ones
	carried *window.Compaction // what a new epoch's summary is made of; nil for none

	carriedTaint []tool.Taint // of the summary before it
	sent         *sending     // nil for a turn that a person started
}

// Waiting is how many turns of a session this server has, the one under way included.
func (c *Turns) Waiting(tenantID, sessionID string) int {
	return c.lanes.Length(lane(tenantID, sessionID))
}

func lane(tenantID, sessionID string) string { return tenantID + " " + sessionID }

// rights are what the turn may do with the server's tools, and who says so.
func rights(k *call, r *dialect.Request, s sessions.Session) tool.Rights {
	settings := k.Tenant.Settings
	out := tool.Rights{Scope: k.Who.Has(auth.ScopeToolsUse), Visitor: k.Who.Kind == auth.Visitor, Widget: settings.WidgetTools, Tenant: settings.ServerTools, Request: r.ServerTools}
	if s.Tools != nil {
		out.Session = &tool.Narrowing{Allow: s.Tools.Allow, Deny: s.Tools.Deny}
	}
	return out
}

// toolCall is what is the same for all calls of the turn.
func (k *call) toolCall(s sessions.Session) tool.Call {
	c := tool.Call{TenantID: k.Tenant.ID, SessionID: s.ID, RunID: k.RunID, RequestID: k.RequestID, KeyID: k.Who.KeyID, EndUser: s.EndUser, Depth: int(s.Depth)}
	if k.sent != nil {
		c.Hops = k.sent.hops
	}
	return c
}
