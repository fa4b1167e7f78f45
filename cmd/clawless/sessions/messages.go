package sessions

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

var messages = cli.View[sdk.Message]{
	ID:    func(m sdk.Message) string { return m.ID },
	Empty: "no messages",
	Columns: []cli.Column[sdk.Message]{
		{Head: "ID", Cell: func(m sdk.Message) any { return m.ID }, Fixed: true},
		{Head: "SEQUENCE", Cell: func(m sdk.Message) any { return m.Sequence }},
		{Head: "AFTER", Cell: func(m sdk.Message) any { return m.Parent }},
		{Head: "EPOCH", Cell: func(m sdk.Message) any { return m.Epoch }},
		{Head: "ACTIVE", Cell: func(m sdk.Message) any { return m.Active }},
		{Head: "SIBLINGS", Cell: func(m sdk.Message) any { return m.Siblings }},
		{Head: "ROLE", Cell: func(m sdk.Message) any { return string(m.Role) }},
		{Head: "MODEL", Cell: func(m sdk.Message) any { return m.Model }},
		{Head: "TEXT", Cell: said},
	},
}

// said is the text of a message, with the calls of tools that it makes.
func said(m sdk.Message) any {
	text := m.Content.String()
	for _, call := range m.ToolCalls {
		text = strings.TrimSpace(text + " -> " + call.Function.Name + "(" + call.Function.Arguments + ")")
	}
	return text
}

func newMessages(env *cli.Env) *cobra.Command {
	params, all, limit := sdk.ListMessagesParams{}, false, 0
	return cli.Verb{
		Use:   "messages SESSION_ID",
		Short: "List the messages of a conversation with their ids and branches",
		Long: "List the messages of a conversation, oldest first. Without --all-branches only those of the branch that is continued.\n" +
			"SIBLINGS counts the messages that follow the same one: answers that were given again and questions that were edited.",
		Example:  "clawless session messages ses_06h0an8x5dx3xene18y86hvxj4\nclawless session messages ses_06h0an8x5dx3xene18y86hvxj4 --all-branches --epoch 2",
		Complete: ids(env),
		Flags: func(fs *pflag.FlagSet) {
			fs.Int64Var(&params.Epoch, "epoch", 0, "only those of the epoch `N` (default: all)")
			fs.BoolVar(&all, "all-branches", false, "also those of branches that are not continued")
			fs.Int64Var(&params.After, "after", 0, "only those after the message with the sequence `N`")
			fs.IntVar(&limit, "limit", 0, "list `N` at most (default: all)")
		},
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			if all {
				params.Branch = sdk.ListMessagesParamsBranchAll
			}
			list, err := cli.Collect(c.ListMessagesAll(ctx, args[0], &params), limit)
			if err != nil {
				return err
			}
			return messages.List(env.Printer(), list)
		},
	}.Command()
}
