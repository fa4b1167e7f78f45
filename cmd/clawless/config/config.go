// Package config is `clawless config`: it shows and checks the server's settings without starting it.
package config

import (
	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
)

// New returns the command.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "config",
		Short:   "Show and check the server's settings",
		Long:    "Show and check the server's settings, which come from flags, variables and clawless.yaml.\nNothing here talks to a server: it shows what `clawless serve` would start with.",
		Example: "clawless config show --origin",
	}.Command(newShow(env), newPath(env), newValidate(env))
}
