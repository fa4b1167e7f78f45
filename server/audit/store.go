package audit

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
)

// The log is the operator's and outlives its tenants, so its statements are not a tenant's.
var (
	insert = db.System("audit.insert", `INSERT INTO audit_log (id, tenant_id, actor, action, target, outcome, detail, request_id, created_at)
		VALUES (:id, :tenant_id, :actor, :action, :target, 'ok', '{}', :request_id, :created_at)`)
	list = db.System("audit.list", `SELECT id, COALESCE(tenant_id, '') AS tenant_id, actor, action, target, request_id, created_at FROM audit_log
		WHERE created_at < :at OR (created_at = :at AND id < :id)
		ORDER BY created_at DESC, id DESC LIMIT :limit`)
)

type row struct {
	ID        string  `db:"id"`
	TenantID  string  `db:"tenant_id"`
	Actor     string  `db:"actor"`
	Action    string  `db:"action"`
	Target    string  `db:"target"`
	RequestID string  `db:"request_id"`
	CreatedAt db.Time `db:"created_at"`
}

// List reads up to limit entries that come after the position, newest first.
func List(ctx context.Context, q db.Querier, at time.Time, id string, limit int) ([]Entry, error) {
	var rows []row
	if err := list.Select(ctx, q, &rows, db.Args{"at": db.At(at), "id": id, "limit": limit}); err != nil {
		return nil, err
	}
	out := make([]Entry, len(rows))
	for i, r := range rows {
		out[i] = Entry(r)
	}
	return out, nil
}
