package tools

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

func newTest(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "test TOOL [ARGUMENTS]",
		Short:    "Call a tool as a model would, and show what the model would get",
		Long:     "Call a tool as a model would, and show what the model would get. ARGUMENTS is a JSON object. The call is real: a tool that sends, sends.",
		Example:  "clawless tool test weather '{\"city\":\"Kiel\"}'\nclawless tool test ping",
		Complete: names(env),
		Run: func(ctx context.Context, args []string) error {
			body := sdk.TestToolRequest{}
			if len(args) > 1 {
				given, err := object([]byte(args[1]), "ARGUMENTS")
				if err != nil {
					return err
				}
				body.Arguments = given
			}
			c, err := env.API()
			if err != nil {
				return err
			}
			out, err := c.TestTool(ctx, args[0], body)
			if err != nil {
				return err
			}
			if err := trial.One(env.Printer(), *out); err != nil {
				return err
			}
			if out.Status != "done" {
				return cli.ErrSilent // the answer has said why
			}
			return nil
		},
	}.Command()
}

var trial = cli.View[sdk.ToolTrial]{
	ID: func(t sdk.ToolTrial) string { return t.ExecutionID },
	Columns: []cli.Column[sdk.ToolTrial]{
		{Head: "TOOL", Cell: func(t sdk.ToolTrial) any { return t.Tool }},
		{Head: "STATUS", Cell: func(t sdk.ToolTrial) any {
			if t.Layer != "" {
				return fmt.Sprintf("%s (%s)", t.Status, t.Layer)
			}
			return string(t.Status)
		}},
		{Head: "TOOK", Cell: func(t sdk.ToolTrial) any { return fmt.Sprintf("%d ms", t.DurationMs) }},
		{Head: "HTTP STATUS", Cell: func(t sdk.ToolTrial) any {
			if t.HTTPStatus == 0 {
				return nil
			}
			return t.HTTPStatus
		}},
		{Head: "RESULT", Cell: func(t sdk.ToolTrial) any { return t.Result }},
		{Head: "ERROR", Cell: func(t sdk.ToolTrial) any { return t.Error }},
		{Head: "TAINT", Cell: func(t sdk.ToolTrial) any {
			out := make([]string, len(t.Taint))
			for i, s := range t.Taint {
				out[i] = fmt.Sprintf("%s %s", s.Kind, s.Source)
			}
			return out
		}},
		{Head: "OFFERED", Cell: func(t sdk.ToolTrial) any { return t.Offered }},
	},
}
