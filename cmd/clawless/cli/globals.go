package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli/show"
)

// Globals are the flags that every command understands.
type Globals struct {
	Output  show.Format
	Quiet   bool
	NoInput bool
	URL     string
	Profile string
	Config  string
}

// formatFlag reads -o.
type formatFlag struct{ to *show.Format }

// String is the flag's text.
func (f formatFlag) String() string {
	if f.to == nil || *f.to == "" {
		return string(show.Table)
	}
	return string(*f.to)
}

// Set reads the flag's text; the error names the allowed forms.
func (f formatFlag) Set(text string) error {
	if !slices.Contains(show.Formats, text) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(show.Formats, ", "))
	}
	*f.to = show.Format(text)
	return nil
}

// Type is what the help calls the value.
func (f formatFlag) Type() string { return "FORMAT" }

// AddGlobalFlags gives the root the flags of Globals, for all commands below it.
func (e *Env) AddGlobalFlags(root *cobra.Command) {
	fs := root.PersistentFlags()
	fs.SortFlags = false
	fs.VarP(formatFlag{&e.Flags.Output}, "output", "o", "print a table, json, jsonl or yaml")
	fs.BoolVarP(&e.Flags.Quiet, "quiet", "q", false, "print ids only, and no notes")
	fs.StringVar(&e.Flags.Profile, "profile", "", "use the server and keys of profile `NAME` (default: the current one)")
	fs.StringVar(&e.Flags.URL, "url", "", "talk to the server at `URL` (default: the profile's, else "+DefaultURL+")")
	fs.StringVar(&e.Flags.Config, "config", "", "read the server's settings from `FILE` (default: clawless.yaml here, else the user's)")
	fs.BoolVar(&e.Flags.NoInput, "no-input", false, "never ask; fail and name the flag instead")
	for name, complete := range map[string]cobra.CompletionFunc{
		"output": cobra.FixedCompletions(show.Formats, cobra.ShellCompDirectiveNoFileComp),
		"profile": func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			p, err := e.LoadProfiles()
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return p.Names(), cobra.ShellCompDirectiveNoFileComp
		},
	} {
		_ = root.RegisterFlagCompletionFunc(name, complete) // fails only for a flag that was not defined above
	}
}

// YesFlag adds --yes to a command that destroys something, which Confirm asks for.
func YesFlag(fs *pflag.FlagSet, yes *bool) {
	fs.BoolVar(yes, "yes", false, "do it without asking")
}
