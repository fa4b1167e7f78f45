package sessions

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/answer"
	"github.com/clawless/clawless/sdk"
)

func newFork(env *cli.Env) *cobra.Command {
	body, at := sdk.ForkSessionRequest{}, ""
	return cli.Verb{
		Use:      "fork SESSION_ID",
		Short:    "Continue a conversation from one of its messages in a new one",
		Example:  "clawless session fork ses_06h0an8x5dx3xene18y86hvxj4\nclawless session fork ses_06h0an8x5dx3xene18y86hvxj4 --at 4 --title \"Another way\"",
		Complete: ids(env),
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&at, "at", "", "the last `MESSAGE` that is taken over, by id or sequence (default: the newest)")
			fs.StringVar(&body.Title, "title", "", "`TEXT` (default: the title it has)")
			fs.StringVar(&body.ExternalID, "external-id", "", "your own `ID` of the fork")
		},
		Run: func(ctx context.Context, args []string) error {
			if n, err := strconv.ParseInt(at, 10, 64); err == nil {
				body.Sequence = n
			} else {
				body.MessageID = at
			}
			return change(env, func(c *client.Client) (*sdk.Session, error) { return c.ForkSession(ctx, args[0], body) })
		},
	}.Command()
}

func newSelect(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "select SESSION_ID MESSAGE_ID",
		Short:    "Go on with another answer, or another wording of a question",
		Long:     "Go on with another answer, or another wording of a question: the message and the newest that followed it become the branch that is continued.\nThe ids are in: clawless session messages SESSION_ID --all-branches",
		Example:  "clawless session select ses_06h0an8x5dx3xene18y86hvxj4 msg_06h0an8x5dx3xene18y86hvxj4",
		Complete: ids(env),
		Run: func(ctx context.Context, args []string) error {
			return change(env, func(c *client.Client) (*sdk.Session, error) { return c.SelectMessage(ctx, args[0], args[1]) })
		},
	}.Command()
}

func newRegenerate(env *cli.Env) *cobra.Command {
	o := client.ConversationOptions{}
	return cli.Verb{
		Use:      "regenerate SESSION_ID [MESSAGE_ID]",
		Short:    "Have a message answered again, beside the answers it has",
		Long:     "Have a message answered again, beside the answers it has: the user's message or an answer to it, the newest answer when none is named.\nclawless session select goes back to an answer from before.",
		Example:  "clawless session regenerate ses_06h0an8x5dx3xene18y86hvxj4\nclawless session regenerate ses_06h0an8x5dx3xene18y86hvxj4 msg_06h0an8x5dx3xene18y86hvxj4 --model openai/gpt-4o-mini",
		Complete: ids(env),
		Flags:    func(fs *pflag.FlagSet) { turnFlags(fs, &o) },
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			o.SessionID = args[0]
			var message string
			if len(args) > 1 {
				message = args[1]
			} else if message, err = newest(ctx, c, o.SessionID); err != nil {
				return err
			}
			return answer.Print(env, c.NewConversation(o).Regenerate(ctx, message))
		},
	}.Command()
}

func turnFlags(fs *pflag.FlagSet, o *client.ConversationOptions) {
	fs.StringVar(&o.Model, "model", "", "`MODEL` that answers this once (default: the session's)")
	fs.StringVar(&o.Thinking, "thinking", "", "`LEVEL` of thinking: off, minimal, low, medium or high (default: the session's)")
}

var errNothing = errors.New("the conversation has no message that could be answered again")

// newest finds what there is to answer again: the newest answer of the branch that is continued, else the newest message of the user, whose answer failed.
func newest(ctx context.Context, c *client.Client, session string) (string, error) {
	s, err := c.GetSession(ctx, session)
	if err != nil {
		return "", err
	}
	for m, failed := range c.ListMessagesAll(ctx, session, &sdk.ListMessagesParams{Epoch: s.Epoch, Order: sdk.ListMessagesParamsOrderDesc}) {
		if failed != nil {
			return "", failed
		}
		if m.Role == sdk.MessageRoleAssistant || m.Role == sdk.MessageRoleUser {
			return m.ID, nil
		}
	}
	return "", cli.WithHint(cli.WithCode(errNothing, cli.ExitConflict), "clawless session messages "+session+" --all-branches")
}

func newEdit(env *cli.Env) *cobra.Command {
	o := client.ConversationOptions{}
	return cli.Verb{
		Use:      "edit SESSION_ID MESSAGE_ID TEXT",
		Short:    "Put another text in the place of a user's message and have it answered",
		Long:     "Put another text in the place of a user's message and have it answered. What followed the old one stays readable, and clawless session select goes back to it.",
		Example:  "clawless session edit ses_06h0an8x5dx3xene18y86hvxj4 msg_06h0an8x5dx3xene18y86hvxj4 \"And in winter?\"",
		Complete: ids(env),
		Flags:    func(fs *pflag.FlagSet) { turnFlags(fs, &o) },
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			o.SessionID = args[0]
			return answer.Print(env, c.NewConversation(o).Edit(ctx, args[1], args[2]))
		},
	}.Command()
}
