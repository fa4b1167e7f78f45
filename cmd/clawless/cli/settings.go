package cli

import (
	"errors"

	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli/settings"
)

// SettingsFlags adds the flags of the named settings, or of all, to a command that calls LoadSettings.
func SettingsFlags(fs *pflag.FlagSet, names ...string) { settings.AddFlags(fs, names...) }

// LoadSettings reads the server's settings: flag, else variable, else file, else default; fs may be nil. Whatever is wrong with them is one error of exit code 2 that
// lists everything, and the result then still holds what could be read.
func (e *Env) LoadSettings(fs *pflag.FlagSet) (*settings.Loaded, error) {
	l, err := e.World().Load(fs)
	return l, SettingsError(err)
}

// World returns what settings are read from.
func (e *Env) World() settings.World {
	return settings.World{File: e.Flags.Config, Dir: e.Dir, GOOS: e.GOOS, LookupEnv: e.LookupEnv, Environ: e.Environ}
}

// SettingsError gives an error of package settings its exit code, its list and the next thing to do.
func SettingsError(err error) error {
	var invalid *settings.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	return &Error{Code: ExitUsage, Details: invalid.Problems, Try: "clawless config show --origin", Err: err}
}
