package tenants

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
)

func newList(env *cli.Env) *cobra.Command {
	limit := 0
	return cli.Verb{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List tenants, newest first",
		Example: "clawless tenant list\nclawless tenant list -q",
		Flags:   func(fs *pflag.FlagSet) { fs.IntVar(&limit, "limit", 0, "list `N` at most (default: all)") },
		Run: func(ctx context.Context, _ []string) error {
			c, err := env.Admin()
			if err != nil {
				return err
			}
			list, err := cli.Collect(c.ListTenantsAll(ctx, nil), limit)
			if err != nil {
				return err
			}
			return view.List(env.Printer(), list)
		},
	}.Command()
}

func newGet(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "get TENANT",
		Aliases:  []string{"show"},
		Short:    "Show a tenant, by name or id",
		Example:  "clawless tenant get acme\nclawless tenant get acme -o yaml",
		Complete: Names(env),
		Run: func(ctx context.Context, args []string) error {
			c, err := env.Admin()
			if err != nil {
				return err
			}
			t, err := c.GetTenant(ctx, args[0])
			if err != nil {
				return err
			}
			return view.One(env.Printer(), *t)
		},
	}.Command()
}

// Names completes the names of tenants.
func Names(env *cli.Env) func(context.Context, []string) []string {
	return func(ctx context.Context, args []string) []string {
		if len(args) > 0 {
			return nil
		}
		return cli.TenantNames(ctx, env)
	}
}
