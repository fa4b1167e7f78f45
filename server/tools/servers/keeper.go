package servers

import (
	"context"
	"log/slog"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/seal"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
	"github.com/clawless/clawless/server/tool/mcp"
)

// Lister asks a server for its tools, and forgets a server that was removed. mcp.Pool is one.
type Lister interface {
	List(ctx context.Context, e mcp.Endpoint) ([]mcp.Listed, error)
	Forget(endpointID string)
}

// Keeper adds servers, looks at what they list, and holds what was approved against it. It is safe for concurrent use.
type Keeper struct {
	DB   *db.DB
	Pool Lister
	// Box opens and seals the servers' secrets.
	Box func() (*seal.Box, error)
	// Audit records a change in the transaction that makes it.
	Audit func(ctx context.Context, q db.Querier, tenantID, action, target string) error
	// Free refuses a name that a tool of another source has.
	Free func(ctx context.Context, q db.Querier, t db.Tenant, name string) error
	// Private says which addresses of private networks may be reached.
	Private func(netip.Addr) bool
	// Changed is told after what the tenant's sessions may use changed.
	Changed func(tenantID string)
	Log     *slog.Logger

	mu      sync.Mutex
	watches map[string]*watch // by the server's id
}

// watch is what this process knows of a server.
type watch struct {
	looking sync.Mutex // one looks, the others take what it found
	mu      sync.Mutex
	due     bool // the server says that its list changed
}

const (
	lookAgain    = 5 * time.Minute // after which a list is too old to call by
	recordWithin = 10 * time.Second
)

// Due says that a server's list changed: it is read again before the next call.
func (k *Keeper) Due(serverID string) {
	w := k.watch(serverID)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = true
}

func (k *Keeper) watch(serverID string) *watch {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.watches == nil {
		k.watches = map[string]*watch{}
	}
	w := k.watches[serverID]
	if w == nil {
		w = &watch{}
		k.watches[serverID] = w
	}
	return w
}

// take reports whether the list is due, and that somebody sees to it.
func (w *watch) take() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	due := w.due
	w.due = false
	return due
}

func bound(s Server) string { return seal.Context("mcp_servers", s.TenantID, s.ID) }

// endpoint is the server with its secret.
func (k *Keeper) endpoint(s Server) (mcp.Endpoint, error) {
	e := mcp.Endpoint{ID: s.ID, Name: s.Name, URL: s.URL, Credential: credential.Credential{Kind: credential.Kind(s.Auth), Name: s.AuthName}}
	if s.Sealed == "" {
		return e, nil
	}
	box, err := k.Box()
	if err != nil {
		return e, err
	}
	e.Credential.Secret, err = box.Open(s.Sealed, bound(s))
	return e, err
}

// last4 is what may be shown of a server's secret.
func (k *Keeper) last4(s Server) string {
	e, err := k.endpoint(s)
	if err != nil {
		return ""
	}
	return e.Credential.Shown()
}

// Add stores a server and asks it for its tools. That it cannot be reached is no error: its status says so.
func (k *Keeper) Add(ctx context.Context, tenantID, name, address string, c credential.Credential) (Server, error) {
	now := db.At(time.Now())
	s := Server{ID: ids.New(ids.MCP), TenantID: tenantID, Name: name, URL: address, Auth: string(c.Kind), AuthName: c.Name, Status: Unknown, CreatedAt: now, UpdatedAt: now}
	if err := k.check(s, c); err != nil {
		return Server{}, err
	}
	if c.Secret != "" {
		box, err := k.Box()
		if err != nil {
			return Server{}, NoKey(err)
		}
		if s.Sealed, err = box.Seal(c.Secret, bound(s)); err != nil {
			return Server{}, err
		}
	}
	err := k.DB.Write(ctx, func(q db.Querier) error {
		var n int
		if err := count.Get(ctx, q, db.TenantOf(tenantID), &n, db.Args{}); err != nil {
			return err
		}
		if n >= maxServers {
			return fault.New(fault.Conflict, "a tenant has at most %d MCP servers; delete one first", maxServers)
		}
		if err := Insert(ctx, q, s); err != nil {
			return err
		}
		return k.Audit(ctx, q, tenantID, "mcp_server.create", s.ID)
	})
	if err != nil {
		return Server{}, err
	}
	return k.look(ctx, s)
}

// NoKey is the failure of a secret that cannot be sealed.
func NoKey(err error) error {
	return fault.Wrap(err, fault.InvalidRequest, "this server cannot keep secrets yet: the operator sets encryption_key, and the log says more").WithParam("secret")
}

// check validates what a schema cannot, and reports every bad field at once.
func (k *Keeper) check(s Server, c credential.Credential) error {
	var bad []fault.Detail
	wrong := func(field, message string) {
		if field != "" {
			bad = append(bad, fault.Detail{Field: field, Message: message})
		}
	}
	if !namePattern.MatchString(s.Name) {
		wrong("name", "must be lower-case letters, digits and hyphens, at most 24")
	}
	wrong(checkURL(s.URL, k.Private))
	wrong(c.Check())
	return Invalid(bad)
}

// Invalid is the failure of a body with bad fields, or nil without any.
func Invalid(bad []fault.Detail) error {
	if len(bad) == 0 {
		return nil
	}
	f := fault.New(fault.ValidationFailed, "%s: %s", bad[0].Field, bad[0].Message).WithParam(bad[0].Field)
	f.Details = bad
	return f
}

func checkURL(text string, private func(netip.Addr) bool) (field, message string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return "url", "must be a URL such as https://mcp.example.com/mcp"
	case u.User != nil:
		return "url", "must not hold a name or a password; use auth and secret"
	case u.Fragment != "":
		return "url", "must not have a fragment"
	}
	if err := credential.CheckScheme(u.Scheme, u.Hostname(), private); err != nil {
		return "url", err.Error()
	}
	return "", ""
}

// Remove deletes a server with its tools.
func (k *Keeper) Remove(ctx context.Context, tenantID, idOrName string) error {
	t := db.TenantOf(tenantID)
	var s Server
	err := k.DB.Write(ctx, func(q db.Querier) (err error) {
		if s, err = Get(ctx, q, t, idOrName); err != nil {
			return err
		}
		if _, err = remove.Exec(ctx, q, t, db.Args{"id": s.ID}); err != nil {
			return err
		}
		return k.Audit(ctx, q, tenantID, "mcp_server.delete", s.ID)
	})
	if err != nil {
		return err
	}
	k.Pool.Forget(s.ID)
	k.mu.Lock()
	delete(k.watches, s.ID)
	k.mu.Unlock()
	k.Changed(tenantID)
	return nil
}

// Refresh asks a server for its tools now.
func (k *Keeper) Refresh(ctx context.Context, tenantID, idOrName string) (Server, error) {
	s, err := k.get(ctx, tenantID, idOrName)
	if err != nil {
		return Server{}, err
	}
	return k.look(ctx, s)
}

// Approve offers a tool to the tenant's sessions as what it is now, if that is what the hash says.
func (k *Keeper) Approve(ctx context.Context, tenantID, server, name, hash string, effect tool.Effect) (Tool, error) {
	t := db.TenantOf(tenantID)
	return k.change(ctx, tenantID, server, name, "mcp_tool.approve", func(q db.Querier, before Tool) error {
		if before.Status == Gone || before.Status == Unusable {
			return fault.New(fault.Conflict, "this tool cannot be offered: it is %s", before.Status)
		}
		if err := k.Free(ctx, q, t, before.Offered()); err != nil {
			return err
		}
		others, err := Tools(ctx, q, t, before.ServerID)
		if err != nil {
			return err
		}
		for _, o := range others {
			if o.Name != before.Name && o.Offered() == before.Offered() && o.Status == Approved {
				return fault.New(fault.Conflict, "another tool of this server is offered as %s already", o.Offered())
			}
		}
		n, err := approve.Exec(ctx, q, t, db.Args{"server_id": before.ServerID, "name": before.Name, "hash": hash, "effect": string(effect)})
		if err == nil && n == 0 {
			return fault.New(fault.Conflict, "the tool is not what this hash was made of; look at it again, and approve the hash that it has now").WithParam("hash")
		}
		return err
	})
}

// Disable offers a tool no more, until it is approved again.
func (k *Keeper) Disable(ctx context.Context, tenantID, server, name string) (Tool, error) {
	return k.change(ctx, tenantID, server, name, "mcp_tool.disable", func(q db.Querier, before Tool) error {
		if before.Status == Gone || before.Status == Unusable {
			return fault.New(fault.Conflict, "this tool is not offered anyway: it is %s", before.Status)
		}
		_, err := disable.Exec(ctx, q, db.TenantOf(tenantID), db.Args{"server_id": before.ServerID, "name": before.Name})
		return err
	})
}

// change alters a tool in one transaction with its audit row, and returns it as it is then.
func (k *Keeper) change(ctx context.Context, tenantID, server, name, action string, alter func(q db.Querier, before Tool) error) (Tool, error) {
	t := db.TenantOf(tenantID)
	var after Tool
	err := k.DB.Write(ctx, func(q db.Querier) error {
		s, err := Get(ctx, q, t, server)
		if err != nil {
			return err
		}
		before, err := GetTool(ctx, q, t, s.ID, name)
		if err != nil {
			return err
		}
		if err = alter(q, before); err != nil {
			return err
		}
		if after, err = GetTool(ctx, q, t, s.ID, name); err != nil {
			return err
		}
		return k.Audit(ctx, q, tenantID, action, after.target())
	})
	if err != nil {
		return Tool{}, err
	}
	k.Changed(tenantID)
	return after, nil
}

// target names the tool in the audit log, which holds ids and no words of strangers: its server and its hash.
func (t Tool) target() string { return t.ServerID + "/" + t.Hash[:min(len(t.Hash), 16)] }

func (k *Keeper) get(ctx context.Context, tenantID, idOrName string) (s Server, err error) {
	err = k.DB.Read(ctx, func(q db.Querier) error {
		s, err = Get(ctx, q, db.TenantOf(tenantID), idOrName)
		return err
	})
	return s, err
}

func (k *Keeper) list(ctx context.Context, tenantID string, at time.Time, id string, limit int) (rows []Server, err error) {
	err = k.DB.Read(ctx, func(q db.Querier) error {
		rows, err = List(ctx, q, db.TenantOf(tenantID), at, id, limit)
		return err
	})
	return rows, err
}

func (k *Keeper) tools(ctx context.Context, tenantID, server string) (rows []Tool, err error) {
	t := db.TenantOf(tenantID)
	err = k.DB.Read(ctx, func(q db.Querier) error {
		s, err := Get(ctx, q, t, server)
		if err != nil {
			return err
		}
		rows, err = Tools(ctx, q, t, s.ID)
		return err
	})
	return rows, err
}
