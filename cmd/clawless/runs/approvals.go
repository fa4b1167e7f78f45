package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

var approvals = cli.View[sdk.Approval]{
	ID:    func(a sdk.Approval) string { return a.ID },
	Empty: "the run has asked for nothing",
	Columns: []cli.Column[sdk.Approval]{
		{Head: "ID", Cell: func(a sdk.Approval) any { return a.ID }, Fixed: true},
		{Head: "TOOL", Cell: func(a sdk.Approval) any { return a.Tool }},
		{Head: "STATUS", Cell: func(a sdk.Approval) any { return string(a.Status) }, Fixed: true},
		{Head: "ARGUMENTS", Cell: arguments},
		{Head: "AFTER READING", Cell: taint},
		{Head: "DECIDED BY", Cell: func(a sdk.Approval) any { return a.DecidedBy }, Detail: true},
		{Head: "EXPIRES", Cell: func(a sdk.Approval) any { return a.ExpiresAt }},
	},
}

func arguments(a sdk.Approval) any {
	b, err := json.Marshal(a.Arguments)
	if err != nil { // it was JSON a moment ago
		return nil
	}
	return string(b)
}

func taint(a sdk.Approval) any {
	out := make([]string, len(a.Taint))
	for i, t := range a.Taint {
		out[i] = fmt.Sprintf("%s %s", t.Kind, t.Source)
	}
	return out
}

func newApprovals(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "approvals RUN_ID",
		Short:   "List what a run has asked for, and what was decided",
		Example: "clawless run approvals run_06h0an8x5dx3xene18y86hvxj4",
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			list, err := c.ListRunApprovals(ctx, args[0])
			if err != nil {
				return err
			}
			return approvals.List(env.Printer(), list.Data)
		},
	}.Command()
}

func newApprove(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "approve RUN_ID [APPROVAL_ID]",
		Short:   "Let a tool run that waits for it; the only one when none is named",
		Example: "clawless run approve run_06h0an8x5dx3xene18y86hvxj4\nclawless run approve run_06h0an8x5dx3xene18y86hvxj4 apr_06h0an8x5dx3xene18y86hvxj4",
		Run:     func(ctx context.Context, args []string) error { return decide(ctx, env, args, true) },
	}.Command()
}

func newDeny(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "deny RUN_ID [APPROVAL_ID]",
		Short:   "Forbid a tool that waits for an approval; the only one when none is named",
		Example: "clawless run deny run_06h0an8x5dx3xene18y86hvxj4\nclawless run deny run_06h0an8x5dx3xene18y86hvxj4 apr_06h0an8x5dx3xene18y86hvxj4",
		Run:     func(ctx context.Context, args []string) error { return decide(ctx, env, args, false) },
	}.Command()
}

func decide(ctx context.Context, env *cli.Env, args []string, allow bool) error {
	c, err := env.API()
	if err != nil {
		return err
	}
	var id string
	if len(args) > 1 {
		id = args[1]
	} else if id, err = waiting(ctx, c, args[0]); err != nil {
		return err
	}
	a, err := c.Approve(ctx, args[0], id, allow)
	if err != nil {
		return err
	}
	return approvals.One(env.Printer(), *a)
}

// waiting finds the one call of a run that waits; with several somebody has to say which is meant.
func waiting(ctx context.Context, c *client.Client, run string) (string, error) {
	list, err := c.ListRunApprovals(ctx, run)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, a := range list.Data {
		if a.Status == sdk.ApprovalStatusPending {
			ids = append(ids, a.ID)
		}
	}
	switch len(ids) {
	case 0:
		return "", cli.WithHint(cli.WithCode(fmt.Errorf("nothing of the run %s waits for an approval", run), cli.ExitConflict), "clawless run show "+run)
	case 1:
		return ids[0], nil
	}
	return "", cli.WithHint(cli.Usagef("several calls wait, so name one: %s", strings.Join(ids, ", ")), "clawless run approvals "+run)
}
