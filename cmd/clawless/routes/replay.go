package routes

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

type replayOptions struct {
	env    *cli.Env
	since  string
	until  string
	policy string
	tenant string
}

func newReplay(env *cli.Env) *cobra.Command {
	o := replayOptions{env: env}
	return cli.Verb{
		Use:   "replay",
		Short: "Take recorded choices of auto anew under another policy, and compare the costs",
		Long: "Take recorded choices of auto anew under another policy, and compare the costs. No model is called and nothing is changed.\n" +
			"The policy is a YAML file with weak_model, strong_model, strong_share (0 to 1), fallback_models and default_model; what is not in it\n" +
			"is not taken from any settings.",
		Example: "clawless route replay --since 7d --policy new.yaml\nclawless route replay --since 36h --until 12h --tenant acme --policy new.yaml -o json",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.policy, "policy", "", "YAML `FILE` of the policy to try")
			fs.StringVar(&o.since, "since", "7d", "from `WHEN`: how long ago, such as 7d or 36h, or an RFC 3339 time")
			fs.StringVar(&o.until, "until", "", "until `WHEN`, in the same forms (default: now)")
			fs.StringVar(&o.tenant, "tenant", "", "only the choices of `TENANT`")
			_ = cobra.MarkFlagRequired(fs, "policy") // fails only when there is no such flag
		},
		Run: func(ctx context.Context, _ []string) error { return o.run(ctx) },
	}.Command()
}

func (o replayOptions) run(ctx context.Context) error {
	policy, err := readPolicy(o.env, o.policy)
	if err != nil {
		return err
	}
	c, err := o.env.Admin()
	if err != nil {
		return err
	}
	r, err := c.ReplayRoutes(ctx, sdk.ReplayRequest{Since: o.since, Until: o.until, Tenant: o.tenant, Policy: policy})
	if err != nil {
		return err
	}
	p := o.env.Printer()
	if p.Format.Machine() {
		return p.Value(r)
	}
	if p.Quiet {
		return p.Value(nil, fmt.Sprint(r.After.CostMicros-r.Before.CostMicros))
	}
	if r.Decisions == 0 {
		return models.List(p, nil)
	}
	if err := totals.List(p, totalsOf(r)); err != nil {
		return err
	}
	if err := p.Value(nil, ""); err != nil {
		return err
	}
	if err := models.List(p, modelsOf(r)); err != nil {
		return err
	}
	o.env.Note("note: %s", cli.Clean(r.Note))
	return nil
}

// line is one total on both sides.
type line struct{ what, before, after, difference string }

var totals = cli.View[line]{
	ID: func(l line) string { return l.what },
	Columns: []cli.Column[line]{
		{Head: "TOTAL", Cell: func(l line) any { return l.what }},
		{Head: "BEFORE", Cell: func(l line) any { return l.before }},
		{Head: "AFTER", Cell: func(l line) any { return l.after }},
		{Head: "DIFFERENCE", Cell: func(l line) any { return l.difference }},
	},
}

func totalsOf(r *sdk.Replay) []line {
	count := func(what string, before, after int64) line {
		return line{what, fmt.Sprint(before), fmt.Sprint(after), fmt.Sprintf("%+d", after-before)}
	}
	b, a := r.Before, r.After
	return []line{
		{"cost", dollars(b.CostMicros), dollars(a.CostMicros), difference(b.CostMicros, a.CostMicros)},
		{"decisions", fmt.Sprint(r.Decisions), fmt.Sprint(r.Decisions), fmt.Sprintf("%d changed", r.Changed)},
		count("strong calls", b.StrongCalls, a.StrongCalls),
		count("without a known price", b.Unpriced, a.Unpriced),
		count("without an answer", b.Unanswerable, a.Unanswerable),
	}
}

// difference is that of two costs, in dollars and in percent of the first.
func difference(before, after int64) string {
	text := dollars(after - before)
	if after > before {
		text = "+" + text
	}
	if before > 0 {
		text += fmt.Sprintf(" (%+.1f%%)", 100*float64(after-before)/float64(before))
	}
	return text
}

// share is one model's part on both sides.
type share struct {
	model         string
	before, after sdk.ReplayModel
}

var models = cli.View[share]{
	ID:    func(s share) string { return s.model },
	Empty: "nothing was recorded in that time; choices are recorded where a request's model is auto",
	Columns: []cli.Column[share]{
		{Head: "MODEL", Cell: func(s share) any { return s.model }},
		{Head: "DECISIONS BEFORE", Cell: func(s share) any { return s.before.Decisions }},
		{Head: "AFTER", Cell: func(s share) any { return s.after.Decisions }},
		{Head: "COST BEFORE", Cell: func(s share) any { return dollars(s.before.CostMicros) }},
		{Head: "AFTER", Cell: func(s share) any { return dollars(s.after.CostMicros) }},
		{Head: "DIFFERENCE", Cell: func(s share) any { return difference(s.before.CostMicros, s.after.CostMicros) }},
	},
}

// modelsOf joins the two sides, those first that cost most on either.
func modelsOf(r *sdk.Replay) []share {
	var out []share
	find := func(model string) *share {
		i := slices.IndexFunc(out, func(s share) bool { return s.model == model })
		if i < 0 {
			out = append(out, share{model: model})
			i = len(out) - 1
		}
		return &out[i]
	}
	for _, m := range r.Before.ByModel {
		find(m.Model).before = m
	}
	for _, m := range r.After.ByModel {
		find(m.Model).after = m
	}
	slices.SortStableFunc(out, func(a, b share) int {
		return cmp.Compare(max(b.before.CostMicros, b.after.CostMicros), max(a.before.CostMicros, a.after.CostMicros))
	})
	return out
}
