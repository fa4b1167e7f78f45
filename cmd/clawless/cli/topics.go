package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli/settings"
	"github.com/clawless/clawless/server/config"
)

// Topics returns the help topics of the kit, for the root: `clawless help exit-codes` and `clawless help environment`.
func Topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesText()},
		{Use: "environment", Short: "The variables that commands read", Long: environmentText()},
	}
}

func exitCodesText() string {
	var b strings.Builder
	b.WriteString("Every command ends with one of these codes. With -o json an error is also printed\nto standard error in the form of the API's errors.\n\n")
	for _, c := range ExitCodes {
		fmt.Fprintf(&b, "  %3d  %-13s  %s\n", c.Code, c.Name, c.Meaning)
	}
	return strings.TrimRight(b.String(), "\n")
}

func environmentText() string {
	var b strings.Builder
	b.WriteString("Variables of every command; a flag comes before its variable, and a variable before the profile.\n\n")
	for _, v := range settings.OtherVars {
		fmt.Fprintf(&b, "  %-19s  %s\n", v.Name, v.Usage)
	}
	b.WriteString("  NO_COLOR             never colour; FORCE_COLOR always does\n")
	b.WriteString("\nVariables of the server's settings (clawless serve), which come before clawless.yaml:\n\n")
	for _, f := range config.Fields() {
		fmt.Fprintf(&b, "  %-38s  %s\n", strings.Replace(f.Env, config.AnyName, "<"+config.AnyName+">", 1), f.Usage)
	}
	return strings.TrimRight(b.String(), "\n")
}
