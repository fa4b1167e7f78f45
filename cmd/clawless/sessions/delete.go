package sessions

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
)

func newDelete(env *cli.Env) *cobra.Command {
	yes := false
	return cli.Verb{
		Use:      "delete SESSION_ID",
		Aliases:  []string{"rm"},
		Short:    "Delete a conversation with its messages",
		Example:  "clawless session delete ses_06h0an8x5dx3xene18y86hvxj4 --yes",
		Complete: ids(env),
		Flags:    func(fs *pflag.FlagSet) { cli.YesFlag(fs, &yes) },
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			s, err := c.GetSession(ctx, args[0])
			if err != nil {
				return err
			}
			warning := fmt.Sprintf("this deletes the conversation %q with %d messages, for good", s.Title, s.MessageCount)
			if err := env.Confirm(ctx, cli.Confirmation{Warning: warning, Name: s.ID, Yes: yes}); err != nil {
				return err
			}
			if err := c.DeleteSession(ctx, s.ID); err != nil {
				return err
			}
			env.Note("deleted %s", s.ID)
			return nil
		},
	}.Command()
}
