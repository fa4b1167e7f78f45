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
	// Tenant turns an id or a name into an existing tenant's id and its monthly budgets of tokens and micro-dollars.
	Tenant func(ctx context.Context, q db.Querier, idOrName string) (id string, tokens, micros int64, err error)
}

// UsageBody is a tenant's month.
type UsageBody struct {
	Period             string           `json:"period" doc:"The calendar month (UTC), YYYY-MM"`
	Requests           int64            `json:"requests" doc:"Calls of a model, those whose answer was thrown away included"`
	UnpricedRequests   int64            `json:"unpriced_requests" doc:"Those whose price is unknown; cost_micros is without them"`
	InputTokens        int64            `json:"input_tokens"`
	OutputTokens       int64            `json:"output_tokens"`
	UsedTokens         int64            `json:"used_tokens" doc:"Input and output"`
	ReservedTokens     int64            `json:"reserved_tokens" doc:"Set aside for calls under way"`
	MonthlyTokens      int64            `json:"monthly_tokens" doc:"The budget; 0 is no limit"`
	CostMicros         int64            `json:"cost_micros" doc:"Micro-dollars"`
	ReservedCostMicros int64            `json:"reserved_cost_micros" doc:"Micro-dollars set aside for calls under way"`
	MonthlyCostMicros  int64            `json:"monthly_cost_micros" doc:"The budget in micro-dollars; 0 is no limit"`
	Models             []ModelUsageBody `json:"models" nullable:"false" doc:"By model, the dearest first, 50 at most"`
}

// ModelUsageBody is what one model was used for.
type ModelUsageBody struct {
	Model            string `json:"model" doc:"provider/model"`
	Requests         int64  `json:"requests"`
	UnpricedRequests int64  `json:"unpriced_requests" doc:"Those whose price is unknown; cost_micros is without them"`
	InputTokens      int64  `json:"input_tokens"`
	OutputTokens     int64  `json:"output_tokens"`
	CostMicros       int64  `json:"cost_micros" doc:"Micro-dollars"`
}

// TenantUsageBody is one tenant's part of a month.
type TenantUsageBody struct {
	TenantID         string `json:"tenant_id"`
	TenantName       string `json:"tenant_name" doc:"Empty when the tenant was deleted; what it used stays on the books"`
	Period           string `json:"period" doc:"The calendar month (UTC), YYYY-MM"`
	Requests         int64  `json:"requests" doc:"Calls of a model, those whose answer was thrown away included"`
	UnpricedRequests int64  `json:"unpriced_requests" doc:"Those whose price is unknown; cost_micros is without them"`
	InputTokens      int64  `json:"input_tokens"`
	OutputTokens     int64  `json:"output_tokens"`
	UsedTokens       int64  `json:"used_tokens" doc:"Input and output"`
	CostMicros       int64  `json:"cost_micros" doc:"Micro-dollars"`
}

const shownModels = 50

// PeriodParam chooses a month.
type PeriodParam struct {
	Period string `query:"period" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" patternDescription:"a month as YYYY-MM" doc:"The month; empty is this one"`
}

type (
	adminIn struct {
		api.TenantPath
		PeriodParam
	}
	listIn struct {
		api.PageParams
		PeriodParam
	}
	usageOut struct{ Body UsageBody }
	listOut  struct{ Body api.Page[TenantUsageBody] }
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	api.Handle(a, api.KeyWith(auth.ScopeUsage), huma.Operation{OperationID: "get-usage", Method: "GET", Path: "/v1/usage", Summary: "Read this tenant's usage of a month",
		Tags: []string{"usage"}}, func(ctx context.Context, in *PeriodParam) (*usageOut, error) {
		return r.usage(ctx, auth.From(ctx).TenantID, *in)
	})
	api.Handle(a, api.OperatorOnly(), huma.Operation{OperationID: "get-tenant-usage", Method: "GET", Path: "/admin/tenants/{tenant}/usage", Summary: "Read a tenant's usage of a month",
		Tags: []string{"usage"}}, func(ctx context.Context, in *adminIn) (*usageOut, error) {
		return r.usage(ctx, in.Tenant, in.PeriodParam)
	})
	api.Handle(a, api.OperatorOnly(), huma.Operation{OperationID: "list-usage", Method: "GET", Path: "/admin/usage", Summary: "List what every tenant has used in a month, the newest tenant first",
		Tags: []string{"usage"}}, r.list)
}

func (p PeriodParam) period() string {
	if p.Period == "" {
		return Period(time.Now())
	}
	return p.Period
}

func (r Routes) usage(ctx context.Context, tenant string, p PeriodParam) (*usageOut, error) {
	var u Usage
	var b UsageBody
	var models []ModelUsage
	err := r.DB.Read(ctx, func(q db.Querier) (err error) {
		var id string
		if id, b.MonthlyTokens, b.MonthlyCostMicros, err = r.Tenant(ctx, q, tenant); err != nil {
			return err
		}
		t := db.TenantOf(id)
		if u, err = Month(ctx, q, t, p.period()); err != nil {
			return err
		}
		models, err = Models(ctx, q, t, u.Period, shownModels)
		return err
	})
	if err != nil {
		return nil, err
	}
	b.Period, b.Requests, b.UnpricedRequests, b.InputTokens, b.OutputTokens = u.Period, u.Requests, u.Unpriced, u.Input, u.Output
	b.UsedTokens, b.ReservedTokens, b.CostMicros, b.ReservedCostMicros = u.Used, u.Reserved, u.UsedMicros, u.ReservedMicros
	b.Models = make([]ModelUsageBody, len(models))
	for i, m := range models {
		b.Models[i] = ModelUsageBody{Model: m.Model, Requests: m.Requests, UnpricedRequests: m.Unpriced, InputTokens: m.Input, OutputTokens: m.Output, CostMicros: m.Micros}
	}
	return &usageOut{Body: b}, nil
}

func (r Routes) list(ctx context.Context, in *listIn) (*listOut, error) {
	before := ""
	if in.Cursor != "" {
		var err error
		if _, before, err = api.ParseTimeCursor(in.Cursor); err != nil {
			return nil, err
		}
	}
	period := in.period()
	var rows []TenantUsage
	err := r.DB.Read(ctx, func(q db.Querier) (err error) {
		rows, err = Tenants(ctx, q, period, before, in.Limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	body := func(u TenantUsage) TenantUsageBody {
		return TenantUsageBody{TenantID: u.TenantID, TenantName: u.Name, Period: period, Requests: u.Requests, UnpricedRequests: u.Unpriced, InputTokens: u.Input, OutputTokens: u.Output,
			UsedTokens: u.Input + u.Output, CostMicros: u.Micros}
	}
	// The order is that of the ids, which begin with the time they were made.
	return &listOut{Body: api.PageOf(rows, in.Limit, body, func(u TenantUsage) string { return api.TimeCursor(time.UnixMicro(0), u.TenantID) })}, nil
}
