// Package runs is `clawless run`: a session's turns, what their tools wait for, and how to stop them.
package runs

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/tui/kit"
)

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "run",
		Aliases: []string{"runs"},
		Short:   "Follow and stop turns of sessions, and approve what their tools ask for",
		Example: "clawless run show run_06h0an8x5dx3xene18y86hvxj4\nclawless run follow run_06h0an8x5dx3xene18y86hvxj4\nclawless run approve run_06h0an8x5dx3xene18y86hvxj4",
	}.Command(newShow(env), newFollow(env), newCancel(env), newApprovals(env), newApprove(env), newDeny(env))
}

var view = cli.View[sdk.Run]{
	ID: func(r sdk.Run) string { return r.ID },
	Columns: []cli.Column[sdk.Run]{
		{Head: "ID", Cell: func(r sdk.Run) any { return r.ID }},
		{Head: "SESSION", Cell: func(r sdk.Run) any { return r.SessionID }},
		{Head: "STATUS", Cell: func(r sdk.Run) any { return string(r.Status) }},
		{Head: "MODEL", Cell: func(r sdk.Run) any { return r.Model }},
		{Head: "ERROR", Cell: func(r sdk.Run) any {
			if r.Error == nil {
				return nil
			}
			return r.Error.Message + " (" + r.Error.Code + ")"
		}},
		{Head: "STEPS", Cell: func(r sdk.Run) any { return r.Steps }},
		{Head: "TOKENS", Cell: tokens},
		{Head: "COST", Cell: cost},
		{Head: "CHOSEN", Cell: func(r sdk.Run) any {
			if r.Clawless.Route == nil {
				return nil
			}
			return r.Clawless.Route.Reason
		}},
		{Head: "STARTED BY", Cell: func(r sdk.Run) any { return r.ParentRunID }},
		{Head: "STARTED", Cell: func(r sdk.Run) any { return r.StartedAt }},
		{Head: "FINISHED", Cell: func(r sdk.Run) any { return r.FinishedAt }},
	},
}

func tokens(r sdk.Run) any {
	if r.Usage == nil {
		return nil
	}
	return fmt.Sprintf("%d in (%d cached), %d out", r.Usage.InputTokens, r.Usage.CachedTokens, r.Usage.OutputTokens)
}

func cost(r sdk.Run) any {
	switch {
	case r.Clawless.CostMicros != nil:
		return kit.Dollars(*r.Clawless.CostMicros)
	case r.Clawless.PriceUnknown:
		return "unknown price"
	}
	return nil
}

var toolView = cli.View[sdk.RunTool]{
	ID: func(t sdk.RunTool) string { return t.ID },
	Columns: []cli.Column[sdk.RunTool]{
		{Head: "TOOL", Cell: func(t sdk.RunTool) any { return t.Name }},
		{Head: "STATUS", Cell: func(t sdk.RunTool) any { return t.Status }, Fixed: true},
		{Head: "DECISION", Cell: func(t sdk.RunTool) any {
			if t.Layer != "" {
				return t.Decision + " (" + t.Layer + ")"
			}
			return t.Decision
		}, Fixed: true},
		{Head: "MS", Cell: func(t sdk.RunTool) any { return t.Ms }},
		{Head: "BYTES", Cell: func(t sdk.RunTool) any { return t.ResultBytes }},
		{Head: "ERROR", Cell: func(t sdk.RunTool) any { return t.Error }},
	},
}

func newShow(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "show RUN_ID",
		Aliases: []string{"get"},
		Short:   "Show a run: its state, steps, tools and what it cost",
		Example: "clawless run show run_06h0an8x5dx3xene18y86hvxj4\nclawless run show run_06h0an8x5dx3xene18y86hvxj4 -o json",
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			r, err := c.GetRun(ctx, args[0])
			if err != nil {
				return err
			}
			return shown(env, *r)
		},
	}.Command()
}

// shown prints a run, and for people a table of its tools below it.
func shown(env *cli.Env, r sdk.Run) error {
	p := env.Printer()
	if err := view.One(p, r); err != nil || p.Quiet || p.Format.Machine() || len(r.Tools) == 0 {
		return err
	}
	if err := p.Value(nil, ""); err != nil {
		return err
	}
	return toolView.List(p, r.Tools)
}

func newCancel(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "cancel RUN_ID",
		Aliases: []string{"stop"},
		Short:   "Stop a run; what it has said so far is kept and paid for",
		Example: "clawless run cancel run_06h0an8x5dx3xene18y86hvxj4",
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			r, err := c.Cancel(ctx, args[0])
			if err != nil {
				return err
			}
			return shown(env, *r)
		},
	}.Command()
}
