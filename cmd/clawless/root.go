package main

import (
	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/completion"
	"github.com/clawless/clawless/cmd/clawless/config"
	"github.com/clawless/clawless/cmd/clawless/docs"
	"github.com/clawless/clawless/cmd/clawless/migrate"
	"github.com/clawless/clawless/cmd/clawless/openapi"
	"github.com/clawless/clawless/cmd/clawless/serve"
	"github.com/clawless/clawless/cmd/clawless/version"
)

// newRoot is the one list of commands.
func newRoot(env *cli.Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "clawless",
		Short: "Give every customer their own AI assistant",
	}
	root.AddGroup(&cobra.Group{ID: "server", Title: "Server"})
	root.AddCommand(serve.New(env), migrate.New(env), openapi.New(env), docs.New(env, func() *cobra.Command { return root }), config.New(env), version.New(env), completion.New(env))
	return root
}
