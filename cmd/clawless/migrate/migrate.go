// Package migrate is `clawless migrate`: the database's schema, brought up to date or looked at.
package migrate

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/server/db"
)

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "migrate",
		Short:   "Bring the database's schema up to date, or look at it",
		Long:    "Bring the database's schema up to date, or look at it. `clawless serve` migrates by itself; these are for those who want it apart.",
		Example: "clawless migrate up\nclawless migrate status",
		Group:   "server",
	}.Command(newUp(env), newStatus(env))
}

type options struct {
	env   *cli.Env
	flags *pflag.FlagSet
}

func (o *options) addFlags(fs *pflag.FlagSet) {
	o.flags = fs
	cli.SettingsFlags(fs, "data_dir", "database_url")
}

func (o *options) open(ctx context.Context, opts db.Options) (*db.DB, error) {
	loaded, err := o.env.LoadSettings(o.flags)
	if err != nil {
		return nil, err
	}
	opts.URL, opts.Dir = string(loaded.Settings.DatabaseURL), loaded.Settings.DataDir
	opts.Log = cli.Logger(o.env.Err, loaded.Settings.LogLevel, loaded.Settings.LogFormat)
	return db.Open(ctx, opts)
}

func newUp(env *cli.Env) *cobra.Command {
	o := options{env: env}
	return cli.Verb{
		Use:     "up",
		Short:   "Apply the migrations that are missing",
		Example: "clawless migrate up\nclawless migrate up --data-dir ./data",
		Flags:   o.addFlags,
		Run:     func(ctx context.Context, _ []string) error { return o.up(ctx) },
	}.Command()
}

func (o *options) up(ctx context.Context) error {
	d, err := o.open(ctx, db.Options{Migrate: true})
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	status, err := d.Status(ctx)
	if err != nil {
		return err
	}
	o.env.Note("the schema is at version %d", status.Version)
	return d.Close()
}

func newStatus(env *cli.Env) *cobra.Command {
	o := options{env: env}
	return cli.Verb{
		Use:     "status",
		Short:   "List every table and migration",
		Example: "clawless migrate status\nclawless migrate status -o json",
		Flags:   o.addFlags,
		Run:     func(ctx context.Context, _ []string) error { return o.status(ctx) },
	}.Command()
}

// item is one line of the status: a migration or a table.
type item struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	State string `json:"state"`
}

func (o *options) status(ctx context.Context) error {
	d, err := o.open(ctx, db.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	status, err := d.Status(ctx)
	if err != nil {
		return err
	}
	return view.List(o.env.Printer(), items(status))
}

var view = cli.View[item]{
	ID: func(i item) string { return i.Name },
	Columns: []cli.Column[item]{
		{Head: "KIND", Cell: func(i item) any { return i.Kind }},
		{Head: "NAME", Cell: func(i item) any { return i.Name }},
		{Head: "STATE", Cell: func(i item) any { return i.State }},
	},
}

func items(s db.Status) []item {
	out := []item{{"schema", string(s.Dialect), fmt.Sprintf("version %d of %d", s.Version, s.Latest)}}
	for _, m := range s.Migrations {
		state := "pending; apply it with: clawless migrate up"
		if m.Applied {
			state = "applied " + m.AppliedAt.UTC().Format(time.RFC3339)
		}
		out = append(out, item{"migration", fmt.Sprintf("%04d_%s", m.Version, m.Name), state})
	}
	for _, t := range s.Tables {
		state := "ok"
		if s.Dialect == db.Postgres && !t.RowSecurity {
			state = "ok, without row security"
		}
		out = append(out, item{"table", t.Name, state})
	}
	return out
}
