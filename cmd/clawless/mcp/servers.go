package mcp

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

type addOptions struct {
	env         *cli.Env
	auth, name  string
	secretFile  string
	secretStdin bool
}

func newAdd(env *cli.Env) *cobra.Command {
	o := addOptions{env: env}
	return cli.Verb{
		Use:     "add NAME URL",
		Short:   "Add an MCP server; its tools wait for your approval",
		Example: "clawless mcp add docs https://mcp.example.com/mcp\nclawless mcp add crm https://crm.example.com/mcp --auth bearer --secret-file token.txt",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.auth, "auth", "", "`HOW` the secret is sent: none, bearer, header, query or basic (default: none)")
			fs.StringVar(&o.name, "auth-name", "", "`NAME` of the header or query parameter that holds the secret")
			fs.StringVar(&o.secretFile, "secret-file", "", "`FILE` that holds the secret, which is stored encrypted and never shown again")
			fs.BoolVar(&o.secretStdin, "secret-stdin", false, "read the secret from standard input")
		},
		Run: func(ctx context.Context, args []string) error { return o.run(ctx, args[0], args[1]) },
	}.Command()
}

func (o addOptions) run(ctx context.Context, name, url string) error {
	body := sdk.CreateMCPServerRequest{Name: name, URL: url, Auth: sdk.HTTPToolAuth(o.auth), AuthName: o.name}
	source := o.secretFile
	if o.secretStdin {
		if source != "" {
			return cli.Usagef("give --secret-file or --secret-stdin, not both")
		}
		source = "-"
	}
	if source != "" {
		secret, err := o.env.Secret(ctx, "the secret", source, "--secret-file")
		if err != nil {
			return err
		}
		body.Secret = secret
	}
	if err := change(o.env, func(c *client.Client) (*sdk.MCPServer, error) { return c.CreateMcpServer(ctx, body) }); err != nil {
		return err
	}
	if !o.env.Flags.Output.Machine() {
		o.env.Note("next: clawless mcp tools %s", name)
	}
	return nil
}

func change(env *cli.Env, do func(*client.Client) (*sdk.MCPServer, error)) error {
	c, err := env.API()
	if err != nil {
		return err
	}
	s, err := do(c)
	if err != nil {
		return err
	}
	return view.One(env.Printer(), *s)
}

func newList(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List MCP servers",
		Example: "clawless mcp list",
		Run: func(ctx context.Context, _ []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			list, err := cli.Collect(c.ListMcpServersAll(ctx, nil), 0)
			if err != nil {
				return err
			}
			return view.List(env.Printer(), list)
		},
	}.Command()
}

func newShow(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "show SERVER",
		Aliases:  []string{"get"},
		Short:    "Show an MCP server, by name or id",
		Example:  "clawless mcp show docs",
		Complete: names(env),
		Run: func(ctx context.Context, args []string) error {
			return change(env, func(c *client.Client) (*sdk.MCPServer, error) { return c.GetMcpServer(ctx, args[0]) })
		},
	}.Command()
}

func newRefresh(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "refresh SERVER",
		Short:    "Ask an MCP server for its tools again, now",
		Long:     "Ask an MCP server for its tools again, now. A tool that has changed since it was approved is not used any more and waits for another look.",
		Example:  "clawless mcp refresh docs",
		Complete: names(env),
		Run: func(ctx context.Context, args []string) error {
			return change(env, func(c *client.Client) (*sdk.MCPServer, error) { return c.RefreshMcpServer(ctx, args[0]) })
		},
	}.Command()
}

func newDelete(env *cli.Env) *cobra.Command {
	yes := false
	return cli.Verb{
		Use:      "delete SERVER",
		Aliases:  []string{"rm"},
		Short:    "Delete an MCP server with its tools and approvals",
		Example:  "clawless mcp delete docs --yes",
		Complete: names(env),
		Flags:    func(fs *pflag.FlagSet) { cli.YesFlag(fs, &yes) },
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			s, err := c.GetMcpServer(ctx, args[0])
			if err != nil {
				return err
			}
			warning := fmt.Sprintf("this deletes the MCP server %s with its secret and the approvals of its tools", s.Name)
			if err := env.Confirm(ctx, cli.Confirmation{Warning: warning, Name: s.Name, Yes: yes}); err != nil {
				return err
			}
			if err := c.DeleteMcpServer(ctx, s.ID); err != nil {
				return err
			}
			env.Note("deleted %s", s.Name)
			return nil
		},
	}.Command()
}
