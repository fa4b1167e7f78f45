// Package chat is the use case of the product: it admits a turn, streams it from a provider, records it in its session and settles what it cost.
package chat

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/chat/admit"
	"github.com/clawless/clawless/server/chat/answers"
	"github.com/clawless/clawless/server/chat/arrears"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/chat/toolcalls"
	"github.com/clawless/clawless/server/chat/turns"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/llm/score"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sse"
	"github.com/clawless/clawless/server/tenants"
)

// Models finds and runs models; the router is one.
type Models interface {
	plan.Models
	Stream(ctx context.Context, call *router.Call) iter.Seq2[llm.Chunk, error]
	Models(ctx context.Context) []llm.Model
}

// Options are the settings of the use case.
type Options struct {
	DefaultModel func(context.Context) (string, error) // of tenants that name none
	Rules        func() policy.Rules                   // of routing, for tenants that have none; nil for none
	TierModels   map[string]string                     // patterns of models and the least tier that may use them
	Vendor       func(provider string) string          // whose models a provider runs; may be nil
	Prices       *catalog.Table                        // nil: the built-in one
	SystemPrompt string                                // of tenants that have none
	SessionWait  time.Duration                         // how long a turn waits for the one before it
	TurnLimit    time.Duration                         // of one turn; zero: 15 minutes
	WriteTimeout time.Duration                         // of one event to one reader
	Node         string                                // this server's name in runs
	Log          *slog.Logger
	Bus          cache.Bus          // tells of changes by other servers; nil: there are none
	CacheTTL     time.Duration      // how long settings and conversations are kept in memory; zero: not at all
	Desk         *toolcalls.Desk    // makes the calls of the server's tools; nil where there are none
	Settled      func(quotas.Entry) // told of every ledger line, for metrics; may be nil
}

// Chat answers. What it does for sessions is in package turns.
type Chat struct {
	*admit.Door
	*turns.Turns

	db      *db.DB
	models  Models
	opts    Options
	planner *plan.Planner
	engine  *engine.Engine

	patience time.Duration // with a stream's first chunk, after which its reader hears that it is still under way
}

// New makes the use case. Drain ends what it has under way.
func New(d *db.DB, m Models, hub *runs.Hub, o Options) *Chat {
	if o.TurnLimit == 0 {
		o.TurnLimit = 15 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Prices == nil {
		o.Prices = catalog.Default()
	}
	if o.Bus == nil {
		o.Bus = cache.Alone{}
	}
	if o.Rules == nil {
		o.Rules = func() policy.Rules { return policy.Rules{} }
	}
	c := &Chat{db: d, models: m, opts: o, patience: sse.BeatEvery}
	c.engine = &engine.Engine{DB: d, Models: m, Prices: o.Prices, Log: o.Log, Debts: arrears.New(d, o.Log), Answers: answers.New(), Settled: o.Settled,
		SettleLimit: 10 * time.Second, TurnLimit: o.TurnLimit}
	c.planner = &plan.Planner{Models: m, Default: o.DefaultModel, Rules: o.Rules, TierModels: o.TierModels, Vendor: o.Vendor, Shares: policy.NewShares(score.Threshold), Left: c.left}
	c.Door = admit.New(d, hub, c.engine, o.SystemPrompt, o.Bus, o.CacheTTL)
	c.Turns = turns.New(turns.Options{Door: c.Door, DB: d, Models: m, Hub: hub, Engine: c.engine, Planner: c.planner, Desk: o.Desk, SessionWait: o.SessionWait, Node: o.Node, Log: o.Log, Bus: o.Bus, CacheTTL: o.CacheTTL})
	return c
}

// Planner decides about models; other use cases ask it too.
func (c *Chat) Planner() *plan.Planner { return c.planner }

// Pay writes what the store would not take when it was due; it is a periodic job, and the last thing before the database is closed.
func (c *Chat) Pay(ctx context.Context) error { return c.engine.Debts.Pay(ctx) }

// Debts are what the store owes to the ledger; other use cases add theirs.
func (c *Chat) Debts() *arrears.Arrears { return c.engine.Debts }

// left is how many micro-dollars a tenant with a cap has left this month.
func (c *Chat) left(ctx context.Context, t tenants.Tenant) (left int64, err error) {
	err = c.db.Read(ctx, func(q db.Querier) error {
		used, reserved, err := quotas.Left(ctx, q, db.TenantOf(t.ID), quotas.Period(time.Now()))
		left = t.MonthlyMicros() - used - reserved
		return err
	})
	return left, err
}
