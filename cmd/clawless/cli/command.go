package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Verb is a command that does something. Its package fills an options struct from Flags and the arguments, and Run does the work:
//
//	func newCreate(env *cli.Env) *cobra.Command {
//		o := createOptions{env: env}
//		return cli.Verb{
//			Use:     "create NAME",
//			Short:   "Create a tenant",
//			Example: "clawless tenant create acme",
//			Flags:   func(fs *pflag.FlagSet) { fs.StringVar(&o.tier, "tier", "", "`TIER` of the tenant") },
//			Run:     func(ctx context.Context, args []string) error { o.name = args[0]; return o.run(ctx) },
//		}.Command()
//	}
type Verb struct {
	Use      string // the name and its arguments: NAME is required, [NAME] may be left out, and a last NAME... or [NAME...] repeats
	Aliases  []string
	Short    string // one line: capital first, no full stop
	Long     string // the whole help above the usage; Short when empty
	Example  string // command lines as they are typed, a line each; a line that begins with # explains
	Group    string // heading in the help of the command above; "Commands" when empty
	Hidden   bool
	Flags    func(fs *pflag.FlagSet)
	Complete func(ctx context.Context, args []string) []string // values of the next argument for the shell
	Run      func(ctx context.Context, args []string) error    // args are as many as Use says
}

// Command makes the command.
func (v Verb) Command() *cobra.Command {
	c := &cobra.Command{
		Use:     v.Use,
		Aliases: v.Aliases,
		Short:   v.Short,
		Long:    v.Long,
		Example: v.Example,
		GroupID: v.Group,
		Hidden:  v.Hidden,
		Args:    checkLine,
		RunE:    func(c *cobra.Command, args []string) error { return v.Run(c.Context(), args) },
	}
	c.Flags().SortFlags = false // the order in which the package gives them is the order of importance
	if v.Flags != nil {
		v.Flags(c.Flags())
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if v.Complete == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return v.Complete(c.Context(), args), cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

// Noun is a command that only holds others, such as tenant.
type Noun struct {
	Use     string
	Aliases []string
	Short   string
	Long    string
	Example string
	Group   string
}

// Command makes the command with its verbs. Alone it prints its help, and an unknown verb is a usage error with the nearest one.
func (n Noun) Command(verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:     n.Use,
		Aliases: n.Aliases,
		Short:   n.Short,
		Long:    n.Long,
		Example: n.Example,
		GroupID: n.Group,
		Args:    cobra.ArbitraryArgs,
		RunE:    runNoun,
	}
	c.AddCommand(verbs...)
	return c
}

func runNoun(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	return unknownCommand(c, args[0])
}

// checkLine checks what the parser has understood: the arguments, then the flags that must be there or exclude each other.
func checkLine(c *cobra.Command, args []string) error {
	if err := checkArgs(c, args); err != nil {
		return err
	}
	var missing []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[cobra.BashCompOneRequiredFlag] != nil && !f.Changed {
			missing = append(missing, "--"+f.Name)
		}
	})
	if len(missing) > 0 {
		return WithHint(Usagef("%s is missing", strings.Join(missing, " and ")), c.CommandPath()+" --help")
	}
	if err := c.ValidateFlagGroups(); err != nil {
		return WithHint(WithCode(err, ExitUsage), c.CommandPath()+" --help")
	}
	return nil
}

// checkArgs compares the arguments with those that Use names.
func checkArgs(c *cobra.Command, args []string) error {
	least, most := 0, 0
	var names []string
	for _, name := range strings.Fields(c.Use)[1:] {
		optional := strings.HasPrefix(name, "[")
		bare := strings.Trim(name, "[].")
		names = append(names, bare)
		if !optional {
			least++
		}
		most++
		if strings.Contains(name, "...") {
			most = len(args) + most
		}
	}
	usage := c.CommandPath() + strings.TrimPrefix(c.Use, c.Name())
	switch {
	case len(args) < least:
		return WithHint(Usagef("%s is missing", names[len(args)]), usage)
	case len(args) > most && most == 0:
		return WithHint(Usagef("%q is one argument too many: %s takes none", args[0], c.CommandPath()), c.CommandPath()+" --help")
	case len(args) > most:
		return WithHint(Usagef("%q is one argument too many", args[most]), usage)
	}
	return nil
}
