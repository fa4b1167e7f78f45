package sessions

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

func newPrune(env *cli.Env) *cobra.Command {
	dry, yes := false, false
	return cli.Verb{
		Use:   "prune",
		Short: "Delete the conversations that are older than the retention, now",
		Long: "Delete the conversations that nobody has used for the tenant's retention, now; the server does the same by itself, again and again. Pinned ones are kept.\n" +
			"The retention is a setting of the tenant: clawless tenant update NAME --retention-days N",
		Example: "clawless session prune --dry-run\nclawless session prune --yes",
		Flags: func(fs *pflag.FlagSet) {
			fs.BoolVar(&dry, "dry-run", false, "only count what would be deleted")
			cli.YesFlag(fs, &yes)
		},
		Run: func(ctx context.Context, _ []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			would, err := c.RunRetention(ctx, sdk.RunRetentionRequest{DryRun: true})
			if err != nil {
				return err
			}
			if dry || would.Sessions == 0 {
				return pruned.One(env.Printer(), *would)
			}
			warning := fmt.Sprintf("this deletes %d conversations with %d messages that nobody has used for %d days, for good", would.Sessions, would.Messages, would.Days)
			if err := env.Confirm(ctx, cli.Confirmation{Warning: warning, Name: "prune", Yes: yes}); err != nil {
				return err
			}
			done, err := c.RunRetention(ctx, sdk.RunRetentionRequest{})
			if err != nil {
				return err
			}
			return pruned.One(env.Printer(), *done)
		},
	}.Command()
}

var pruned = cli.View[sdk.RetentionRun]{
	ID: func(r sdk.RetentionRun) string { return fmt.Sprint(r.Sessions) },
	Columns: []cli.Column[sdk.RetentionRun]{
		{Head: "RETENTION", Cell: func(r sdk.RetentionRun) any {
			if r.Days == 0 {
				return "none: conversations are kept"
			}
			return fmt.Sprintf("%d days", r.Days)
		}},
		{Head: "SESSIONS", Cell: func(r sdk.RetentionRun) any { return counted(r, r.Sessions) }},
		{Head: "MESSAGES", Cell: func(r sdk.RetentionRun) any { return counted(r, r.Messages) }},
	},
}

func counted(r sdk.RetentionRun, n int64) string {
	if r.DryRun {
		return fmt.Sprintf("%d would be deleted", n)
	}
	return fmt.Sprintf("%d deleted", n)
}
