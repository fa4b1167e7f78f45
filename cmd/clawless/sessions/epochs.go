package sessions

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

func newReset(env *cli.Env) *cobra.Command {
	body := sdk.ResetSessionRequest{}
	return cli.Verb{
		Use:      "reset SESSION_ID",
		Short:    "Start over with an empty context; the messages stay readable",
		Example:  "clawless session reset ses_06h0an8x5dx3xene18y86hvxj4\nclawless session reset ses_06h0an8x5dx3xene18y86hvxj4 --summary \"The customer is Ada; she asked about tides.\"",
		Complete: ids(env),
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&body.Summary, "summary", "", "`TEXT` that stands in the new context for what was before")
		},
		Run: func(ctx context.Context, args []string) error {
			return change(env, func(c *client.Client) (*sdk.Session, error) { return c.ResetSession(ctx, args[0], body) })
		},
	}.Command()
}

func newUndo(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "undo SESSION_ID",
		Short:    "Take the last reset back",
		Example:  "clawless session undo ses_06h0an8x5dx3xene18y86hvxj4",
		Complete: ids(env),
		Run: func(ctx context.Context, args []string) error {
			return change(env, func(c *client.Client) (*sdk.Session, error) { return c.UndoSession(ctx, args[0]) })
		},
	}.Command()
}

var epochs = cli.View[sdk.SessionEpoch]{
	ID: func(e sdk.SessionEpoch) string { return fmt.Sprint(e.Epoch) },
	Columns: []cli.Column[sdk.SessionEpoch]{
		{Head: "EPOCH", Cell: func(e sdk.SessionEpoch) any { return e.Epoch }},
		{Head: "REASON", Cell: func(e sdk.SessionEpoch) any { return e.Reason }},
		{Head: "BEFORE IT", Cell: func(e sdk.SessionEpoch) any {
			if e.Previous == 0 {
				return nil
			}
			return e.Previous
		}},
		{Head: "MESSAGES", Cell: func(e sdk.SessionEpoch) any { return e.Messages }},
		{Head: "BEGUN", Cell: func(e sdk.SessionEpoch) any { return e.CreatedAt }},
	},
}

func newEpochs(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "epochs SESSION_ID",
		Short:    "List the epochs of a conversation: what lies between its resets",
		Example:  "clawless session epochs ses_06h0an8x5dx3xene18y86hvxj4",
		Complete: ids(env),
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			list, err := cli.Collect(c.ListSessionEpochsAll(ctx, args[0], nil), 0)
			if err != nil {
				return err
			}
			return epochs.List(env.Printer(), list)
		},
	}.Command()
}

var summaries = cli.View[sdk.SessionSummary]{
	ID:    func(s sdk.SessionSummary) string { return s.ID },
	Empty: "no summaries: nothing has been left out of the context",
	Columns: []cli.Column[sdk.SessionSummary]{
		{Head: "ID", Cell: func(s sdk.SessionSummary) any { return s.ID }, Fixed: true},
		{Head: "EPOCH", Cell: func(s sdk.SessionSummary) any { return s.Epoch }},
		{Head: "STANDS FOR", Cell: standsFor},
		{Head: "BY", Cell: func(s sdk.SessionSummary) any { return s.Model }},
		{Head: "TEXT", Cell: func(s sdk.SessionSummary) any { return s.Content }},
		{Head: "MADE", Cell: func(s sdk.SessionSummary) any { return s.CreatedAt }},
	},
}

func standsFor(s sdk.SessionSummary) any {
	if s.UpTo == 0 {
		return "the epoch before"
	}
	return fmt.Sprintf("messages %d to %d", s.FromSequence, s.UpTo)
}

func newSummaries(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "summaries SESSION_ID",
		Short:    "List the summaries that stand for older messages",
		Example:  "clawless session summaries ses_06h0an8x5dx3xene18y86hvxj4",
		Complete: ids(env),
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			list, err := cli.Collect(c.ListSessionSummariesAll(ctx, args[0], nil), 0)
			if err != nil {
				return err
			}
			return summaries.List(env.Printer(), list)
		},
	}.Command()
}
