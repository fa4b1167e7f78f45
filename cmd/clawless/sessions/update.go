package sessions

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

type updateOptions struct {
	env                            *cli.Env
	title, model, thinking, prompt string
	archive, unarchive, pin, unpin bool
	metadata                       map[string]string
	tools                          toolFlags
}

func newUpdate(env *cli.Env) *cobra.Command {
	o := updateOptions{env: env}
	c := cli.Verb{
		Use:   "update SESSION_ID",
		Short: "Rename, archive, pin or narrow a conversation; what is not named stays as it is",
		Example: "clawless session update ses_06h0an8x5dx3xene18y86hvxj4 --title \"Tides\" --pin\nclawless session update ses_06h0an8x5dx3xene18y86hvxj4 --archive\n" +
			"clawless session update ses_06h0an8x5dx3xene18y86hvxj4 --tools-deny \"*\"",
		Complete: ids(env),
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.title, "title", "", "new title `TEXT`")
			fs.BoolVar(&o.archive, "archive", false, "leave it out of lists")
			fs.BoolVar(&o.unarchive, "unarchive", false, "put it into lists again")
			fs.BoolVar(&o.pin, "pin", false, "keep it, whatever the retention")
			fs.BoolVar(&o.unpin, "unpin", false, "let the retention have it again")
			fs.StringVar(&o.model, "model", "", "`MODEL` of its next turns; \"\" takes the tenant's")
			fs.StringVar(&o.thinking, "thinking", "", "`LEVEL` of thinking: off, minimal, low, medium or high; \"\" takes the tenant's")
			fs.StringVar(&o.prompt, "system-prompt", "", "`TEXT` put before the conversation; \"\" takes the tenant's")
			fs.StringToStringVar(&o.metadata, "metadata", nil, "a note as `NAME=TEXT`, in place of all it has; repeat it for more")
			o.tools.add(fs)
		},
		Run: func(ctx context.Context, args []string) error { return o.run(ctx, args[0]) },
	}.Command()
	c.MarkFlagsMutuallyExclusive("archive", "unarchive")
	c.MarkFlagsMutuallyExclusive("pin", "unpin")
	return c
}

func (o updateOptions) run(ctx context.Context, id string) error {
	body, given := sdk.UpdateSessionRequest{Tools: o.tools.tools()}, false
	yes, no := true, false
	for name, take := range map[string]func(){
		"title":         func() { body.Title = &o.title },
		"model":         func() { body.Model = &o.model },
		"thinking":      func() { body.Thinking = &o.thinking },
		"system-prompt": func() { body.SystemPrompt = &o.prompt },
		"metadata":      func() { body.Metadata = o.metadata },
	} {
		if o.tools.set.Changed(name) {
			take()
			given = true
		}
	}
	switch {
	case o.archive:
		body.Archived = &yes
	case o.unarchive:
		body.Archived = &no
	}
	switch {
	case o.pin:
		body.Pinned = &yes
	case o.unpin:
		body.Pinned = &no
	}
	if !given && body.Tools == nil && body.Archived == nil && body.Pinned == nil {
		return cli.WithHint(cli.Usagef("nothing to change was named"), "clawless session update --help")
	}
	return change(o.env, func(c *client.Client) (*sdk.Session, error) { return c.UpdateSession(ctx, id, body) })
}
