package sessions

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// transcript is a conversation with its messages.
type transcript struct {
	sdk.Session
	Messages []sdk.Message `json:"messages"`
}

func newShow(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "show SESSION_ID",
		Aliases:  []string{"get"},
		Short:    "Print a conversation",
		Example:  "clawless session show ses_06h0an8x5dx3xene18y86hvxj4\nclawless session show ses_06h0an8x5dx3xene18y86hvxj4 -o json",
		Complete: ids(env),
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			s, err := c.GetSession(ctx, args[0])
			if err != nil {
				return err
			}
			list, err := cli.Collect(c.ListMessagesAll(ctx, s.ID, nil), 0)
			if err != nil {
				return err
			}
			return env.Printer().Value(transcript{*s, list}, lines(*s, list)...)
		},
	}.Command()
}

func lines(s sdk.Session, list []sdk.Message) []string {
	out := []string{fmt.Sprintf("%s  %s", s.ID, s.Title)}
	for _, m := range list {
		who := string(m.Role)
		if m.Model != "" {
			who += " (" + m.Model + ")"
		}
		text := cli.Clean(m.Content.String())
		for _, call := range m.ToolCalls {
			text = strings.TrimSpace(text + "\n-> " + cli.Clean(call.Function.Name+"("+call.Function.Arguments+")"))
		}
		out = append(out, "", who, text)
	}
	return out
}
