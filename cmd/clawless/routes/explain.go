package routes

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

type explainOptions struct {
	env      *cli.Env
	model    string
	thinking string
	session  string
}

func newExplain(env *cli.Env) *cobra.Command {
	o := explainOptions{env: env}
	return cli.Verb{
		Use:   "explain MESSAGE...",
		Short: "Say which model would answer a message, why, and what it would cost",
		Long: "Say which model would answer a message, why, and what each candidate would cost. No model is called and nothing is spent.\n" +
			"The costs are estimates: the message's tokens on the high side, and an answer of ordinary length.",
		Example: "clawless route explain \"Prove that there are infinitely many primes.\"\nclawless route explain --model openai/gpt-4o-mini \"hello\"\n" +
			"clawless route explain --session ses_06h0an8x5dx3xene18y86hvxj4 \"and why?\" -o json",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.model, "model", "auto", "`MODEL` that the request names")
			fs.StringVar(&o.thinking, "thinking", "", "`LEVEL` of thinking: off, minimal, low, medium or high")
			fs.StringVar(&o.session, "session", "", "as the next message of the session `ID`")
		},
		Run: func(ctx context.Context, args []string) error { return o.run(ctx, strings.Join(args, " ")) },
	}.Command()
}

func (o explainOptions) run(ctx context.Context, message string) error {
	c, err := o.env.API()
	if err != nil {
		return err
	}
	req := sdk.ChatRequest{Model: o.model, SessionID: o.session, Messages: []sdk.ChatMessage{{Role: "user", Content: sdk.Text(message)}}}
	if o.thinking != "" {
		req.Thinking = &o.thinking
	}
	e, err := c.ExplainRoute(ctx, req)
	if err != nil {
		return err
	}
	p := o.env.Printer()
	if err := explained.One(p, *e); err != nil || p.Quiet || p.Format.Machine() || len(e.Candidates) == 0 {
		return err
	}
	if err := p.Value(nil, ""); err != nil {
		return err
	}
	return candidates.List(p, e.Candidates)
}

var explained = cli.View[sdk.Explanation]{
	ID: func(e sdk.Explanation) string { return e.Model },
	Columns: []cli.Column[sdk.Explanation]{
		{Head: "CHOSEN", Cell: chosen},
		{Head: "ASKED", Cell: func(e sdk.Explanation) any { return e.Asked }},
		{Head: "REASON", Cell: func(e sdk.Explanation) any { return e.Reason }},
		{Head: "SCORE", Cell: scored},
		{Head: "THINKING", Cell: func(e sdk.Explanation) any { return e.Thinking }},
		{Head: "TOKENS", Cell: func(e sdk.Explanation) any {
			return fmt.Sprintf("about %d in, %d out", e.EstimatedInputTokens, e.EstimatedOutputTokens)
		}},
		{Head: "PRICES", Cell: func(e sdk.Explanation) any { return e.PriceVersion }},
	},
}

func chosen(e sdk.Explanation) any {
	if e.Error != nil {
		return "none: " + e.Error.Message + " (" + e.Error.Code + ")"
	}
	return e.Model
}

// scored says how the score stands to the threshold.
func scored(e sdk.Explanation) any {
	if e.Score == nil || e.Threshold == nil || e.StrongShare == nil {
		return "none"
	}
	share := fmt.Sprintf("%.0f%% of the calls may go to the strong model", *e.StrongShare*100)
	switch {
	case *e.StrongShare <= 0:
		return fmt.Sprintf("%.2f; no call goes to the strong model", *e.Score)
	case *e.StrongShare >= 1:
		return fmt.Sprintf("%.2f; all calls go to the strong model", *e.Score)
	case *e.Score > *e.Threshold:
		return fmt.Sprintf("%.2f, above the threshold %.2f; %s", *e.Score, *e.Threshold, share)
	}
	return fmt.Sprintf("%.2f, not above the threshold %.2f; %s", *e.Score, *e.Threshold, share)
}

var candidates = cli.View[sdk.ExplainedCandidate]{
	ID: func(c sdk.ExplainedCandidate) string { return c.Model },
	Columns: []cli.Column[sdk.ExplainedCandidate]{
		{Head: "CANDIDATE", Cell: func(c sdk.ExplainedCandidate) any { return c.Model }},
		{Head: "WOULD COST", Cell: func(c sdk.ExplainedCandidate) any {
			if c.EstimatedCostMicros == nil {
				return "unknown"
			}
			return dollars(*c.EstimatedCostMicros)
		}, Fixed: true},
		{Head: "SKIPPED", Cell: func(c sdk.ExplainedCandidate) any { return c.Skipped }, Fixed: true},
		{Head: "WHY", Cell: func(c sdk.ExplainedCandidate) any { return c.Why }},
	},
}
