package tools

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
)

const columns = `id, tenant_id, name, description, parameters, effect, method, url, auth, auth_name, COALESCE(secret, '') AS secret, timeout_ms, max_bytes, status, version,
	created_at, updated_at`

var (
	insert = db.Scoped("tools.insert", `INSERT INTO tenant_tools (tenant_id, id, name, description, parameters, effect, method, url, auth, auth_name, secret, timeout_ms, max_bytes,
		status, version, created_at, updated_at)
		VALUES (:tenant_id, :id, :name, :description, :parameters, :effect, :method, :url, :auth, :auth_name, :secret, :timeout_ms, :max_bytes, :status, 1, :now, :now)`)
	get    = db.Scoped("tools.get", `SELECT `+columns+` FROM tenant_tools WHERE tenant_id = :tenant_id AND (id = :id OR name = :id)`)
	list   = db.Scoped("tools.list", `SELECT `+columns+` FROM tenant_tools WHERE tenant_id = :tenant_id ORDER BY name`)
	count  = db.Scoped("tools.count", `SELECT COUNT(*) FROM tenant_tools WHERE tenant_id = :tenant_id`)
	update = db.Scoped("tools.update", `UPDATE tenant_tools SET name = :name, description = :description, parameters = :parameters, effect = :effect, method = :method, url = :url,
		auth = :auth, auth_name = :auth_name, secret = :secret, timeout_ms = :timeout_ms, max_bytes = :max_bytes, status = :status, version = version + 1, updated_at = :now
		WHERE tenant_id = :tenant_id AND id = :id AND version = :version`)
	remove = db.Scoped("tools.delete", `DELETE FROM tenant_tools WHERE tenant_id = :tenant_id AND id = :id`)
)

type row struct {
	ID          string  `db:"id"`
	TenantID    string  `db:"tenant_id"`
	Name        string  `db:"name"`
	Description string  `db:"description"`
	Parameters  string  `db:"parameters"`
	Effect      string  `db:"effect"`
	Method      string  `db:"method"`
	URL         string  `db:"url"`
	Auth        string  `db:"auth"`
	AuthName    string  `db:"auth_name"`
	Sealed      string  `db:"secret"`
	TimeoutMS   int64   `db:"timeout_ms"`
	MaxBytes    int64   `db:"max_bytes"`
	Status      string  `db:"status"`
	Version     int64   `db:"version"`
	CreatedAt   db.Time `db:"created_at"`
	UpdatedAt   db.Time `db:"updated_at"`
}

func (r row) tool() Tool {
	return Tool{ID: r.ID, TenantID: r.TenantID, Name: r.Name, Description: r.Description, Parameters: []byte(r.Parameters), Effect: tool.Effect(r.Effect), Method: r.Method, URL: r.URL,
		Auth: credential.Kind(r.Auth), AuthName: r.AuthName, Sealed: r.Sealed, Timeout: time.Duration(r.TimeoutMS) * time.Millisecond, MaxBytes: int(r.MaxBytes), Status: r.Status,
		Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
}

func (t Tool) args() db.Args {
	return db.Args{"id": t.ID, "name": t.Name, "description": t.Description, "parameters": string(t.Parameters), "effect": string(t.Effect), "method": t.Method, "url": t.URL,
		"auth": string(t.Auth), "auth_name": t.AuthName, "secret": db.OrNull(t.Sealed), "timeout_ms": t.Timeout.Milliseconds(), "max_bytes": t.MaxBytes, "status": t.Status}
}

// Insert stores a tool. A name that the tenant uses already is a conflict.
func Insert(ctx context.Context, q db.Querier, t Tool) error {
	args := t.args()
	args["now"] = t.CreatedAt
	_, err := insert.Exec(ctx, q, db.TenantOf(t.TenantID), args)
	return taken(err)
}

// Update stores a tool over the version that was read. A newer one is a stale_version.
func Update(ctx context.Context, q db.Querier, t Tool, now time.Time) error {
	args := t.args()
	args["now"], args["version"] = db.At(now), t.Version
	n, err := update.Exec(ctx, q, db.TenantOf(t.TenantID), args)
	if err == nil && n == 0 {
		return stale()
	}
	return taken(err)
}

func taken(err error) error {
	if fault.Is(err, fault.Conflict) {
		return fault.Wrap(err, fault.Conflict, "there is a tool of this name already").WithParam("name")
	}
	return err
}

// Get reads a tool of the tenant by its id or its name.
func Get(ctx context.Context, q db.Querier, t db.Tenant, idOrName string) (Tool, error) {
	var r row
	err := get.Get(ctx, q, t, &r, db.Args{"id": idOrName})
	if fault.Is(err, fault.NotFound) {
		return Tool{}, notFound()
	}
	if err != nil {
		return Tool{}, err
	}
	return r.tool(), nil
}

// List reads the tenant's tools, by name; there are at most MaxTools.
func List(ctx context.Context, q db.Querier, t db.Tenant) ([]Tool, error) {
	var rows []row
	if err := list.Select(ctx, q, t, &rows, db.Args{}); err != nil {
		return nil, err
	}
	out := make([]Tool, len(rows))
	for i, r := range rows {
		out[i] = r.tool()
	}
	return out, nil
}
