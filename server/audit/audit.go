// Package audit keeps the append-only record of who changed what; a change that cannot be recorded does not happen.
package audit

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
)

// Entry is one change. It names ids only: never a key, a prompt or a name.
type Entry struct {
	ID        string
	TenantID  string // the tenant that was changed
	Actor     string // the id of the key or visitor that did it; "system" for the server itself
	Action    string // noun.verb, such as key.revoke
	Target    string // the id of what was changed
	RequestID string
	CreatedAt db.Time
}

// Record writes an entry in the transaction of the change it describes. The actor and the request come from the context.
func Record(ctx context.Context, q db.Querier, tenantID, action, target string) error {
	actor := auth.From(ctx).Actor()
	if actor == "" {
		actor = "system"
	}
	_, err := insert.Exec(ctx, q, db.Args{"id": ids.New(ids.Audit), "tenant_id": tenantID, "actor": actor, "action": action, "target": target,
		"request_id": api.RequestID(ctx), "created_at": db.At(time.Now())})
	return err
}
