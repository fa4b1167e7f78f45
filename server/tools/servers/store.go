package servers

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/tool"
)

const (
	columns = `id, tenant_id, name, url, auth, auth_name, COALESCE(secret, '') AS secret, status, COALESCE(error, '') AS error, checked_at, created_at, updated_at`

	toolColumns = `t.tenant_id, t.server_id, s.name AS server_name, t.name, t.description, t.parameters, t.annotations, t.problem, t.effect, t.hash, t.approved_hash, t.status, t.seen_at`
	toolTables  = `mcp_tools t JOIN mcp_servers s ON s.tenant_id = :tenant_id AND s.id = t.server_id`
)

var (
	insert = db.Scoped("servers.insert", `INSERT INTO mcp_servers (tenant_id, id, name, url, auth, auth_name, secret, status, created_at, updated_at)
		VALUES (:tenant_id, :id, :name, :url, :auth, :auth_name, :secret, :status, :created_at, :created_at)`)
	get  = db.Scoped("servers.get", `SELECT `+columns+` FROM mcp_servers WHERE tenant_id = :tenant_id AND (id = :id OR name = :id)`)
	list = db.Scoped("servers.list", `SELECT `+columns+` FROM mcp_servers
		WHERE tenant_id = :tenant_id AND (created_at < :at OR (created_at = :at AND id < :id)) ORDER BY created_at DESC, id DESC LIMIT :limit`)
	count   = db.Scoped("servers.count", `SELECT COUNT(*) FROM mcp_servers WHERE tenant_id = :tenant_id`)
	remove  = db.Scoped("servers.delete", `DELETE FROM mcp_servers WHERE tenant_id = :tenant_id AND id = :id`)
	failing = db.Scoped("servers.failing", `UPDATE mcp_servers SET status = 'failing', error = :error WHERE tenant_id = :tenant_id AND id = :id`)
	checked = db.Scoped("servers.checked", `UPDATE mcp_servers SET status = :status, error = :error, checked_at = :now WHERE tenant_id = :tenant_id AND id = :id`)

	listTools = db.Scoped("servers.list_tools", `SELECT `+toolColumns+` FROM `+toolTables+` WHERE t.tenant_id = :tenant_id AND t.server_id = :server_id ORDER BY t.name`)
	allTools  = db.Scoped("servers.all_tools", `SELECT `+toolColumns+` FROM `+toolTables+` WHERE t.tenant_id = :tenant_id ORDER BY s.name, t.name`)
	getTool   = db.Scoped("servers.get_tool", `SELECT `+toolColumns+` FROM `+toolTables+` WHERE t.tenant_id = :tenant_id AND t.server_id = :server_id AND t.name = :name`)
	putTool   = db.Scoped("servers.put_tool", `INSERT INTO mcp_tools (tenant_id, server_id, name, description, parameters, annotations, problem, effect, hash, approved_hash, status, seen_at)
		VALUES (:tenant_id, :server_id, :name, :description, :parameters, :annotations, :problem, :effect, :hash, :approved_hash, :status, :now)
		ON CONFLICT (tenant_id, server_id, name) DO UPDATE SET description = excluded.description, parameters = excluded.parameters, annotations = excluded.annotations,
			problem = excluded.problem, hash = excluded.hash, approved_hash = excluded.approved_hash, status = excluded.status, seen_at = excluded.seen_at`)
	sawTool = db.Scoped("servers.saw_tool", `UPDATE mcp_tools SET seen_at = :now WHERE tenant_id = :tenant_id AND server_id = :server_id AND name = :name`)
	gone    = db.Scoped("servers.gone", `UPDATE mcp_tools SET status = 'gone' WHERE tenant_id = :tenant_id AND server_id = :server_id AND name = :name`)
	disable = db.Scoped("servers.disable", `UPDATE mcp_tools SET status = 'disabled', approved_hash = '' WHERE tenant_id = :tenant_id AND server_id = :server_id AND name = :name`)
	approve = db.Scoped("servers.approve", `UPDATE mcp_tools SET status = 'approved', approved_hash = :hash, effect = :effect
		WHERE tenant_id = :tenant_id AND server_id = :server_id AND name = :name AND hash = :hash AND status <> 'gone' AND status <> 'unusable'`)
)

type row struct {
	ID        string  `db:"id"`
	TenantID  string  `db:"tenant_id"`
	Name      string  `db:"name"`
	URL       string  `db:"url"`
	Auth      string  `db:"auth"`
	AuthName  string  `db:"auth_name"`
	Sealed    string  `db:"secret"`
	Status    string  `db:"status"`
	Error     string  `db:"error"`
	CheckedAt db.Time `db:"checked_at"`
	CreatedAt db.Time `db:"created_at"`
	UpdatedAt db.Time `db:"updated_at"`
}

type toolRow struct {
	TenantID     string  `db:"tenant_id"`
	ServerID     string  `db:"server_id"`
	ServerName   string  `db:"server_name"`
	Name         string  `db:"name"`
	Description  string  `db:"description"`
	Parameters   string  `db:"parameters"`
	Annotations  string  `db:"annotations"`
	Problem      string  `db:"problem"`
	Effect       string  `db:"effect"`
	Hash         string  `db:"hash"`
	ApprovedHash string  `db:"approved_hash"`
	Status       string  `db:"status"`
	SeenAt       db.Time `db:"seen_at"`
}

func (r toolRow) tool() Tool {
	return Tool{TenantID: r.TenantID, ServerID: r.ServerID, ServerName: r.ServerName, Name: r.Name, Description: r.Description, Parameters: []byte(r.Parameters),
		Annotations: []byte(r.Annotations), Problem: r.Problem, Effect: tool.Effect(r.Effect), Hash: r.Hash, ApprovedHash: r.ApprovedHash, Status: r.Status, SeenAt: r.SeenAt}
}

func toolsOf(rows []toolRow) []Tool {
	out := make([]Tool, len(rows))
	for i, r := range rows {
		out[i] = r.tool()
	}
	return out
}

// Insert stores a server. A name that the tenant uses already is a conflict.
func Insert(ctx context.Context, q db.Querier, s Server) error {
	_, err := insert.Exec(ctx, q, db.TenantOf(s.TenantID), db.Args{"id": s.ID, "name": s.Name, "url": s.URL, "auth": s.Auth, "auth_name": s.AuthName, "secret": db.OrNull(s.Sealed),
		"status": s.Status, "created_at": s.CreatedAt})
	if fault.Is(err, fault.Conflict) {
		return fault.Wrap(err, fault.Conflict, "there is an MCP server of this name already").WithParam("name")
	}
	return err
}

// Get reads a server of the tenant by its id or its name.
func Get(ctx context.Context, q db.Querier, t db.Tenant, idOrName string) (Server, error) {
	var r row
	err := get.Get(ctx, q, t, &r, db.Args{"id": idOrName})
	if fault.Is(err, fault.NotFound) {
		return Server{}, notFound()
	}
	return Server(r), err
}

// List reads up to limit servers of the tenant that come after the position, newest first.
func List(ctx context.Context, q db.Querier, t db.Tenant, at time.Time, id string, limit int) ([]Server, error) {
	var rows []row
	if err := list.Select(ctx, q, t, &rows, db.Args{"at": db.At(at), "id": id, "limit": limit}); err != nil {
		return nil, err
	}
	out := make([]Server, len(rows))
	for i, r := range rows {
		out[i] = Server(r)
	}
	return out, nil
}

// Tools reads what a server listed last, by name.
func Tools(ctx context.Context, q db.Querier, t db.Tenant, serverID string) ([]Tool, error) {
	var rows []toolRow
	err := listTools.Select(ctx, q, t, &rows, db.Args{"server_id": serverID})
	return toolsOf(rows), err
}

// AllTools reads the tools of all of the tenant's servers, in whatever state, by server and name.
func AllTools(ctx context.Context, q db.Querier, t db.Tenant) ([]Tool, error) {
	var rows []toolRow
	err := allTools.Select(ctx, q, t, &rows, db.Args{})
	return toolsOf(rows), err
}

// GetTool reads one tool by its server's id and its own name in the server's words.
func GetTool(ctx context.Context, q db.Querier, t db.Tenant, serverID, name string) (Tool, error) {
	var r toolRow
	err := getTool.Get(ctx, q, t, &r, db.Args{"server_id": serverID, "name": name})
	if fault.Is(err, fault.NotFound) {
		return Tool{}, toolNotFound()
	}
	return r.tool(), err
}
