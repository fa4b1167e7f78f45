package retention

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
)

// Routes lets a tenant see what its retention deletes, and has it done at once.
type Routes struct{ Keeper Keeper }

// RetentionBody says how long sessions are kept, and what is too old now.
type RetentionBody struct {
	Days        int        `json:"days" doc:"Days after which a session that nobody uses is deleted; 0 is never"`
	WouldDelete int64      `json:"would_delete" doc:"Sessions that the next run deletes; pinned ones and those with a run under way are kept"`
	Oldest      *time.Time `json:"oldest" doc:"When the session was last used that nobody has used for longest, pinned ones aside"`
}

// RunRetentionRequest says whether a run deletes.
type RunRetentionRequest struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Only count"`
}

// RetentionRunBody is what a run deleted, or would.
type RetentionRunBody struct {
	Days     int   `json:"days"`
	DryRun   bool  `json:"dry_run"`
	Sessions int64 `json:"sessions"`
	Messages int64 `json:"messages"`
}

type (
	runIn struct {
		api.Idempotent
		Body *RunRetentionRequest `required:"false"`
	}
	planOut struct{ Body RetentionBody }
	runOut  struct{ Body RetentionRunBody }
	empty   struct{}
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	api.Handle(a, api.KeyWith(auth.ScopeSessionsRead), huma.Operation{OperationID: "get-retention", Method: "GET", Path: "/v1/retention", Tags: []string{"sessions"},
		Summary: "See how long conversations are kept, and how many are too old"}, r.plan)
	api.Handle(a, api.KeyWith(auth.ScopeSessionsWrite), huma.Operation{OperationID: "run-retention", Method: "POST", Path: "/v1/retention/run", Tags: []string{"sessions"},
		Summary: "Delete the conversations that are too old, or count them"}, r.run)
}

func (r Routes) plan(ctx context.Context, _ *empty) (*planOut, error) {
	p, err := r.Keeper.Plan(ctx, auth.From(ctx).TenantID, time.Now())
	if err != nil {
		return nil, err
	}
	b := RetentionBody{Days: p.Days, WouldDelete: p.Sessions}
	if !p.Oldest.IsZero() {
		b.Oldest = &p.Oldest.Time
	}
	return &planOut{Body: b}, nil
}

func (r Routes) run(ctx context.Context, in *runIn) (*runOut, error) {
	do, dry := r.Keeper.Run, in.Body != nil && in.Body.DryRun
	if dry {
		do = r.Keeper.Plan
	}
	p, err := do(ctx, auth.From(ctx).TenantID, time.Now())
	if err != nil {
		return nil, err
	}
	return &runOut{Body: RetentionRunBody{Days: p.Days, DryRun: dry, Sessions: p.Sessions, Messages: p.Messages}}, nil
}
