package chat

import (
	"context"
	"fmt"
	"strings"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
	"github.com/clawless/clawless/tui/kit"
)

// What --approvals may be.
const (
	askFirst      = "ask"
	waitElsewhere = "wait"
	denyAll       = "deny"
)

// decide answers for a call that waits: it asks where there is a person, else it denies or waits, as --approvals says.
func (o *options) decide(ctx context.Context, c *client.Client, run string, waiting kit.Call) error {
	elsewhere := "clawless run approve " + run + " " + waiting.ApprovalID
	lines := append([]string{show.Clean(waiting.Name) + " waits for your word"}, waiting.Question()...)
	if _, err := fmt.Fprintln(o.env.Err, strings.Join(lines, "\n  ")); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	allow := false
	switch {
	case o.approvals == waitElsewhere:
		o.env.Note("to decide: %s", elsewhere)
		return nil
	case o.approvals == denyAll:
		o.env.Note("denied by --approvals deny")
	case !o.env.InTTY():
		o.env.Note("denied, because nobody can be asked; with --approvals wait it waits for: %s", elsewhere)
	default:
		answer, err := o.env.Ask(ctx, "may "+show.Clean(waiting.Name)+" run? y or n", "n", "--approvals deny")
		if err != nil {
			return err
		}
		allow = strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes")
	}
	if _, err := c.Approve(ctx, run, waiting.ApprovalID, allow); err != nil {
		return cli.WithHint(fmt.Errorf("the server did not take the decision: %w", err), elsewhere)
	}
	return nil
}
