package help

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/server/config"
)

// WriteReference writes the whole tree below root as Markdown, one heading a command, in the order of the help. The same tree gives the same bytes.
func WriteReference(w io.Writer, root *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Commands of %s\n\n%s\n\n", root.Name(), describe(root))
	for _, c := range Commands(root) {
		fmt.Fprintf(&b, "- [`%s`](#%s): %s\n", path(c), anchor(c), c.Short)
	}
	_, _, global := flagSets(root)
	b.WriteString("\n## Flags of every command\n\n" + flagTable(global))
	for _, c := range Commands(root) {
		writeCommand(&b, c)
	}
	_, err := io.WriteString(w, b.String())
	if err != nil {
		return fmt.Errorf("write the reference: %w", err)
	}
	return nil
}

// Commands lists every visible command and topic below c, depth first, without c itself and without help.
func Commands(c *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.Name() == "help" || (!sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand()) {
			continue
		}
		out = append(out, sub)
		out = append(out, Commands(sub)...)
	}
	return out
}

// path is what is typed for a command, or for the help of a topic.
func path(c *cobra.Command) string {
	if c.IsAdditionalHelpTopicCommand() {
		return c.Root().Name() + " help " + c.Name()
	}
	return c.CommandPath()
}

func anchor(c *cobra.Command) string { return strings.ReplaceAll(path(c), " ", "-") }

func writeCommand(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n", path(c))
	if c.IsAdditionalHelpTopicCommand() {
		b.WriteString("```\n" + describe(c) + "\n```\n")
		return
	}
	b.WriteString(describe(c) + "\n\n```\n" + strings.TrimSpace(unindent(usageLines(c))) + "\n```\n")
	if c.Example != "" {
		b.WriteString("\nExamples:\n\n```sh\n" + unindent(examples(c)) + "```\n")
	}
	own, set, _ := flagSets(c)
	if len(own) > 0 {
		b.WriteString("\n" + flagTable(own))
	}
	if len(set) > 0 {
		b.WriteString("\nEvery setting that is not a secret has a flag here too; see the reference of settings.\n")
	}
}

func unindent(text string) string {
	return strings.TrimPrefix(strings.ReplaceAll("\n"+text, "\n  ", "\n"), "\n")
}

func flagTable(flags []*pflag.Flag) string {
	var b strings.Builder
	b.WriteString("| flag | meaning |\n|---|---|\n")
	for _, f := range flags {
		text := strings.ReplaceAll(meaning(f), noBreak, " ")
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.TrimSpace(flagHead(f)), escapeCell(text))
	}
	return b.String()
}

// escapeCell keeps a text inside its cell of a Markdown table.
func escapeCell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;").Replace(text)
}

// WriteSettings writes the reference of the server's settings as Markdown.
func WriteSettings(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Settings of the server\n\n" +
		"A setting comes from its flag, else its variable, else the file `clawless.yaml`, else its default. The file is the one of `--config` or\n" +
		"`CLAWLESS_CONFIG`, else the one in the working folder, else the one in the user's configuration folder. What is misspelt is refused.\n" +
		"Keys have no flag, because a command line is visible to other users. `clawless config show --origin` prints what is in force and where it came from.\n\n" +
		"| in the file | flag | variable | default | meaning |\n|---|---|---|---|---|\n")
	for _, f := range config.Fields() {
		flag := "none"
		if f.Flag != "" {
			flag = "`--" + f.Flag + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", f.Name, flag, f.Env, defaultCell(f), escapeCell(settingMeaning(f)))
	}
	b.WriteString("\n`" + config.AnyName + "` is the name of a provider, with which the ids of its models begin; in a variable it is in upper case, with `_` for `-`.\n" +
		"Durations are written as `30s`, `10m` or `24h`, sizes as `20MiB`, `500KB` or a number of bytes. A list is a list in the file, and `a,b` elsewhere;\n" +
		"a mapping is a mapping in the file, and `a=x,b=y` elsewhere.\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the reference of settings: %w", err)
	}
	return nil
}

func defaultCell(f config.Field) string {
	switch {
	case f.Note != "":
		return escapeCell(f.Note)
	case f.Default != "":
		return "`" + f.Default + "`"
	}
	return "none"
}

func settingMeaning(f config.Field) string {
	if len(f.OneOf) > 0 {
		return f.Usage + ": " + strings.Join(f.OneOf, ", ")
	}
	return f.Usage
}
