// Package providers is `clawless provider`: how the configured model providers are.
package providers

import (
	"context"
	"fmt"
	"strings"
	"time"

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
		{Head: "KEYS", Cell: func(p sdk.Provider) any { return keys(p.Keys) }},
		{Head: "CIRCUITS", Cell: func(p sdk.Provider) any { return circuits(p.Circuits, time.Now()) }},
		{Head: "ERROR", Cell: func(p sdk.Provider) any { return p.Error }},
		{Head: "DETAIL", Cell: func(p sdk.Provider) any { return p.Detail }},
	},
}

// keys says how many keys there are and how many of them are left alone.
func keys(k sdk.ProviderKeys) string {
	if k.Cooling == 0 {
		return fmt.Sprintf("%d ok", k.Ok)
	}
	return fmt.Sprintf("%d ok, %d cooling", k.Ok, k.Cooling)
}

// circuits names the models that are left alone, for how long still, and why.
func circuits(list []sdk.ProviderCircuit, now time.Time) string {
	if len(list) == 0 {
		return "closed"
	}
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = fmt.Sprintf("%s half open (%s)", c.Model, c.Class)
		if c.Until != nil {
			left := max(c.Until.Sub(now), 0)
			out[i] = fmt.Sprintf("%s open %s (%s)", c.Model, left.Round(time.Second), c.Class)
		}
	}
	return strings.Join(out, ", ")
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
