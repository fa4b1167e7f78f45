package sessions

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

type listOptions struct {
	env      *cli.Env
	limit    int
	archived string
	pinned   bool
	set      *pflag.FlagSet
	sdk.ListSessionsParams
}

func newList(env *cli.Env) *cobra.Command {
	o := listOptions{env: env}
	return cli.Verb{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List or search conversations, the last used first",
		Long: "List or search conversations, the last used first. Archived ones are left out unless they are asked for.\n" +
			"With --query only those whose title or messages have all the words; the last word may be unfinished.",
		Example: "clawless session list --limit 20\nclawless session list --query \"tides moon\"\nclawless session list --user customer-7 --archived=any\nclawless session list --external-id ticket-4711 -q",
		Flags: func(fs *pflag.FlagSet) {
			o.set = fs
			fs.IntVar(&o.limit, "limit", 50, "list `N` at most; 0 lists all")
			fs.StringVar(&o.Q, "query", "", "only those that have all the words of `TEXT`; shows where")
			fs.StringVar(&o.User, "user", "", "only those of the end user `ID`")
			fs.StringVar(&o.ExternalID, "external-id", "", "only the one with your own `ID`")
			fs.StringVar(&o.archived, "archived", "", "`WHICH`: true for the archived ones alone, any for all (default: false)")
			fs.Lookup("archived").NoOptDefVal = "true"
			fs.BoolVar(&o.pinned, "pinned", false, "only those that are pinned, or with --pinned=false only others")
			fs.StringVar(&o.Model, "model", "", "only those with the `MODEL` of their own")
			fs.StringVar(&o.Parent, "parent", "", "only those that the session `ID` spawned")
		},
		Run: func(ctx context.Context, _ []string) error { return o.run(ctx) },
	}.Command()
}

func (o listOptions) run(ctx context.Context) error {
	switch o.archived {
	case "", "true", "false", "any":
		o.Archived = sdk.ListSessionsParamsArchived(o.archived)
	default:
		return cli.Usagef("--archived is true, false or any, not %q", o.archived)
	}
	if o.set.Changed("pinned") {
		o.Pinned = sdk.ListSessionsParamsPinned(fmt.Sprint(o.pinned))
	}
	c, err := o.env.API()
	if err != nil {
		return err
	}
	list, err := cli.Collect(c.ListSessionsAll(ctx, &o.ListSessionsParams), o.limit)
	if err != nil {
		return err
	}
	if o.Q != "" {
		return found.List(o.env.Printer(), list)
	}
	v := view
	if o.filtered() {
		v.Empty = "no such conversations"
	}
	return v.List(o.env.Printer(), list)
}

func (o listOptions) filtered() bool {
	for _, name := range []string{"user", "external-id", "archived", "pinned", "model", "parent"} {
		if o.set.Changed(name) {
			return true
		}
	}
	return false
}

// found is the view of what a search found.
var found = cli.View[sdk.Session]{
	ID:    func(s sdk.Session) string { return s.ID },
	Empty: "no conversation has these words",
	Columns: []cli.Column[sdk.Session]{
		{Head: "ID", Cell: func(s sdk.Session) any { return s.ID }, Fixed: true},
		{Head: "TITLE", Cell: func(s sdk.Session) any { return s.Title }},
		{Head: "WHERE", Cell: where, Fixed: true},
		{Head: "MATCH", Cell: func(s sdk.Session) any {
			if s.Match == nil {
				return nil
			}
			return s.Match.Snippet
		}},
		{Head: "UPDATED", Cell: func(s sdk.Session) any { return s.UpdatedAt }},
	},
}

func where(s sdk.Session) any {
	switch {
	case s.Match == nil:
		return nil
	case s.Match.Sequence == 0:
		return "title"
	}
	return fmt.Sprintf("message %d", s.Match.Sequence)
}
