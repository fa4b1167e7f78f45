package mcp

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
	"github.com/clawless/clawless/sdk"
)

type approveOptions struct {
	env          *cli.Env
	hash, effect string
	yes          bool
}

func newApprove(env *cli.Env) *cobra.Command {
	o := approveOptions{env: env}
	return cli.Verb{
		Use:   "approve SERVER TOOL",
		Short: "Let models use a tool of an MCP server, as it is now",
		Long: "Let models use a tool of an MCP server, as it is now: its description, schema and hash are shown before you are asked. The approval is for this hash alone.\n" +
			"A script that approves what somebody has looked at gives the hash with --hash.",
		Example:  "clawless mcp approve docs search --effect read\nclawless mcp approve docs search --hash HASH --yes",
		Complete: names(env),
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.hash, "hash", "", "approve only if the tool has this `HASH`, which you have looked at")
			fs.StringVar(&o.effect, "effect", "", "the worst that a `CALL` can do: read, write or send (default: what it is now)")
			cli.YesFlag(fs, &o.yes)
		},
		Run: func(ctx context.Context, args []string) error { return o.run(ctx, args[0], args[1]) },
	}.Command()
}

func (o approveOptions) run(ctx context.Context, server, name string) error {
	c, err := o.env.API()
	if err != nil {
		return err
	}
	list, err := c.ListMcpTools(ctx, server)
	if err != nil {
		return err
	}
	t, err := pick(list.Data, name)
	if err != nil {
		return err
	}
	for _, line := range [][2]string{ // also with --quiet: nobody is asked about what was not shown
		{"tool", t.Name + ", which models see as " + t.OfferedAs}, {"description", t.Description}, {"parameters", text(t.Parameters)},
		{"its hints", text(t.Annotations)}, {"status", string(t.Status)}, {"hash", t.Hash},
	} {
		if line[1] != "" {
			_, _ = fmt.Fprintf(o.env.Err, "%s: %s\n", line[0], show.Clean(line[1]))
		}
	}
	if o.hash != "" && o.hash != t.Hash {
		return cli.WithHint(cli.WithCode(fmt.Errorf("the tool is not the one that has the hash %s", o.hash), cli.ExitConflict), "look at it again, and then approve the hash above")
	}
	warning := fmt.Sprintf("this lets models call %s with arguments of their own, and gives them what it answers", t.OfferedAs)
	if err := o.env.Confirm(ctx, cli.Confirmation{Warning: warning, Name: t.Name, Yes: o.yes}); err != nil {
		return err
	}
	out, err := c.ApproveMcpTool(ctx, server, t.Name, sdk.ApproveMCPToolRequest{Hash: t.Hash, Effect: sdk.MCPToolEffect(o.effect)})
	if err != nil {
		return err
	}
	return toolView.One(o.env.Printer(), *out)
}

func newDisable(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "disable SERVER TOOL",
		Short:    "Take a tool of an MCP server away from models",
		Example:  "clawless mcp disable docs search",
		Complete: names(env),
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			out, err := c.DisableMcpTool(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return toolView.One(env.Printer(), *out)
		},
	}.Command()
}
