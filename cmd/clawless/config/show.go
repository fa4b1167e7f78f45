package config

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/settings"
	"github.com/clawless/clawless/server/config"
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

// setting is one row of the output.
type setting struct {
	Name   string `json:"name"`
	Value  any    `json:"value"`
	Source string `json:"source"`          // flag, env, file or default
	Where  string `json:"where,omitempty"` // --addr, CLAWLESS_ADDR, clawless.yaml:3
	note   string
	origin string
}

func (o *showOptions) run(context.Context) error {
	loaded, err := o.env.LoadSettings(o.flags)
	if loaded == nil {
		return err
	}
	var rows []setting
	for _, entry := range loaded.Entries() {
		rows = append(rows, row(loaded, entry))
	}
	if printErr := o.view().List(o.env.Printer(), rows); printErr != nil {
		return printErr
	}
	return own(err) // what could be read is shown even when something is wrong
}

func row(l *settings.Loaded, entry config.Entry) setting {
	origin := l.Origin(entry.Name)
	out := setting{Name: entry.Name, Value: entry.Value, Source: origin.Source, Where: origin.Where, note: entry.Note, origin: origin.String()}
	switch v := entry.Value.(type) {
	case []string:
		out.Value = append([]string{}, v...) // an empty list is [] and not null
	case map[string]string:
		if v == nil {
			out.Value = map[string]string{}
		}
	}
	return out
}

func (o *showOptions) view() cli.View[setting] {
	v := cli.View[setting]{
		ID: func(s setting) string { return s.Name },
		Columns: []cli.Column[setting]{
			{Head: "SETTING", Cell: func(s setting) any { return s.Name }},
			{Head: "VALUE", Cell: func(s setting) any { return s.text() }},
		},
	}
	if o.origin {
		v.Columns = append(v.Columns, cli.Column[setting]{Head: "ORIGIN", Cell: func(s setting) any { return s.origin }})
	}
	return v
}

// text is the value for a person: one that is not set tells what is taken instead.
func (s setting) text() string {
	text := ""
	switch v := s.Value.(type) {
	case map[string]string:
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, name+"="+v[name])
		}
		text = strings.Join(pairs, ", ")
	case []string:
		text = strings.Join(v, ", ")
	default:
		text = fmt.Sprint(v)
	}
	if text == "" && s.note != "" {
		return "(" + s.note + ")"
	}
	return text
}
