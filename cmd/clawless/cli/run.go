package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli/help"
	"github.com/clawless/clawless/cmd/clawless/cli/nearest"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
)

// Execute runs the command line on the tree below root, reports an error on env.Err and returns the exit code. It gives the tree the conventions of the kit: its
// global flags, help, error texts and suggestions.
func Execute(ctx context.Context, env *Env, root *cobra.Command, args []string) int {
	Prepare(env, root)
	root.SetArgs(append([]string{}, args...)) // cobra would take nil for the process's own arguments
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil && ExitCode(err) == ExitFailure {
		err = WithCode(err, ExitInterrupted) // whatever failed did so because ctrl+c ended it
	}
	if err != nil && asksForJSON(args) {
		env.Flags.Output = show.JSON // the parser may have stopped before it came to -o
	}
	Report(env, err)
	return ExitCode(err)
}

// Prepare gives a tree the conventions without running it, for tests and for the reference.
func Prepare(env *Env, root *cobra.Command) {
	root.SilenceUsage, root.SilenceErrors = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { _, _ = env.Out.Write([]byte(help.Text(c, env.Printer()))) })
	root.SetUsageFunc(func(c *cobra.Command) error { return nil }) // an error says what to type; the whole usage would bury it
	root.SetHelpCommand(newHelp())
	root.Args = cobra.ArbitraryArgs
	if root.RunE == nil {
		root.RunE = runNoun
	}
	if root.PersistentFlags().Lookup("output") == nil {
		env.AddGlobalFlags(root)
	}
	root.InitDefaultHelpFlag()
}

// asksForJSON looks for -o json in a command line that the parser may not have understood.
func asksForJSON(args []string) bool {
	for i, arg := range args {
		switch arg {
		case "--":
			return false
		case "-ojson", "-ojsonl", "-o=json", "-o=jsonl", "--output=json", "--output=jsonl":
			return true
		case "-o", "--output":
			return i+1 < len(args) && (args[i+1] == string(show.JSON) || args[i+1] == string(show.JSONL))
		}
	}
	return false
}

func newHelp() *cobra.Command {
	c := Verb{
		Use:     "help [COMMAND...]",
		Short:   "Print the help of a command or topic",
		Example: "clawless help\nclawless help exit-codes",
	}.Command()
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		at, rest, err := c.Root().Find(args)
		switch {
		case err != nil:
			return err
		case len(rest) > 0:
			return unknownCommand(at, rest[0])
		}
		return at.Help()
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		at, _, err := c.Root().Find(args)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(at), cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func names(c *cobra.Command) []string {
	var out []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
			out = append(out, sub.Name())
		}
	}
	return out
}

func unknownCommand(c *cobra.Command, word string) error {
	words := names(c)
	for _, sub := range c.Commands() {
		words = append(words, sub.Aliases...)
		if slices.Contains(sub.SuggestFor, word) {
			return WithHint(Usagef("%q is no command of %s", word, c.CommandPath()), sub.CommandPath())
		}
	}
	try := c.CommandPath() + " --help"
	if best := nearest.To(word, words); best != "" {
		try = c.CommandPath() + " " + best
		if sub, _, err := c.Find([]string{best}); err == nil && sub.IsAdditionalHelpTopicCommand() {
			try = c.CommandPath() + " help " + best
		}
	}
	return WithHint(Usagef("%q is no command of %s", word, c.CommandPath()), try)
}

// flagError puts the parser's errors into our words.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown):
		return unknownFlag(c, unknown)
	case errors.As(err, &missing):
		err = Usagef("%s needs a value", dashed(missing.GetSpecifiedName(), missing.GetSpecifiedShortnames()))
	case errors.As(err, &invalid):
		err = invalidValue(invalid)
	case errors.As(err, &syntax):
		err = Usagef("%q is no flag", syntax.GetSpecifiedFlag())
	default:
		err = WithCode(err, ExitUsage)
	}
	return WithHint(err, c.CommandPath()+" --help")
}

// invalidValue says what a flag takes where the parser only says how its parsing failed.
func invalidValue(e *pflag.InvalidValueError) error {
	name, value := e.GetFlag().Name, e.GetValue()
	switch e.GetFlag().Value.Type() {
	case "bool":
		return Usagef("--%s: %q is not true or false", name, value)
	case "int", "int64", "uint", "uint64":
		return Usagef("--%s: %q is not a whole number, or too large a one", name, value)
	case "duration":
		return Usagef("--%s: %q is not a duration such as 30s, 10m or 24h", name, value)
	}
	return Usagef("--%s: %w", name, e.Unwrap())
}

func dashed(name, short string) string {
	if short != "" {
		return "-" + name
	}
	return "--" + name
}

func unknownFlag(c *cobra.Command, e *pflag.NotExistError) error {
	name := e.GetSpecifiedName()
	try := c.CommandPath() + " --help"
	if e.GetSpecifiedShortnames() != "" {
		return WithHint(Usagef("-%s is no flag of %s", name, c.CommandPath()), try)
	}
	var flags []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			flags = append(flags, f.Name)
		}
	})
	if best := nearest.To(name, flags); best != "" {
		try = c.CommandPath() + " --" + best
	}
	return WithHint(Usagef("--%s is no flag of %s", name, c.CommandPath()), try)
}
