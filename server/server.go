// Package server wires the rooms into one HTTP server and runs it; it is the only place that knows everybody.
package server

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/audit"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat"
	"github.com/clawless/clawless/server/chat/admit"
	"github.com/clawless/clawless/server/chat/compare"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/embeddings"
	"github.com/clawless/clawless/server/chat/messages"
	"github.com/clawless/clawless/server/chat/responses"
	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/keys"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/models"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/replays"
	"github.com/clawless/clawless/server/routes"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions/archive"
	"github.com/clawless/clawless/server/sessions/retention"
	"github.com/clawless/clawless/server/sessions/serve"
	"github.com/clawless/clawless/server/tenants"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tools"
	"github.com/clawless/clawless/server/widgets"
	"github.com/clawless/clawless/widget"
)

// keptEvents bounds the memory of finished runs' events.
const keptEvents = 64 << 20

// Server is a wired server. Close the database after Run has returned.
type Server struct {
	Version string

	cfg       config.Settings
	db        *db.DB
	log       *slog.Logger
	node      string // this process in the runs table
	providers []llm.Provider
	api       *api.API
	router    *router.Router
	known     knowledge
	hub       *runs.Hub
	shared    shared
	tooling   *tooling
	chat      *chat.Chat
	ring      *keys.Ring
	gate      *widgets.Gate
	book      *replays.Book
	reg       *prometheus.Registry
	meters    *meters
	indexed   atomic.Bool // no text is left that the search does not know
}

// New wires a server over an open, migrated database. With a nil database it registers every operation and can only be described.
func New(cfg config.Settings, d *db.DB, version string, log *slog.Logger) (*Server, error) {
	providers, err := Providers(cfg, log)
	if err != nil {
		return nil, err
	}
	with, err := share(cfg, d, log)
	if err != nil {
		return nil, err
	}
	tooling, err := newTooling(cfg, d, with.caches(d), version, log)
	if err != nil {
		return nil, err
	}
	s := &Server{Version: version, cfg: cfg, db: d, log: log, providers: providers, node: ids.New("node_"), reg: prometheus.NewRegistry(), shared: with, tooling: tooling,
		hub: with.hub(cfg, d, log), ring: keys.NewRing(d), gate: widgets.NewGate(d, cfg.CORSOrigins),
		book: &replays.Book{DB: d, TTL: cfg.IdempotencyTTL}}
	if s.known, err = know(cfg, providers); err != nil {
		return nil, err
	}
	s.meters = newMeters(s.reg)
	s.router = router.New(providers, router.Options{Aliases: cfg.Models, Log: log, OnAttempt: s.meters.attempt, Lookup: s.known.lookup})
	s.meters.watch(s.reg, func() int { return len(s.router.Circuits()) })
	s.chat = chat.New(d, s.router, s.hub, chat.Options{DefaultModel: s.defaultModel(len(providers) > 1), SystemPrompt: cfg.SystemPrompt, SessionWait: cfg.SessionWait,
		WriteTimeout: cfg.StreamWriteTimeout, Node: s.node, Log: log, Settled: s.meters.settled, Prices: s.known.prices, TierModels: s.known.tiers, Vendor: func(provider string) string { return s.known.vendors[provider] },
		Rules: func() policy.Rules { return s.known.rules }, Desk: tooling.desk, Bus: with.caches(d), CacheTTL: cfg.CacheTTL})
	s.keepFiles()
	s.meters.memory(s.reg, s.chat, s.hub)
	tooling.desk.BuiltIn = s.builtIn(s.chat.Turns)
	s.api = api.New(api.Options{Version: version, Auth: door{s.ring, s.gate}, Origins: s.gate, Idempotency: s.book, Log: log, MaxBody: cfg.MaxBodyBytes, Metrics: s.meters.http,
		BehindProxy: cfg.BehindProxy, PublicURL: strings.TrimRight(cfg.PublicURL, "/")})
	assets, err := widget.New()
	if err != nil {
		return nil, err
	}
	s.routes()
	s.pages(assets)
	return s, nil
}

// routes is the table of contents of the API: a line a room.
func (s *Server) routes() {
	tenants.Routes{DB: s.db, Audit: audit.Record, Changed: s.tenantChanged}.Register(s.api)
	keys.Routes{DB: s.db, Ring: s.ring, Tenant: tenantID, Audit: audit.Record, Revoked: s.holderGone}.Register(s.api)
	widgets.Routes{DB: s.db, Gate: s.gate, Tenant: tenantID, Audit: audit.Record, Deleted: s.holderGone}.Register(s.api)
	quotas.Routes{DB: s.db, Tenant: tenantBudget}.Register(s.api)
	serve.Routes{DB: s.db, Audit: audit.Record, Changed: s.sessionChanged, Deleted: s.sessionDeleted}.Register(s.api)
	archive.Routes{DB: s.db, WriteTimeout: s.cfg.StreamWriteTimeout, Tenant: namedTenant, Audit: audit.Record, Deleted: s.sessionDeleted, Erased: s.erased}.Register(s.api)
	retention.Routes{Keeper: s.keeper()}.Register(s.api)
	tools.Routes{DB: s.db, Set: s.tooling.set, BuiltIn: func() []tool.Tool { return s.tooling.desk.BuiltIn.List() }, Offers: s.offers,
		Decided: func(_, _, approval string) { s.tooling.desk.Decided(approval) }}.Register(s.api)
	models.Routes{Catalogue: s.router, Allowed: s.allowedModels, Health: s.router.Health, Lookup: s.lookupID, Version: s.known.prices.Version, Auto: s.hasAuto, Default: s.defaultOf}.Register(s.api)
	chat.Routes{Chat: s.chat}.Register(s.api)
	compare.Routes{Turns: s.chat.Turns}.Register(s.api)
	messages.Routes{Core: s.chat, WriteTimeout: s.cfg.StreamWriteTimeout}.Register(s.api)
	embeddings.Routes{DB: s.db, Models: s.router, Tenant: s.chat.Tenant, May: s.chat.Planner().May, PriceVersion: s.known.prices.Version, Enter: s.chat.Enter, Settled: s.meters.settled,
		Debts: s.chat.Debts(), WriteTimeout: s.cfg.StreamWriteTimeout, Log: s.log}.Register(s.api)
	responses.Routes{Core: s.chat, WriteTimeout: s.cfg.StreamWriteTimeout}.Register(s.api)
	routes.Routes{DB: s.db, Explain: s.chat.Explain, ChatBody: dialect.ChatRequest{}, Facts: s.facts, Tenant: tenantID, PriceVersion: s.known.prices.Version()}.Register(s.api)
	runs.Routes{DB: s.db, Hub: s.hub, Tools: toolsOfRun, WriteTimeout: s.cfg.StreamWriteTimeout}.Register(s.api)
	audit.Routes{DB: s.db}.Register(s.api)
}

// Description returns the OpenAPI document of a server of this version, without a database.
func Description(version string) (yaml, json []byte, err error) {
	cfg := config.Default()
	cfg.DiscoverOllama = false // a description asks nobody
	s, err := New(cfg, nil, version, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	return s.api.Description()
}

// door tells apart the credentials: keys have a prefix and a checksum, visitor tokens are signed and have three parts.
type door struct {
	ring *keys.Ring
	gate *widgets.Gate
}

// Authenticate implements api.Authenticator.
func (d door) Authenticate(ctx context.Context, credential, origin string) (auth.Principal, error) {
	if strings.Count(credential, ".") == 2 {
		return d.gate.Verify(ctx, credential, origin)
	}
	return d.ring.Verify(ctx, credential)
}

// tenantChanged makes a change felt at once on this server; others feel it within a second.
func (s *Server) tenantChanged(id string, served bool) {
	s.chat.Forget(id)
	s.ring.Forget()
	s.gate.Forget()
	if !served {
		defer s.tenantGone(id)
		s.chat.Stop(func(h admit.Holder) bool { return h.TenantID == id }, errSuspended)
	}
}

// Why work under way was ended on the operator's or the tenant's word.
var (
	errSuspended = fault.New(fault.TenantSuspended, "the tenant was suspended or deleted while this was being answered")
	errRevoked   = fault.New(fault.InvalidKey, "the key was revoked while this was being answered")
)

// holderGone ends the work under way of a key that was revoked or of a widget that was deleted.
func (s *Server) holderGone(tenantID, id string) {
	s.chat.Stop(func(h admit.Holder) bool { return h == admit.Holder{TenantID: tenantID, KeyID: id} }, errRevoked)
}

func tenantID(ctx context.Context, q db.Querier, idOrName string) (string, error) {
	t, err := tenants.Get(ctx, q, idOrName)
	return t.ID, err
}

func tenantBudget(ctx context.Context, q db.Querier, idOrName string) (id string, tokens, micros int64, err error) {
	t, err := tenants.Get(ctx, q, idOrName)
	return t.ID, t.MonthlyTokens(), t.MonthlyMicros(), err
}

func (s *Server) allowedModels(ctx context.Context, tenant string) (func(string) bool, error) {
	t, err := s.chat.Tenant(ctx, tenant)
	return func(id string) bool { return s.chat.Planner().May(t, id) == nil }, err
}
