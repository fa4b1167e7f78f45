package sessions

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// toolFlags narrow a session's tools.
type toolFlags struct {
	allow, deny []string
	set         *pflag.FlagSet
}

func (t *toolFlags) add(fs *pflag.FlagSet) {
	t.set = fs
	fs.StringSliceVar(&t.allow, "tools-allow", nil, "`NAME` of a tool, or a pattern with *, that it may use; repeat it for more; \"\" allows none (default: what the tenant allows)")
	fs.StringSliceVar(&t.deny, "tools-deny", nil, "`NAME` of a tool, or a pattern with *, that it may not use; repeat it for more")
}

// tools are what the flags say, or nil when they say nothing.
func (t *toolFlags) tools() *sdk.SessionTools {
	if !t.set.Changed("tools-allow") && !t.set.Changed("tools-deny") {
		return nil
	}
	out := &sdk.SessionTools{Deny: named(t.deny)}
	if t.set.Changed("tools-allow") {
		out.Allow = named(t.allow)
	}
	return out
}

// named leaves the empty names out, so that --tools-allow "" is the empty list.
func named(list []string) []string {
	out := []string{}
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func newCreate(env *cli.Env) *cobra.Command {
	body, tools := sdk.CreateSessionRequest{}, toolFlags{}
	return cli.Verb{
		Use:     "create",
		Short:   "Create a conversation",
		Example: "clawless session create --title Support --user customer-7\nclawless session create --external-id ticket-4711\nclawless session create --tools-allow \"web_*\" --tools-deny web_post -q",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&body.Title, "title", "", "`TEXT` (default: the first words of the first message)")
			fs.StringVar(&body.ExternalID, "external-id", "", "your own `ID` of it, which no other of your sessions has")
			fs.StringVar(&body.User, "user", "", "your `ID` of the end user it belongs to")
			fs.StringVar(&body.Model, "model", "", "`MODEL` as provider/model, or auto (default: the tenant's)")
			fs.StringVar(&body.Thinking, "thinking", "", "`LEVEL` of thinking: off, minimal, low, medium or high (default: the tenant's)")
			fs.StringVar(&body.SystemPrompt, "system-prompt", "", "`TEXT` put before the conversation (default: the tenant's)")
			fs.StringToStringVar(&body.Metadata, "metadata", nil, "a note as `NAME=TEXT`; repeat it for more")
			tools.add(fs)
		},
		Run: func(ctx context.Context, _ []string) error {
			body.Tools = tools.tools()
			return change(env, func(c *client.Client) (*sdk.Session, error) { return c.CreateSession(ctx, body) })
		},
	}.Command()
}
