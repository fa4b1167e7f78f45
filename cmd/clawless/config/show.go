package config

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/settings"
)

type showOptions struct {
	env    *cli.Env
	flags  *pflag.FlagSet
	origin bool
}

func newShow(env *cli.Env) *cobra.Command {
	o := showOptions{env: env}
	return cli.Verb{
		Use:   "show",
		Short: "Print every setting that is in force",
		Long: "Print every setting that is in force. Of a secret only the last four characters are shown.\n" +
			"The flags of `clawless serve` are understood, to see what they would change.",
		Example: "clawless config show\nclawless config show --origin\nclawless config show -o json",
		Flags: func(fs *pflag.FlagSet) {
			o.flags = fs
			fs.BoolVar(&o.origin, "origin", false, "say where each value came from")
			cli.SettingsFlags(fs)
		},
		Run: func(ctx context.Context, _ []string) error { return o.run(ctx) },
	}.Command()
}

func (o *showOptions) run(context.Context) error {
	loaded, err := o.env.LoadSettings(o.flags)
	if loaded == nil {
		return err
	}
	if printErr := o.view().List(o.env.Printer(), loaded.Rows()); printErr != nil {
		return printErr
	}
	return own(err) // what could be read is shown even when something is wrong
}

func (o *showOptions) view() cli.View[settings.Row] {
	v := cli.View[settings.Row]{
		ID: func(r settings.Row) string { return r.Name },
		Columns: []cli.Column[settings.Row]{
			{Head: "SETTING", Cell: func(r settings.Row) any { return r.Name }},
			{Head: "VALUE", Cell: func(r settings.Row) any { return r.Text() }},
		},
	}
	if o.origin {
		v.Columns = append(v.Columns, cli.Column[settings.Row]{Head: "ORIGIN", Cell: func(r settings.Row) any { return r.Origin().String() }})
	}
	return v
}
