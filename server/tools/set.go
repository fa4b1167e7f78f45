package tools

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/guard"
	"github.com/clawless/clawless/server/seal"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
	"github.com/clawless/clawless/server/tool/httptool"
	"github.com/clawless/clawless/server/tool/mcp"
	"github.com/clawless/clawless/server/tools/servers"
)

// SetOptions are what a Set needs from the rest of the server.
type SetOptions struct {
	DB *db.DB
	// Private says which addresses beside the public ones may be reached, as guard.Prefixes does. It may be nil: none.
	Private func(netip.Addr) bool
	// Blocked is told of each request that is refused for where it leads, with the host: hash it before it goes to a log. It may be nil.
	Blocked func(host, reason string)
	// Box opens and seals secrets, as seal.Source does.
	Box func() (*seal.Box, error)
	// Reserved reports whether a name belongs to the server's own tools.
	Reserved func(name string) bool
	// Audit records a change in the transaction that makes it.
	Audit func(ctx context.Context, q db.Querier, tenantID, action, target string) error
	// Changed is told after a tenant's tools changed here, so that other replicas Forget them. It may be nil.
	Changed func(tenantID string)
	Version string
	Log     *slog.Logger
}

// Set gathers what a turn may use of its tenant's own tools. It is safe for concurrent use; Close ends its connections.
type Set struct {
	options SetOptions
	client  *http.Client // for HTTP tools
	pool    *mcp.Pool
	servers *servers.Keeper
	cache   *cache.Cache[[]tool.Tool]
}

const (
	cached    = 10 * time.Second // for how long a change elsewhere may stay unseen; each call is checked anew all the same
	maxCached = 10_000           // tenants
)

// NewSet makes a set without connections.
func NewSet(o SetOptions) *Set {
	// Calls are bounded by their contexts, and answers by those who read them; a stream of notices has no end.
	unbounded := guard.Options{Timeout: -1, MaxBody: -1, Allow: o.Private, Blocked: o.Blocked}
	s := &Set{options: o, client: guard.Client(unbounded), cache: cache.New[[]tool.Tool](maxCached, cached)}
	s.servers = &servers.Keeper{DB: o.DB, Box: o.Box, Audit: o.Audit, Free: s.freeForMCP, Private: o.Private, Changed: s.changed, Log: o.Log}
	s.pool = mcp.NewPool(mcp.Options{Client: guard.Client(unbounded), Version: o.Version, Changed: s.servers.Due})
	s.servers.Pool = s.pool
	return s
}

// Close ends the connections to MCP servers; calls under way fail.
func (s *Set) Close() {
	s.pool.Close()
	s.client.CloseIdleConnections()
}

// Forget drops what is remembered of a tenant's tools, which then are read anew.
func (s *Set) Forget(tenantID string) { s.cache.Delete(tenantID) }

func (s *Set) changed(tenantID string) {
	s.Forget(tenantID)
	if s.options.Changed != nil {
		s.options.Changed(tenantID)
	}
}

// For returns the tenant's active HTTP tools and approved MCP tools. It asks no endpoint, so none can hold a turn up.
func (s *Set) For(ctx context.Context, tenantID string) ([]tool.Tool, error) {
	if list, ok := s.cache.Get(tenantID); ok {
		return list, nil
	}
	var own []Tool
	var others []servers.Tool
	t := db.TenantOf(tenantID)
	err := s.options.DB.Read(ctx, func(q db.Querier) (err error) {
		if own, err = List(ctx, q, t); err != nil {
			return err
		}
		others, err = servers.AllTools(ctx, q, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	list := []tool.Tool{}
	offer := func(t tool.Tool) {
		if name := t.Spec().Name; !taken[name] && !s.reserved(name) { // a newer release may have taken a name
			taken[name] = true
			list = append(list, t)
		}
	}
	for _, t := range own {
		if t.Status != Active {
			continue
		}
		made, err := s.http(t, true)
		if err != nil {
			s.options.Log.Warn("a tool cannot be offered", "tool", t.ID, "error", err.Error())
			continue
		}
		offer(made)
	}
	for _, t := range others {
		if t.May() {
			offer(s.mcp(t))
		}
	}
	s.cache.Set(tenantID, list)
	return list, nil
}

// http makes a tool that can be called of a stored one. Each call looks first whether it still is this one, and active where that is asked.
func (s *Set) http(t Tool, active bool) (*httptool.Tool, error) {
	c := credential.Credential{Kind: t.Auth, Name: t.AuthName}
	secret, broken := s.open(t)
	c.Secret = secret
	return httptool.New(t.definition(), c, s.client, func(ctx context.Context) error {
		if broken != nil {
			return fmt.Errorf("%s cannot be called: its secret cannot be opened; a person has to set it again", t.Name)
		}
		return s.still(ctx, t, active)
	})
}

// open is the tool's secret.
func (s *Set) open(t Tool) (string, error) {
	if t.Sealed == "" {
		return "", nil
	}
	box, err := s.options.Box()
	if err != nil {
		s.options.Log.Warn("secret of a tool not opened", "tool", t.ID, "error", err.Error())
		return "", err
	}
	secret, err := box.Open(t.Sealed, t.bound())
	if err != nil {
		s.options.Log.Warn("secret of a tool not opened", "tool", t.ID, "error", err.Error())
	}
	return secret, err
}

// still refuses a tool that was changed, disabled or deleted since the turn was offered it.
func (s *Set) still(ctx context.Context, t Tool, active bool) error {
	var now Tool
	err := s.options.DB.Read(ctx, func(q db.Querier) (err error) {
		now, err = Get(ctx, q, db.TenantOf(t.TenantID), t.ID)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case fault.Is(err, fault.NotFound), err == nil && active && now.Status != Active:
		return fmt.Errorf("%s is not offered any more", t.Name)
	case err != nil:
		s.options.Log.Warn("state of a tool not read", "tool", t.ID, "error", err.Error())
		return fmt.Errorf("whether %s may be called cannot be looked up at the moment", t.Name)
	case now.Version != t.Version:
		s.Forget(t.TenantID)
		return fmt.Errorf("%s was changed a moment ago; it was not called", t.Name)
	}
	return nil
}

// remote is an MCP tool whose failures to connect are stored as its server's state.
type remote struct {
	*mcp.Tool
	failed func(ctx context.Context, u *mcp.Unreachable)
}

// Call implements tool.Tool.
func (r remote) Call(ctx context.Context, c tool.Call) (tool.Result, error) {
	res, err := r.Tool.Call(ctx, c)
	var u *mcp.Unreachable
	if errors.As(err, &u) {
		r.failed(ctx, u)
	}
	return res, err
}

func (s *Set) mcp(t servers.Tool) tool.Tool {
	return remote{&mcp.Tool{Pool: s.pool, Offered: t.Offered(), Name: t.Name, Server: t.ServerName, Description: t.Description, Parameters: t.Parameters, Effect: t.Effect,
		Ready: func(ctx context.Context) (mcp.Endpoint, error) { return s.servers.Ready(ctx, t) }},
		func(ctx context.Context, u *mcp.Unreachable) { s.servers.Failed(ctx, t.TenantID, t.ServerID, u) }}
}

func (s *Set) reserved(name string) bool {
	return s.options.Reserved != nil && s.options.Reserved(name)
}

// freeForMCP refuses a name that the server's own tools or the tenant's HTTP tools have.
func (s *Set) freeForMCP(ctx context.Context, q db.Querier, t db.Tenant, name string) error {
	if s.reserved(name) {
		return fault.New(fault.Conflict, "%s is the name of a built-in tool; add the MCP server under another name", name)
	}
	_, err := Get(ctx, q, t, name)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err == nil {
		return fault.New(fault.Conflict, "%s is the name of an HTTP tool; rename that, or add the MCP server under another name", name)
	}
	return err
}

// freeForHTTP refuses a name that the server's own tools or the tools of the tenant's MCP servers have.
func (s *Set) freeForHTTP(ctx context.Context, q db.Querier, t db.Tenant, name string) error {
	if s.reserved(name) {
		return fault.New(fault.Conflict, "%s is the name of a built-in tool", name).WithParam("name")
	}
	others, err := servers.AllTools(ctx, q, t)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.Offered() == name && o.Status != servers.Gone && o.Status != servers.Unusable {
			return fault.New(fault.Conflict, "%s is the name of a tool of the MCP server %s", name, o.ServerName).WithParam("name")
		}
	}
	return nil
}
