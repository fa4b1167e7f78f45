// Package completion is `clawless completion`: the script that lets a shell complete commands, flags and names.
package completion

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/nearest"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

const long = `Print the script that lets a shell complete commands, flags and names.

For the running shell:
  bash        source <(clawless completion bash)
  zsh         source <(clawless completion zsh)
  fish        clawless completion fish | source
  powershell  clawless completion powershell | Out-String | Invoke-Expression

For every shell to come, put that line into ~/.bashrc, ~/.zshrc, ~/.config/fish/config.fish or
$PROFILE. Bash needs its bash-completion package, and zsh needs "autoload -U compinit; compinit" above
the line.`

// New returns the command.
func New(env *cli.Env) *cobra.Command {
	c := cli.Verb{
		Use:      "completion SHELL",
		Short:    "Print the completion script of a shell",
		Long:     long,
		Example:  "source <(clawless completion bash)\nclawless completion fish | source",
		Complete: func(context.Context, []string) []string { return shells },
	}.Command()
	c.RunE = func(c *cobra.Command, args []string) error { return write(env.Out, c.Root(), args[0]) }
	return c
}

func write(w io.Writer, root *cobra.Command, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(w, true)
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(w)
	}
	return cli.Usagef("%q is not one of %s%s", shell, strings.Join(shells, ", "), nearest.Ask(shell, shells))
}
