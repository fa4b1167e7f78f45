package tools

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

func newList(env *cli.Env) *cobra.Command {
	source := ""
	return cli.Verb{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the tools there are, and whether they are offered to models",
		Example: "clawless tool list\nclawless tool list --source http",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&source, "source", "", "only those from `SOURCE`: builtin, http or mcp")
		},
		Run: func(ctx context.Context, _ []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			list, err := cli.Collect(c.ListToolsAll(ctx, &sdk.ListToolsParams{Source: sdk.ListToolsParamsSource(source)}), 0)
			if err != nil {
				return err
			}
			return view.List(env.Printer(), list)
		},
	}.Command()
}

func newShow(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "show TOOL",
		Aliases:  []string{"get"},
		Short:    "Show a tool, by name or id",
		Example:  "clawless tool show weather\nclawless tool show weather -o json",
		Complete: names(env),
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			t, err := c.GetTool(ctx, args[0])
			if err != nil {
				return err
			}
			return view.One(env.Printer(), *t)
		},
	}.Command()
}

var executions = cli.View[sdk.ToolExecution]{
	ID:    func(e sdk.ToolExecution) string { return e.ID },
	Empty: "no tool was called yet",
	Columns: []cli.Column[sdk.ToolExecution]{
		{Head: "ID", Cell: func(e sdk.ToolExecution) any { return e.ID }, Fixed: true},
		{Head: "TOOL", Cell: func(e sdk.ToolExecution) any { return e.Tool }},
		{Head: "DECISION", Cell: decision, Fixed: true},
		{Head: "STATUS", Cell: func(e sdk.ToolExecution) any { return string(e.Status) }, Fixed: true},
		{Head: "MS", Cell: func(e sdk.ToolExecution) any { return e.DurationMs }},
		{Head: "BYTES", Cell: func(e sdk.ToolExecution) any { return e.ResultBytes }},
		{Head: "RUN", Cell: run},
		{Head: "ARGUMENTS", Cell: func(e sdk.ToolExecution) any { return text(e.Arguments) }},
		{Head: "ERROR", Cell: func(e sdk.ToolExecution) any { return e.Error }},
		{Head: "WHEN", Cell: func(e sdk.ToolExecution) any { return e.CreatedAt }},
	},
}

func decision(e sdk.ToolExecution) any {
	if e.Layer != "" {
		return fmt.Sprintf("%s (%s)", e.Decision, e.Layer)
	}
	return string(e.Decision)
}

func run(e sdk.ToolExecution) any {
	if e.RunID == "" {
		return "a trial"
	}
	return e.RunID
}

func newLog(env *cli.Env) *cobra.Command {
	params, limit := sdk.ListToolExecutionsParams{}, 0
	return cli.Verb{
		Use:     "log",
		Short:   "List what tools did, what was denied them and why, the newest first",
		Example: "clawless tool log --limit 20\nclawless tool log --session ses_06h0an8x5dx3xene18y86hvxj4 -o json",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&params.Session, "session", "", "only in the session `ID`")
			fs.StringVar(&params.Run, "run", "", "only in the run `ID`")
			fs.IntVar(&limit, "limit", 50, "list `N` at most; 0 lists all")
		},
		Run: func(ctx context.Context, _ []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			list, err := cli.Collect(c.ListToolExecutionsAll(ctx, &params), limit)
			if err != nil {
				return err
			}
			return executions.List(env.Printer(), list)
		},
	}.Command()
}

// names completes the names of tools.
func names(env *cli.Env) func(context.Context, []string) []string {
	return func(ctx context.Context, args []string) []string {
		c, err := env.API()
		if err != nil || len(args) > 0 {
			return nil
		}
		list, err := cli.Collect(c.ListToolsAll(ctx, nil), 200)
		if err != nil {
			return nil
		}
		out := make([]string, len(list))
		for i, t := range list {
			out[i] = t.Name
		}
		return out
	}
}
