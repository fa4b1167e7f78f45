// Package models is `clawless model`: the models that your key may call.
package models

import (
	"context"
	"fmt"
	"strings"

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
		{Head: "CLASS", Cell: func(m sdk.Model) any { return string(m.Class) }},
		{Head: "CONTEXT", Cell: func(m sdk.Model) any {
			if m.ContextWindow == 0 {
				return nil
			}
			return m.ContextWindow
		}},
		{Head: "IN/M", Cell: func(m sdk.Model) any { return price(m, func(p sdk.ModelPricing) int64 { return p.Input }) }},
		{Head: "OUT/M", Cell: func(m sdk.Model) any { return price(m, func(p sdk.ModelPricing) int64 { return p.Output }) }},
		{Head: "THINKING", Cell: func(m sdk.Model) any {
			if m.Capabilities == nil {
				return nil
			}
			return m.Capabilities.Thinking
		}},
	},
}

// price is what a million tokens cost, or nothing when nobody knows.
func price(m sdk.Model, part func(sdk.ModelPricing) int64) any {
	if m.Pricing == nil {
		return nil
	}
	return dollars(part(*m.Pricing))
}

// dollars writes micro-dollars with at least cents and no more digits than there are: $0.15, $0.012, $0 for nothing.
func dollars(micros int64) string {
	if micros == 0 {
		return "$0"
	}
	s := strings.TrimRight(fmt.Sprintf("%06d", micros%1_000_000), "0")
	for len(s) < 2 {
		s += "0"
	}
	return fmt.Sprintf("$%d.%s", micros/1_000_000, s)
}

func newList(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the models that your key may call, with their prices",
		Long:    "Prices are in dollars per million tokens of prompt (IN/M) and of answer (OUT/M); - is an unknown price. THINKING lists the levels that the model has.",
		Example: "clawless model list\nclawless model list -q\nclawless model list -o json",
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
