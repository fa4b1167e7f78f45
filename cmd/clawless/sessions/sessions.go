// Package sessions is `clawless session`: the conversations of your tenant.
package sessions

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "session",
		Aliases: []string{"sessions"},
		Short:   "Read and delete conversations",
		Example: "clawless session list\nclawless session show ses_06h0an8x5dx3xene18y86hvxj4",
	}.Command(newList(env), newShow(env), newDelete(env))
}

var view = cli.View[sdk.Session]{
	ID:    func(s sdk.Session) string { return s.ID },
	Empty: "no conversations yet; try: clawless chat",
	Columns: []cli.Column[sdk.Session]{
		{Head: "ID", Cell: func(s sdk.Session) any { return s.ID }, Fixed: true},
		{Head: "TITLE", Cell: func(s sdk.Session) any { return s.Title }},
		{Head: "MESSAGES", Cell: func(s sdk.Session) any { return s.MessageCount }},
		{Head: "MODEL", Cell: func(s sdk.Session) any { return s.Model }},
		{Head: "THINKING", Cell: func(s sdk.Session) any { return s.Thinking }, Detail: true},
		{Head: "USER", Cell: func(s sdk.Session) any { return s.User }, Detail: true},
		{Head: "UPDATED", Cell: func(s sdk.Session) any { return s.UpdatedAt }},
	},
}

func newList(env *cli.Env) *cobra.Command {
	limit, user := 0, ""
	return cli.Verb{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List conversations, the last used first",
		Example: "clawless session list --limit 20\nclawless session list --user customer-7",
		Flags: func(fs *pflag.FlagSet) {
			fs.IntVar(&limit, "limit", 50, "list `N` at most; 0 lists all")
			fs.StringVar(&user, "user", "", "only those of the end user `ID`")
		},
		Run: func(ctx context.Context, _ []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			list, err := cli.Collect(c.ListSessionsAll(ctx, &sdk.ListSessionsParams{User: user}), limit)
			if err != nil {
				return err
			}
			return view.List(env.Printer(), list)
		},
	}.Command()
}

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

// ids completes the ids of recent conversations.
func ids(env *cli.Env) func(context.Context, []string) []string {
	return func(ctx context.Context, args []string) []string {
		c, err := env.API()
		if err != nil || len(args) > 0 {
			return nil
		}
		list, err := cli.Collect(c.ListSessionsAll(ctx, nil), 50)
		if err != nil {
			return nil
		}
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = s.ID + "\t" + s.Title
		}
		return out
	}
}
