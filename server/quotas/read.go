package quotas

import (
	"context"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

var (
	month = db.Scoped("quotas.month", `SELECT used_tokens, reserved_tokens, used_micros, reserved_micros, requests FROM usage_periods WHERE tenant_id = :tenant_id AND period = :period`)
	sums  = db.Scoped("quotas.sums", `SELECT `+counts+` FROM usage_ledger WHERE tenant_id = :tenant_id AND period = :period`)
	// A price of zero is a price, so what was unpriced shows in the version alone.
	byModel = db.Scoped("quotas.by_model", `SELECT model, `+counts+` FROM usage_ledger WHERE tenant_id = :tenant_id AND period = :period
		GROUP BY model ORDER BY micros DESC, requests DESC, model LIMIT :limit`)

	// The ledger is what counts for a bill, and it outlives its tenant.
	byTenant = db.System("quotas.by_tenant", `SELECT s.*, COALESCE(t.name, '') AS name FROM
		(SELECT tenant_id, `+counts+` FROM usage_ledger WHERE period = :period AND (:before = '' OR tenant_id < :before) GROUP BY tenant_id ORDER BY tenant_id DESC LIMIT :limit) s
		LEFT JOIN tenants t ON t.id = s.tenant_id ORDER BY s.tenant_id DESC`)
)

const counts = `COUNT(*) AS requests, COALESCE(SUM(input_tokens), 0) AS input, COALESCE(SUM(output_tokens), 0) AS output, COALESCE(SUM(cost_micros), 0) AS micros,
	COALESCE(SUM(CASE WHEN price_version = '' THEN 1 ELSE 0 END), 0) AS unpriced`

// Month reads a tenant's usage of a period.
func Month(ctx context.Context, q db.Querier, t db.Tenant, period string) (Usage, error) {
	u := Usage{Period: period}
	var m totals
	err := month.Get(ctx, q, t, &m, db.Args{"period": period})
	if fault.Is(err, fault.NotFound) {
		return u, nil
	}
	if err != nil {
		return u, err
	}
	var s ModelUsage // of all models together
	if err := sums.Get(ctx, q, t, &s, db.Args{"period": period}); err != nil {
		return u, err
	}
	u.Used, u.Reserved, u.UsedMicros, u.ReservedMicros, u.Requests = m.Used, m.Reserved, m.UsedMicros, m.ReservedMicros, m.Requests
	u.Input, u.Output, u.Unpriced = s.Input, s.Output, s.Unpriced
	return u, nil
}

// Left reads what a tenant has used and reserved of a period's money, in micro-dollars. It takes no lock: what it says may be taken a moment later, and Reserve decides.
func Left(ctx context.Context, q db.Querier, t db.Tenant, period string) (used, reserved int64, err error) {
	var m totals
	err = month.Get(ctx, q, t, &m, db.Args{"period": period})
	if fault.Is(err, fault.NotFound) {
		return 0, 0, nil
	}
	return m.UsedMicros, m.ReservedMicros, err
}

// Models reads what up to limit models were used for in a tenant's period, the dearest first.
func Models(ctx context.Context, q db.Querier, t db.Tenant, period string, limit int) (rows []ModelUsage, err error) {
	err = byModel.Select(ctx, q, t, &rows, db.Args{"period": period, "limit": limit})
	return rows, err
}

// Tenants reads the usage of up to limit tenants in a period, those that are deleted included, the newest first: those before an id, or from the start when it is empty.
func Tenants(ctx context.Context, q db.Querier, period, before string, limit int) (rows []TenantUsage, err error) {
	err = byTenant.Select(ctx, q, &rows, db.Args{"period": period, "before": before, "limit": limit})
	return rows, err
}
