// Package users is `clawless user`: what is kept of one of your end users.
package users

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

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "user",
		Aliases: []string{"users"},
		Short:   "Export or erase what is kept of an end user",
		Example: "clawless user export customer-7 --out customer-7.jsonl\nclawless user erase customer-7",
	}.Command(newExport(env), newErase(env))
}

func newExport(env *cli.Env) *cobra.Command {
	out := ""
	return cli.Verb{
		Use:     "export USER",
		Short:   "Export an end user's conversations, one a line",
		Long:    "Export an end user's conversations as JSON, one a line, with all branches, epochs and summaries. USER is your own id of the end user, as conversations name it.",
		Example: "clawless user export customer-7\nclawless user export customer-7 --out customer-7.jsonl",
		Flags:   func(fs *pflag.FlagSet) { fs.StringVar(&out, "out", "", "`FILE` to write (default: standard output)") },
		Run: func(ctx context.Context, args []string) error {
			return download.Tenant(env, out, func(c *client.Client) error { return c.ExportUser(ctx, args[0]) })
		},
	}.Command()
}

func newErase(env *cli.Env) *cobra.Command {
	yes := false
	return cli.Verb{
		Use:     "erase USER",
		Short:   "Erase an end user's conversations, runs and files, for good",
		Long:    "Erase an end user's conversations, runs and files, for good. The ledger of usage and the audit log stay: they hold ids and numbers, no text.",
		Example: "clawless user erase customer-7\nclawless user erase customer-7 --yes",
		Flags:   func(fs *pflag.FlagSet) { cli.YesFlag(fs, &yes) },
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			warning := fmt.Sprintf("this erases all conversations, runs and files of the end user %q, archived and pinned ones too, for good", args[0])
			if err := env.Confirm(ctx, cli.Confirmation{Warning: warning, Name: args[0], Yes: yes}); err != nil {
				return err
			}
			done, err := c.EraseUser(ctx, args[0])
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
