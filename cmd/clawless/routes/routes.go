// Package routes is `clawless route`: how a model is chosen, and what other rules would have chosen.
package routes

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
)

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "route",
		Aliases: []string{"routes"},
		Short:   "See how a model is chosen, and try other rules on what was recorded",
		Example: "clawless route explain \"Prove that there are infinitely many primes.\"\nclawless route replay --since 7d --policy new.yaml",
	}.Command(newExplain(env), newReplay(env))
}

// dollars writes micro-dollars with as many digits as their size deserves.
func dollars(micros int64) string {
	sign := ""
	if micros < 0 {
		sign, micros = "-", -micros
	}
	amount := float64(micros) / 1e6
	switch {
	case micros == 0:
		return "$0"
	case micros < 1e6:
		return fmt.Sprintf("%s$%.6f", sign, amount)
	case micros < 1e8:
		return fmt.Sprintf("%s$%.4f", sign, amount)
	}
	return fmt.Sprintf("%s$%.2f", sign, amount)
}
