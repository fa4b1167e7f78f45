package main

import (
	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/chat"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/completion"
	"github.com/clawless/clawless/cmd/clawless/config"
	"github.com/clawless/clawless/cmd/clawless/demo"
	"github.com/clawless/clawless/cmd/clawless/docs"
	"github.com/clawless/clawless/cmd/clawless/doctor"
	"github.com/clawless/clawless/cmd/clawless/keys"
	"github.com/clawless/clawless/cmd/clawless/login"
	"github.com/clawless/clawless/cmd/clawless/mcp"
	"github.com/clawless/clawless/cmd/clawless/migrate"
	"github.com/clawless/clawless/cmd/clawless/models"
	"github.com/clawless/clawless/cmd/clawless/openapi"
	"github.com/clawless/clawless/cmd/clawless/providers"
	"github.com/clawless/clawless/cmd/clawless/routes"
	runcmd "github.com/clawless/clawless/cmd/clawless/runs"
	"github.com/clawless/clawless/cmd/clawless/serve"
	"github.com/clawless/clawless/cmd/clawless/sessions"
	"github.com/clawless/clawless/cmd/clawless/tenants"
	toolcmd "github.com/clawless/clawless/cmd/clawless/tools"
	"github.com/clawless/clawless/cmd/clawless/users"
	"github.com/clawless/clawless/cmd/clawless/version"
	"github.com/clawless/clawless/cmd/clawless/widgets"
)

// newRoot is the one list of commands.
func newRoot(env *cli.Env) *cobra.Command {
	root := &cobra.Command{
		Use:     "clawless",
		Short:   "Give every customer their own AI assistant",
		Long:    "Give every customer their own AI assistant: a server with tenants, keys, quotas, sessions and OpenAI-compatible chat over several model providers.",
		Example: "clawless demo\nclawless serve\nclawless tenant create acme\nclawless key create --tenant acme\nclawless chat \"hello\"",
	}
	root.AddGroup(&cobra.Group{ID: "server", Title: "Server"}, &cobra.Group{ID: "operator", Title: "For operators"})
	root.AddCommand(
		demo.New(env), serve.New(env), migrate.New(env), openapi.New(env),
		tenants.New(env), keys.New(env), widgets.New(env), providers.New(env),
		chat.New(env), sessions.New(env), users.New(env), runcmd.New(env), toolcmd.New(env), mcp.New(env), models.New(env), routes.New(env),
		login.New(env), config.New(env), doctor.New(env), version.New(env), completion.New(env),
		docs.New(env, func() *cobra.Command { return root }),
	)
	root.AddCommand(cli.Topics()...)
	return root
}
