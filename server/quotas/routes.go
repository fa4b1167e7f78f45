package quotas

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
)

// Routes serves usage to the tenant itself and to the operator.
type Routes struct {
	DB *db.DB
	// Tenant turns an id or a name into an existing tenant's id and its monthly budget.
	Tenant func(ctx context.Context, q db.Querier, idOrName string) (id string, monthly int64, err error)
}

// UsageBody is a tenant's month.
type UsageBody struct {
	Period         string `json:"period" doc:"The calendar month (UTC), YYYY-MM"`
	Requests       int64  `json:"requests"`
	InputTokens    int64  `json:"input_tokens"`
	OutputTokens   int64  `json:"output_tokens"`
	UsedTokens     int64  `json:"used_tokens" doc:"Input and output"`
	ReservedTokens int64  `json:"reserved_tokens" doc:"Set aside for calls under way"`
	MonthlyTokens  int64  `json:"monthly_tokens" doc:"The budget; 0 is no limit"`
}

// PeriodParam chooses a month.
type PeriodParam struct {
	Period string `query:"period" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" patternDescription:"a month as YYYY-MM" doc:"The month; empty is this one"`
}

type (
	adminIn struct {
		api.TenantPath
		PeriodParam
	}
	usageOut struct{ Body UsageBody }
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	api.Handle(a, api.KeyWith(auth.ScopeUsage), huma.Operation{OperationID: "get-usage", Method: "GET", Path: "/v1/usage", Summary: "Read this tenant's usage of a month",
		Tags: []string{"usage"}}, func(ctx context.Context, in *PeriodParam) (*usageOut, error) {
		return r.usage(ctx, auth.From(ctx).TenantID, in.Period)
	})
	api.Handle(a, api.OperatorOnly(), huma.Operation{OperationID: "get-tenant-usage", Method: "GET", Path: "/admin/tenants/{tenant}/usage", Summary: "Read a tenant's usage of a month",
		Tags: []string{"usage"}}, func(ctx context.Context, in *adminIn) (*usageOut, error) { return r.usage(ctx, in.Tenant, in.Period) })
}

func (r Routes) usage(ctx context.Context, tenant, period string) (*usageOut, error) {
	if period == "" {
		period = Period(time.Now())
	}
	var u Usage
	var monthly int64
	err := r.DB.Read(ctx, func(q db.Querier) error {
		id, limit, err := r.Tenant(ctx, q, tenant)
		if err != nil {
			return err
		}
		monthly = limit
		u, err = Month(ctx, q, db.TenantOf(id), period)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &usageOut{Body: UsageBody{u.Period, u.Requests, u.Input, u.Output, u.Used, u.Reserved, monthly}}, nil
}
