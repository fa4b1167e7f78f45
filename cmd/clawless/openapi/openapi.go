// Package openapi is `clawless openapi`: the description of the HTTP API, made without a server or a database.
package openapi

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/server"
)

// apiVersion is that of the API's shape, which changes less often than the program.
const apiVersion = "1.0.0"

// New returns the command.
func New(env *cli.Env) *cobra.Command {
	asJSON := false
	return cli.Verb{
		Use:     "openapi",
		Short:   "Print the OpenAPI description of the server's API",
		Example: "clawless openapi > openapi.yaml\nclawless openapi --json",
		Group:   "server",
		Flags:   func(fs *pflag.FlagSet) { fs.BoolVar(&asJSON, "json", false, "print JSON instead of YAML") },
		Run: func(context.Context, []string) error {
			yaml, json, err := server.Description(apiVersion)
			if err != nil {
				return err
			}
			if asJSON || env.Flags.Output == "json" {
				yaml = append(json, '\n')
			}
			_, err = env.Out.Write(yaml)
			return err
		},
	}.Command()
}
