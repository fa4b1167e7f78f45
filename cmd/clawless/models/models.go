// Package models is `clawless model`: the models that your key may call.
package models

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// New returns the command with its verb.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "model",
		Aliases: []string{"models"},
		Short:   "See which models you may call",
		Example: "clawless model list",
	}.Command(newList(env))
}

var view = cli.View[sdk.Model]{
	ID:    func(m sdk.Model) string { return m.ID },
	Empty: "no models; the operator runs: clawless doctor",
	Columns: []cli.Column[sdk.Model]{
		{Head: "ID", Cell: func(m sdk.Model) any { return m.ID }, Fixed: true},
		{Head: "OWNER", Cell: func(m sdk.Model) any { return m.OwnedBy }},
		{Head: "CONTEXT", Cell: func(m sdk.Model) any {
			if m.ContextWindow == 0 {
				return nil
			}
			return m.ContextWindow
		}},
	},
}

func newList(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the models that your key may call",
		Example: "clawless model list\nclawless model list -q",
		Run: func(ctx context.Context, _ []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			list, err := c.ListModels(ctx)
			if err != nil {
				return err
			}
			return view.List(env.Printer(), list.Data)
		},
	}.Command()
}
