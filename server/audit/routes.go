package audit

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/db"
)

// Routes serves the log to the operator.
type Routes struct{ DB *db.DB }

// AuditEntry is the wire form of one change.
type AuditEntry struct {
	ID        string    `json:"id"`
	TenantID  string    `json:"tenant_id" doc:"The tenant that was changed"`
	Actor     string    `json:"actor" doc:"The id of the key or visitor that did it; system for the server itself"`
	Action    string    `json:"action" doc:"noun.verb, such as key.revoke"`
	Target    string    `json:"target" doc:"The id of what was changed"`
	RequestID string    `json:"request_id"`
	CreatedAt time.Time `json:"created_at"`
}

type listOut struct{ Body api.Page[AuditEntry] }

// Register adds the operation.
func (r Routes) Register(a *api.API) {
	api.Handle(a, api.OperatorOnly(), huma.Operation{OperationID: "list-audit", Method: "GET", Path: "/admin/audit", Summary: "List changes, newest first",
		Tags: []string{"audit"}}, r.list)
}

func (r Routes) list(ctx context.Context, in *api.PageParams) (*listOut, error) {
	at, id, err := api.ParseTimeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []Entry
	err = r.DB.Read(ctx, func(q db.Querier) error {
		rows, err = List(ctx, q, at, id, in.Limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	wire := func(e Entry) AuditEntry {
		return AuditEntry{e.ID, e.TenantID, e.Actor, e.Action, e.Target, e.RequestID, e.CreatedAt.Time}
	}
	return &listOut{Body: api.PageOf(rows, in.Limit, wire, func(e Entry) string { return api.TimeCursor(e.CreatedAt.Time, e.ID) })}, nil
}
