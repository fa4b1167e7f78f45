// Package providers is `clawless provider`: how the configured model providers are.
package providers

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// New returns the command with its verb.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "provider",
		Aliases: []string{"providers"},
		Short:   "See how the model providers are",
		Example: "clawless provider list",
		Group:   "operator",
	}.Command(newList(env))
}

var view = cli.View[sdk.Provider]{
	ID: func(p sdk.Provider) string { return p.Name },
	Columns: []cli.Column[sdk.Provider]{
		{Head: "NAME", Cell: func(p sdk.Provider) any { return p.Name }},
		{Head: "STATUS", Cell: func(p sdk.Provider) any { return string(p.Status) }},
		{Head: "MODELS", Cell: func(p sdk.Provider) any { return p.Models }},
		{Head: "LATENCY MS", Cell: func(p sdk.Provider) any { return p.LatencyMs }},
		{Head: "ERROR", Cell: func(p sdk.Provider) any { return p.Error }},
		{Head: "DETAIL", Cell: func(p sdk.Provider) any { return p.Detail }},
	},
}

func newList(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "Ask every configured provider how it is",
		Example: "clawless provider list",
		Run: func(ctx context.Context, _ []string) error {
			c, err := env.Admin()
			if err != nil {
				return err
			}
			list, err := c.ListProviders(ctx)
			if err != nil {
				return err
			}
			return view.List(env.Printer(), list.Data)
		},
	}.Command()
}
