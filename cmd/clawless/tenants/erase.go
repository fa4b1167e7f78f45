package tenants

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/download"
	"github.com/clawless/clawless/sdk"
)

func newExport(env *cli.Env) *cobra.Command {
	out := ""
	return cli.Verb{
		Use:      "export TENANT",
		Short:    "Export a tenant's conversations, one a line",
		Example:  "clawless tenant export acme --out acme.jsonl",
		Complete: Names(env),
		Flags:    func(fs *pflag.FlagSet) { fs.StringVar(&out, "out", "", "`FILE` to write (default: standard output)") },
		Run: func(ctx context.Context, args []string) error {
			return download.Operator(env, out, func(c *client.Client) error { return c.ExportTenant(ctx, args[0]) })
		},
	}.Command()
}

func newErase(env *cli.Env) *cobra.Command {
	yes := false
	return cli.Verb{
		Use:      "erase TENANT",
		Short:    "Erase all of a tenant's conversations; the tenant stays",
		Long:     "Erase all of a tenant's conversations, runs and files, for good; the tenant stays with its keys and settings. The ledger of usage and the audit log stay: they hold ids and numbers, no text.",
		Example:  "clawless tenant erase acme\nclawless tenant erase acme --yes",
		Complete: Names(env),
		Flags:    func(fs *pflag.FlagSet) { cli.YesFlag(fs, &yes) },
		Run: func(ctx context.Context, args []string) error {
			c, err := env.Admin()
			if err != nil {
				return err
			}
			t, err := c.GetTenant(ctx, args[0])
			if err != nil {
				return err
			}
			warning := fmt.Sprintf("this erases all conversations, runs and files of tenant %s, for good", t.Name)
			if err := env.Confirm(ctx, cli.Confirmation{Warning: warning, Name: t.Name, Yes: yes}); err != nil {
				return err
			}
			done, err := c.EraseTenant(ctx, t.ID, sdk.EraseRequest{Confirm: t.Name})
			if err != nil {
				return err
			}
			return erased.One(env.Printer(), *done)
		},
	}.Command()
}

var erased = cli.View[sdk.Erasure]{
	ID: func(e sdk.Erasure) string { return fmt.Sprint(e.Sessions) },
	Columns: []cli.Column[sdk.Erasure]{
		{Head: "SESSIONS", Cell: func(e sdk.Erasure) any { return fmt.Sprintf("%d erased", e.Sessions) }},
		{Head: "MESSAGES", Cell: func(e sdk.Erasure) any { return fmt.Sprintf("%d erased", e.Messages) }},
		{Head: "RUNS", Cell: func(e sdk.Erasure) any { return fmt.Sprintf("%d erased", e.Runs) }},
	},
}
