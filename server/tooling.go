package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/clawless/clawless/server/audit"
	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/chat/peers"
	"github.com/clawless/clawless/server/chat/toolcalls"
	"github.com/clawless/clawless/server/chat/turns"
	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/guard"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/seal"
	"github.com/clawless/clawless/server/tenants"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/calculate"
	"github.com/clawless/clawless/server/tool/fetch"
	"github.com/clawless/clawless/server/tool/files"
	"github.com/clawless/clawless/server/tool/timenow"
	"github.com/clawless/clawless/server/tools"
	"github.com/clawless/clawless/server/tools/executions"
)

const toolsTopic = "tools"

// tooling is what the server's tools work with.
type tooling struct {
	private func(netip.Addr) bool // addresses of private networks that tools may reach
	files   *files.Store
	set     *tools.Set
	desk    *toolcalls.Desk
}

// newTooling makes everything but the tools that need the use case; see builtIn.
func newTooling(cfg config.Settings, d *db.DB, bus cache.Bus, version string, log *slog.Logger) (*tooling, error) {
	private, err := guard.Prefixes(cfg.ToolsAllowPrivate)
	if err != nil {
		return nil, fmt.Errorf("tools_allow_private: %w", err)
	}
	t := &tooling{private: private}
	box := &seal.Source{Key: string(cfg.EncryptionKey)}
	if d == nil || d.Dialect() == db.SQLite {
		box.Dir = cfg.DataDir
	}
	if box.Key != "" { // a key that is none is better told at the start than at the first secret
		if _, err := box.Box(); err != nil {
			return nil, fmt.Errorf("encryption_key: %w", err)
		}
	}
	t.set = tools.NewSet(tools.SetOptions{DB: d, Private: private, Box: box.Box, Audit: audit.Record,
		Reserved: func(name string) bool {
			_, taken := t.desk.BuiltIn.Get(name)
			return taken
		}, Changed: func(tenantID string) { bus.Publish(toolsTopic, tenantID) }, Version: version, Log: log})
	bus.Subscribe(toolsTopic, func(tenantID string) {
		if tenantID != "" { // where some words were missed, what is remembered is ten seconds old at most
			t.set.Forget(tenantID)
		}
	})
	t.desk = &toolcalls.Desk{DB: d, BuiltIn: tool.New(), Own: t.set.For, Wait: cfg.ApprovalWait, Log: log}
	return t, nil
}

// keepFiles makes the store of end users' files, whose tenants say how much there may be.
func (s *Server) keepFiles() {
	s.tooling.files = files.New(filepath.Join(s.cfg.DataDir, "files"), files.Limits{OwnerBytes: s.cfg.FilesMaxBytes, Quota: func(ctx context.Context, tenantID string) (int64, error) {
		t, err := s.chat.Tenant(ctx, tenantID)
		if err != nil || t.Settings.FilesBytes == nil {
			return -1, err
		}
		return *t.Settings.FilesBytes, nil
	}})
}

// builtIn are the tools of every tenant.
func (s *Server) builtIn(core *turns.Turns) *tool.Registry {
	list := append(files.Tools(s.tooling.files), []tool.Tool{calculate.New(), fetch.New(guard.Options{Allow: s.tooling.private}), timenow.New(time.Now)}...)
	return tool.New(append(list, peers.New(peers.Options{DB: s.db, Core: core, Visibility: s.visibility, Log: s.log})...)...)
}

// visibility is what a tenant's sessions see of one another.
func (s *Server) visibility(ctx context.Context, tenantID string) (string, error) {
	t, err := s.chat.Tenant(ctx, tenantID)
	return t.Settings.SessionVisibility, err
}

// offers says which tools a tenant's sessions may use.
func (s *Server) offers(ctx context.Context, tenantID string) (func(string) bool, error) {
	t, err := s.chat.Tenant(ctx, tenantID)
	return func(name string) bool { return tenants.Matches(t.Settings.ServerTools, name) }, err
}

// toolsOfRun lists what tools did in a run.
func toolsOfRun(ctx context.Context, q db.Querier, t db.Tenant, runID string) ([]runs.RunTool, error) {
	list, err := executions.OfRun(ctx, q, t, runID)
	out := make([]runs.RunTool, len(list))
	for i, e := range list {
		out[i] = runs.RunTool{ID: e.CallID, Name: e.Tool, Status: string(e.Status), Decision: string(e.Decision), Layer: e.Layer, Error: e.Error,
			Milliseconds: e.Duration.Milliseconds(), ResultBytes: e.ResultBytes, CostMicros: e.CostMicros, CreatedAt: e.CreatedAt.Time}
	}
	return out, err
}
