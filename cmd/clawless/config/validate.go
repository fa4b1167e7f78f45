package config

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/settings"
)

type validateOptions struct {
	env   *cli.Env
	flags *pflag.FlagSet
}

func newValidate(env *cli.Env) *cobra.Command {
	o := validateOptions{env: env}
	return cli.Verb{
		Use:   "validate",
		Short: "Check the settings and list everything that is wrong",
		Long: "Check the settings and list everything that is wrong, with the place of each mistake. The files\n" +
			"that they name must be there. The exit code is 2 when something is wrong.",
		Example: "clawless config validate\nclawless config validate --config clawless.yaml -o json",
		Flags:   func(fs *pflag.FlagSet) { o.flags = fs; cli.SettingsFlags(fs) },
		Run:     func(ctx context.Context, _ []string) error { return o.run(ctx) },
	}.Command()
}

// verdict is the output for machines.
type verdict struct {
	Valid    bool               `json:"valid"`
	File     string             `json:"file"` // empty when there is none
	Problems []settings.Problem `json:"problems"`
}

func (o *validateOptions) run(context.Context) error {
	loaded, err := o.env.LoadSettings(o.flags)
	var invalid *settings.Invalid
	if err != nil && !errors.As(err, &invalid) {
		return err
	}
	v := verdict{Problems: []settings.Problem{}}
	if invalid != nil {
		v.Problems = invalid.Problems
	}
	if loaded != nil {
		v.File = loaded.File
		v.Problems = append(v.Problems, loaded.CheckFiles()...)
	}
	v.Valid = len(v.Problems) == 0
	if v.Valid {
		return o.env.Printer().Value(v, "the settings are valid: "+source(v.File))
	}
	if o.env.Printer().Format.Machine() {
		return errors.Join(o.env.Printer().Value(v), cli.WithCode(cli.ErrSilent, cli.ExitUsage))
	}
	return own(cli.SettingsError(&settings.Invalid{Problems: v.Problems}))
}

func source(file string) string {
	if file == "" {
		return "there is no file, so variables and defaults count"
	}
	return file
}

// own takes the advice to run `clawless config` off an error, as this is that command.
func own(err error) error {
	var e *cli.Error
	if errors.As(err, &e) {
		e.Try = ""
	}
	return err
}
