package tenants

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

var usageView = cli.View[sdk.Usage]{
	ID: func(u sdk.Usage) string { return u.Period },
	Columns: []cli.Column[sdk.Usage]{
		{Head: "PERIOD", Cell: func(u sdk.Usage) any { return u.Period }},
		{Head: "REQUESTS", Cell: func(u sdk.Usage) any { return u.Requests }},
		{Head: "INPUT TOKENS", Cell: func(u sdk.Usage) any { return u.InputTokens }},
		{Head: "OUTPUT TOKENS", Cell: func(u sdk.Usage) any { return u.OutputTokens }},
		{Head: "USED", Cell: func(u sdk.Usage) any { return u.UsedTokens }},
		{Head: "RESERVED", Cell: func(u sdk.Usage) any { return u.ReservedTokens }},
		{Head: "BUDGET", Cell: func(u sdk.Usage) any { return limit(u.MonthlyTokens) }},
		{Head: "COST", Cell: func(u sdk.Usage) any { return cost(u.CostMicros, u.UnpricedRequests) }},
		{Head: "RESERVED COST", Cell: func(u sdk.Usage) any { return money(u.ReservedCostMicros) }},
		{Head: "COST BUDGET", Cell: func(u sdk.Usage) any { return limitDollars(u.MonthlyCostMicros) }},
	},
}

var modelsView = cli.View[sdk.ModelUsage]{
	ID: func(m sdk.ModelUsage) string { return m.Model },
	Columns: []cli.Column[sdk.ModelUsage]{
		{Head: "MODEL", Cell: func(m sdk.ModelUsage) any { return m.Model }},
		{Head: "REQUESTS", Cell: func(m sdk.ModelUsage) any { return m.Requests }},
		{Head: "INPUT TOKENS", Cell: func(m sdk.ModelUsage) any { return m.InputTokens }},
		{Head: "OUTPUT TOKENS", Cell: func(m sdk.ModelUsage) any { return m.OutputTokens }},
		{Head: "COST", Cell: func(m sdk.ModelUsage) any { return cost(m.CostMicros, m.UnpricedRequests) }},
	},
}

var tenantsView = cli.View[sdk.TenantUsage]{
	ID:    func(u sdk.TenantUsage) string { return u.TenantID },
	Empty: "nobody has used anything in that month",
	Columns: []cli.Column[sdk.TenantUsage]{
		{Head: "TENANT", Cell: func(u sdk.TenantUsage) any { return cmp.Or(u.TenantName, "(deleted)") }},
		{Head: "ID", Cell: func(u sdk.TenantUsage) any { return u.TenantID }, Fixed: true},
		{Head: "PERIOD", Cell: func(u sdk.TenantUsage) any { return u.Period }},
		{Head: "REQUESTS", Cell: func(u sdk.TenantUsage) any { return u.Requests }},
		{Head: "INPUT TOKENS", Cell: func(u sdk.TenantUsage) any { return u.InputTokens }},
		{Head: "OUTPUT TOKENS", Cell: func(u sdk.TenantUsage) any { return u.OutputTokens }},
		{Head: "COST", Cell: func(u sdk.TenantUsage) any { return cost(u.CostMicros, u.UnpricedRequests) }},
	},
}

// cost says what is known of an amount: requests whose price is unknown are not in it.
func cost(micros, unpriced int64) string {
	if unpriced > 0 {
		return fmt.Sprintf("%s and %d unpriced", money(micros), unpriced)
	}
	return money(micros)
}

type usageOptions struct {
	env    *cli.Env
	period string
}

func newUsage(env *cli.Env) *cobra.Command {
	o := usageOptions{env: env}
	return cli.Verb{
		Use:      "usage [TENANT]",
		Short:    "Show what a tenant has used of its month, or what each of them has",
		Example:  "clawless tenant usage acme\nclawless tenant usage acme --period 2026-01 -o json\n# all tenants, for the bills\nclawless tenant usage --period 2026-01 -o json",
		Complete: Names(env),
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.period, "period", "", "`MONTH` as YYYY-MM (default: this one)")
		},
		Run: func(ctx context.Context, args []string) error {
			if len(args) == 0 {
				return o.all(ctx)
			}
			return o.one(ctx, args[0])
		},
	}.Command()
}

func (o usageOptions) all(ctx context.Context) error {
	c, err := o.env.Admin()
	if err != nil {
		return err
	}
	list, err := cli.Collect(c.ListUsageAll(ctx, &sdk.ListUsageParams{Period: o.period}), 0)
	if err != nil {
		return err
	}
	return tenantsView.List(o.env.Printer(), list)
}

func (o usageOptions) one(ctx context.Context, tenant string) error {
	c, err := o.env.Admin()
	if err != nil {
		return err
	}
	u, err := c.GetTenantUsage(ctx, tenant, &sdk.GetTenantUsageParams{Period: o.period})
	if err != nil {
		return err
	}
	p := o.env.Printer()
	if err := usageView.One(p, *u); err != nil || p.Quiet || p.Format.Machine() || len(u.Models) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(o.env.Out); err != nil {
		return err
	}
	return modelsView.List(p, u.Models)
}
