package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// thing is the noun of the small tree on which the kit is tested.
type thing struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// tree returns a root like the product's with one noun.
func tree(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:     "clawless",
		Short:   "AI assistants for every customer of a company",
		Long:    "Clawless gives every customer of a company their own AI assistant.",
		Example: "clawless tenant create acme",
	}
	root.AddGroup(&cobra.Group{ID: "run", Title: "Run a server"})
	root.AddCommand(Noun{Use: "tenant", Aliases: []string{"tenants"}, Short: "Manage tenants", Example: "clawless tenant create acme"}.Command(newCreate(env), newRename(env)))
	root.AddCommand(newServe(env))
	root.AddCommand(Topics()...)
	return root
}

type createOptions struct {
	env  *Env
	name string
	tier string
	yes  bool
}

func newCreate(env *Env) *cobra.Command {
	o := createOptions{env: env}
	return Verb{
		Use:     "create NAME",
		Short:   "Create a tenant",
		Long:    "Create a tenant: a customer with keys, sessions and a budget of its own.",
		Example: "clawless tenant create acme\nclawless tenant create acme --tier gold -o json",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.tier, "tier", "free", "`TIER` of the tenant, which sets its limits")
			YesFlag(fs, &o.yes)
		},
		Run: func(ctx context.Context, args []string) error { o.name = args[0]; return o.run(ctx) },
	}.Command()
}

func (o *createOptions) run(context.Context) error {
	view := View[thing]{
		ID: func(t thing) string { return t.ID },
		Columns: []Column[thing]{
			{Head: "ID", Cell: func(t thing) any { return t.ID }},
			{Head: "NAME", Cell: func(t thing) any { return t.Name }},
		},
	}
	return view.One(o.env.Printer(), thing{"ten_1", o.name})
}

func newRename(env *Env) *cobra.Command {
	return Verb{
		Use: "rename NAME NEW [NOTE...]", Short: "Rename a tenant", Example: "clawless tenant rename acme apex",
		Run: func(_ context.Context, args []string) error { return env.Printer().Value(args, fmt.Sprint(args)) },
	}.Command()
}

func newServe(env *Env) *cobra.Command {
	var fs *pflag.FlagSet
	return Verb{
		Use: "serve", Group: "run", Short: "Run the server", Example: "clawless serve",
		Flags: func(flags *pflag.FlagSet) { fs = flags; SettingsFlags(flags) },
		Run: func(context.Context, []string) error {
			l, err := env.LoadSettings(fs)
			if err != nil {
				return err
			}
			return env.Printer().Value(l.Addr, l.Addr+" from "+l.Origin("addr").String())
		},
	}.Command()
}
