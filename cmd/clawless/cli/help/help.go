// Package help writes the help of a command, and the reference of all commands and settings.
package help

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli/settings"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
)

// widest is how many columns a line of help may take, even on a wider terminal: longer ones are hard to read.
const widest = 100

// Text returns the help of a command: what it does, how it is typed, examples, the commands below it and its flags.
func Text(c *cobra.Command, p show.Printer) string {
	var b strings.Builder
	section := func(title, body string) {
		if body != "" {
			b.WriteString("\n" + show.Bold.Paint(p.Colour, title) + "\n" + body)
		}
	}
	columns := widest
	if p.Width > 0 {
		columns = min(p.Width, widest)
	}
	b.WriteString(reflow(describe(c), columns) + "\n")
	if c.IsAdditionalHelpTopicCommand() {
		return b.String()
	}
	c.InitDefaultHelpFlag() // cobra adds it only to a command that runs
	section("Usage", usageLines(c))
	section("Examples", examples(c))
	for _, g := range groups(c) {
		section(g.title, g.lines)
	}
	section("Help topics", topics(c))
	own, set, global := flagSets(c)
	section("Flags", flagLines(own, columns))
	section("Settings", flagLines(set, columns))
	section("Global flags", flagLines(global, columns))
	if c.HasAvailableSubCommands() {
		b.WriteString("\nMore about a command: " + c.CommandPath() + " COMMAND --help\n")
	}
	return b.String()
}

func describe(c *cobra.Command) string {
	if c.Long != "" {
		return strings.TrimSpace(c.Long)
	}
	return c.Short + "."
}

func usageLines(c *cobra.Command) string {
	line := "  " + c.CommandPath() + strings.TrimPrefix(c.Use, c.Name())
	if c.HasAvailableSubCommands() {
		line = "  " + c.CommandPath() + " COMMAND"
	}
	line += " [flags]\n"
	if len(c.Aliases) > 0 {
		parent := ""
		if c.HasParent() {
			parent = c.Parent().CommandPath() + " "
		}
		line += "  also: " + parent + strings.Join(c.Aliases, ", "+parent) + "\n"
	}
	return line
}

func examples(c *cobra.Command) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(c.Example)) {
		b.WriteString("  " + strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

type group struct{ title, lines string }

// groups lists the commands below c under their headings, in the order in which the headings were declared.
func groups(c *cobra.Command) []group {
	titles := map[string]string{"": "Commands"}
	order := []string{}
	for _, g := range c.Groups() {
		titles[g.ID] = g.Title
		order = append(order, g.ID)
	}
	order = append(order, "")
	width := nameWidth(c)
	lines := map[string]string{}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			lines[sub.GroupID] += fmt.Sprintf("  %-*s  %s\n", width, sub.Name(), sub.Short)
		}
	}
	var out []group
	for _, id := range order {
		if lines[id] != "" {
			out = append(out, group{titles[id], lines[id]})
		}
	}
	return out
}

func topics(c *cobra.Command) string {
	var b strings.Builder
	width := nameWidth(c)
	for _, sub := range c.Commands() {
		if sub.IsAdditionalHelpTopicCommand() {
			fmt.Fprintf(&b, "  %-*s  %s\n", width, sub.Name(), sub.Short)
		}
	}
	return b.String()
}

func nameWidth(c *cobra.Command) int {
	width := 0
	for _, sub := range c.Commands() {
		width = max(width, len(sub.Name()))
	}
	return width
}

// flagSets parts a command's flags into its own, those of settings and the global ones.
func flagSets(c *cobra.Command) (own, set, global []*pflag.Flag) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		switch {
		case f.Hidden || f.Name == "help":
		case f.Annotations[settings.Annotation] != nil:
			set = append(set, f)
		case c.Root().PersistentFlags().Lookup(f.Name) == f:
		default:
			own = append(own, f)
		}
	})
	c.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			global = append(global, f)
		}
	})
	if help := c.Flags().Lookup("help"); help != nil {
		global = append(global, help)
	}
	return own, set, global
}

// flagLines aligns flags with their usage; what the usage puts in back quotes is the name of the value.
func flagLines(flags []*pflag.Flag, columns int) string {
	heads := make([]string, len(flags))
	width := 0
	for i, f := range flags {
		heads[i] = flagHead(f)
		width = max(width, len(heads[i]))
	}
	var b strings.Builder
	for i, f := range flags {
		text := wrap(meaning(f), columns-width-4, strings.Repeat(" ", width+4))
		fmt.Fprintf(&b, "  %-*s  %s\n", width, heads[i], text)
	}
	return b.String()
}

func flagHead(f *pflag.Flag) string {
	head := "    --" + f.Name
	if f.Shorthand != "" {
		head = "-" + f.Shorthand + ", --" + f.Name
	}
	name, _ := pflag.UnquoteUsage(f)
	if f.Annotations[settings.Annotation] != nil {
		name = f.Value.Type()
	}
	if name != "" && f.NoOptDefVal == "" {
		head += " " + strings.ToUpper(name)
	}
	return head
}

// reflow wraps the paragraphs of a text. An indented line stands for itself, and so does a blank one.
func reflow(text string, columns int) string {
	var out, paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			out = append(out, wrap(strings.Join(paragraph, " "), columns, ""))
			paragraph = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.HasPrefix(line, " ") {
			flush()
			out = append(out, line)
			continue
		}
		paragraph = append(paragraph, line)
	}
	flush()
	return strings.Join(out, "\n")
}

// wrap breaks a text into lines of at most that many columns; those after the first begin with indent. It does not break at a no-break space, which becomes a space.
func wrap(text string, columns int, indent string) string {
	columns = max(columns, 24) // on a very narrow terminal a broken line reads better than one word a line
	var lines []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		if line != "" && len(line)+1+len(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += strings.ReplaceAll(word, noBreak, " ")
	}
	return strings.Join(append(lines, line), "\n"+indent)
}

const noBreak = "\u00a0"

// meaning is what a flag's usage says, with its default.
func meaning(f *pflag.Flag) string {
	_, text := pflag.UnquoteUsage(f)
	if f.Name == "help" {
		text = "print this help"
	}
	switch {
	case slices.Contains([]string{"", "false", "0", "0s", "[]"}, f.DefValue): // what anybody expects
		return text
	case f.NoOptDefVal == f.DefValue:
		return text + " (on; --" + f.Name + "=false turns it off)"
	}
	return text + " (default:" + noBreak + f.DefValue + ")"
}
