package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
)

// commandProblems holds a command tree to the rule that every command a person can type explains itself: a Short, an Example that begins with the
// command's own words, and a script below dir in which it runs. Hidden commands and cobra's own (help, completion) are left out.
func commandProblems(root *cobra.Command, scripts fs.FS) []string {
	lines, err := scriptLines(scripts)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c != root && (c.Name() == "help" || c.Name() == "completion" || strings.HasPrefix(c.Name(), "__")) {
			return
		}
		if c.Short == "" {
			out = append(out, c.CommandPath()+": no Short")
		}
		if c.Runnable() {
			out = append(out, runnableProblems(c, lines)...)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return out
}

func runnableProblems(c *cobra.Command, lines [][]string) (out []string) {
	switch {
	case strings.TrimSpace(c.Example) == "":
		out = append(out, c.CommandPath()+": no Example")
	case !strings.Contains(c.Example, c.CommandPath()):
		out = append(out, fmt.Sprintf("%s: no line of its Example runs it", c.CommandPath()))
	}
	words := strings.Fields(c.CommandPath())
	typed := slices.ContainsFunc(lines, func(line []string) bool { return isRun(line, words) })
	if !typed {
		out = append(out, c.CommandPath()+": no script in testdata/script runs it")
	}
	return out
}

// isRun reports whether a script line holds the binary's name and, anywhere behind it, the command's words one after another; flags are already left out.
func isRun(line, words []string) bool {
	at := slices.Index(line, words[0])
	if at < 0 {
		return false
	}
	rest, want := line[at+1:], words[1:]
	for i := 0; i+len(want) <= len(rest); i++ {
		if slices.Equal(rest[i:i+len(want)], want) {
			return true
		}
	}
	return false
}

// scriptLines gives the words of every script line without its flags and quotes; the files packed into a script are left out.
func scriptLines(scripts fs.FS) (lines [][]string, err error) {
	names, err := fs.Glob(scripts, "*.txtar")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		b, err := fs.ReadFile(scripts, name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "-- ") {
				break
			}
			if strings.HasPrefix(line, "#") {
				continue
			}
			words := slices.DeleteFunc(strings.Fields(line), func(w string) bool { return strings.HasPrefix(w, "-") })
			lines = append(lines, words)
		}
	}
	return lines, nil
}

// TestCommands holds the whole tree to it.
func TestCommands(t *testing.T) {
	for _, p := range commandProblems(newRoot(cli.System()), os.DirFS(filepath.Join("testdata", "script"))) {
		t.Errorf("%s\n\trule commands: a command is learnt from its help and kept working by a script that a user could type", p)
	}
}

func TestCommandProblems(t *testing.T) {
	run := func(*cobra.Command, []string) {}
	tree := func(c *cobra.Command) *cobra.Command {
		root := &cobra.Command{Use: "clawless", Short: "root"}
		noun := &cobra.Command{Use: "key", Short: "keys"}
		noun.AddCommand(c)
		root.AddCommand(noun, &cobra.Command{Use: "secret", Hidden: true, Run: run})
		return root
	}
	scripts := fstest.MapFS{"a.txtar": {Data: []byte("# clawless key drop\nexec clawless --data-dir $WORK key list -o json\n! exec clawless key rotate k1\n-- x.txt --\nclawless key create\n")}}
	for _, tt := range []struct {
		name string
		cmd  *cobra.Command
		want string
	}{
		{"complete", &cobra.Command{Use: "list", Short: "s", Example: "  clawless key list", Run: run}, ""},
		{"refused run counts", &cobra.Command{Use: "rotate", Short: "s", Example: "  clawless key rotate ID", Run: run}, ""},
		{"no short", &cobra.Command{Use: "list", Example: "  clawless key list", Run: run}, "no Short"},
		{"no example", &cobra.Command{Use: "list", Short: "s", Run: run}, "no Example"},
		{"example of another", &cobra.Command{Use: "list", Short: "s", Example: "  clawless key rotate", Run: run}, "no line of its Example"},
		{"only in a packed file", &cobra.Command{Use: "create", Short: "s", Example: "  clawless key create", Run: run}, "no script"},
		{"only in a comment", &cobra.Command{Use: "drop", Short: "s", Example: "  clawless key drop", Run: run}, "no script"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := commandProblems(tree(tt.cmd), scripts)
			if tt.want == "" && len(got) != 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
