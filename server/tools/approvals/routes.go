package approvals

import (
	"context"
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/tool"
)

// Routes lets those who may see a run decide what its tools wait for.
type Routes struct {
	DB *db.DB
	// Decided is told after a decision was stored, so that the run goes on. It may be nil.
	Decided func(tenantID, runID, approvalID string)
}

// ApprovalBody is the wire form of an approval.
type ApprovalBody struct {
	ID        string          `json:"id"`
	RunID     string          `json:"run_id"`
	SessionID string          `json:"session_id"`
	CallID    string          `json:"call_id" doc:"The model's id of the call"`
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments" doc:"Without credentials; long ones are cut and then a text"`
	Taint     []tool.Taint    `json:"taint" nullable:"false" doc:"What the turn has read that a stranger wrote"`
	Status    string          `json:"status" enum:"pending,approved,denied,expired"`
	DecidedBy string          `json:"decided_by,omitempty" doc:"The id of the key or the visitor; never shown to widget visitors"`
	CreatedAt time.Time       `json:"created_at"`
	DecidedAt *time.Time      `json:"decided_at,omitempty"`
	ExpiresAt time.Time       `json:"expires_at"`
}

// ApproveRequest decides an approval.
type ApproveRequest struct {
	ApprovalID string `json:"approval_id" minLength:"1" maxLength:"64"`
	Decision   string `json:"decision" enum:"approve,deny"`
}

// ApprovalList is what a run asked for, oldest first.
type ApprovalList struct {
	Data []ApprovalBody `json:"data" nullable:"false"`
}

// RunPath names a run.
type RunPath struct {
	Run string `path:"run" maxLength:"64" doc:"The run's id"`
}

type (
	decideIn struct {
		RunPath
		api.Idempotent
		Body ApproveRequest
	}
	approvalOut struct{ Body ApprovalBody }
	listOut     struct{ Body ApprovalList }
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	may := api.KeyOrVisitor(auth.ScopeChat)
	api.Handle(a, may, huma.Operation{OperationID: "approve-run", Method: "POST", Path: "/v1/runs/{run}/approve", Summary: "Approve or deny a tool call that a run waits for", Tags: []string{"runs"},
		Description: "A decision holds for that call with those arguments alone, and is made once: a second one is a conflict, and so is one that comes too late."}, r.decide)
	api.Handle(a, may, huma.Operation{OperationID: "list-run-approvals", Method: "GET", Path: "/v1/runs/{run}/approvals", Summary: "List the tool calls that a run asked about, oldest first",
		Tags: []string{"runs"}}, r.list)
}

func (r Routes) decide(ctx context.Context, in *decideIn) (*approvalOut, error) {
	p := auth.From(ctx)
	t := db.TenantOf(p.TenantID)
	var a Approval
	err := r.DB.Write(ctx, func(q db.Querier) (err error) {
		if err = seen(ctx, q, t, p.VisitorID, in.Run); err != nil {
			return err
		}
		a, err = Decide(ctx, q, t, Decision{ID: in.Body.ApprovalID, RunID: in.Run, Owner: p.VisitorID, By: p.Actor(), Approve: in.Body.Decision == "approve"}, time.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	if r.Decided != nil {
		r.Decided(p.TenantID, a.RunID, a.ID)
	}
	return &approvalOut{Body: wire(ctx, a)}, nil
}

func (r Routes) list(ctx context.Context, in *RunPath) (*listOut, error) {
	p := auth.From(ctx)
	t := db.TenantOf(p.TenantID)
	var rows []Approval
	err := r.DB.Read(ctx, func(q db.Querier) (err error) {
		if err = seen(ctx, q, t, p.VisitorID, in.Run); err != nil {
			return err
		}
		rows, err = OfRun(ctx, q, t, p.VisitorID, in.Run)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := ApprovalList{Data: make([]ApprovalBody, len(rows))}
	now := time.Now()
	for i, a := range rows {
		out.Data[i] = wire(ctx, a.at(now))
	}
	return &listOut{Body: out}, nil
}

// seen refuses a run that the caller does not see.
func seen(ctx context.Context, q db.Querier, t db.Tenant, owner, runID string) error {
	var n int
	if err := run.Get(ctx, q, t, &n, db.Args{"run_id": runID, "owner": owner}); err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.NotFound, "no such run")
	}
	return nil
}

func wire(ctx context.Context, a Approval) ApprovalBody {
	b := ApprovalBody{ID: a.ID, RunID: a.RunID, SessionID: a.SessionID, CallID: a.CallID, Tool: a.Tool, Arguments: a.Arguments, Taint: a.Taints, Status: string(a.Status),
		CreatedAt: a.CreatedAt.Time, ExpiresAt: a.ExpiresAt.Time}
	if b.Taint == nil {
		b.Taint = []tool.Taint{}
	}
	if auth.From(ctx).Kind != auth.Visitor {
		b.DecidedBy = a.DecidedBy
	}
	if !a.DecidedAt.IsZero() {
		b.DecidedAt = &a.DecidedAt.Time
	}
	return b
}
