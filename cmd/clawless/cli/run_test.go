package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli/help"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs\ngot\n%s\nwant\n%s", path, got, want)
	}
}

// run types a command line on the small tree.
func run(t *testing.T, f *Fake, line ...string) int {
	t.Helper()
	return Execute(context.Background(), f.Env, tree(f.Env), line)
}

func TestHelpGolden(t *testing.T) {
	for name, line := range map[string][]string{
		"root":       nil,
		"noun":       {"tenant"},
		"verb":       {"tenant", "create", "--help"},
		"serve":      {"serve", "-h"},
		"exit-codes": {"help", "exit-codes"},
	} {
		t.Run(name, func(t *testing.T) {
			f := NewFake(t.TempDir())
			if code := run(t, f, line...); code != ExitOK || f.Stderr.Len() > 0 {
				t.Errorf("exit code %d, Err %q", code, f.Stderr)
			}
			golden(t, "help."+name+".golden", f.Stdout.Bytes())
		})
	}
}

func TestHelpIsTheSameHoweverAsked(t *testing.T) {
	want := ""
	for _, line := range [][]string{{"tenant", "create", "--help"}, {"tenant", "create", "-h"}, {"help", "tenant", "create"}, {"tenants", "create", "acme", "--help"}} {
		f := NewFake(t.TempDir())
		run(t, f, line...)
		if want == "" {
			want = f.Stdout.String()
		}
		if got := f.Stdout.String(); got != want || got == "" {
			t.Errorf("%v gives\n%s", line, got)
		}
	}
}

func TestHelpFitsTheTerminal(t *testing.T) {
	for _, columns := range []int{60, 80, 120} {
		f := NewFake(t.TempDir())
		f.Terminal(columns)
		f.Vars["NO_COLOR"] = "1"
		run(t, f, "serve", "--help")
		for line := range strings.Lines(f.Stdout.String()) {
			if n := len(strings.TrimRight(line, "\n")); n > max(columns, 68) { // the longest flag needs 44 columns, and its usage gets 24
				t.Errorf("on %d columns a line has %d: %s", columns, n, line)
			}
		}
	}
	f := NewFake(t.TempDir())
	f.Terminal(80)
	run(t, f)
	if !strings.Contains(f.Stdout.String(), "\x1b[1mUsage\x1b[0m") {
		t.Errorf("headings are not bold on a terminal: %q", f.Stdout)
	}
}

func TestWrongLines(t *testing.T) {
	for _, tt := range []struct {
		line []string
		want string
	}{
		{[]string{"tenat"}, "clawless: \"tenat\" is no command of clawless\ntry: clawless tenant\n"},
		{[]string{"bogus"}, "clawless: \"bogus\" is no command of clawless\ntry: clawless --help\n"},
		{[]string{"tenant", "craete"}, "clawless: \"craete\" is no command of clawless tenant\ntry: clawless tenant create\n"},
		{[]string{"tenants", "craete"}, "clawless: \"craete\" is no command of clawless tenant\ntry: clawless tenant create\n"},
		{[]string{"help", "exit"}, "clawless: \"exit\" is no command of clawless\ntry: clawless help exit-codes\n"},
		{[]string{"help", "tenant", "x"}, "clawless: \"x\" is no command of clawless tenant\ntry: clawless tenant --help\n"},
		{[]string{"tenant", "create"}, "clawless: NAME is missing\ntry: clawless tenant create NAME\n"},
		{[]string{"tenant", "create", "a", "b"}, "clawless: \"b\" is one argument too many\ntry: clawless tenant create NAME\n"},
		{[]string{"tenant", "rename", "a"}, "clawless: NEW is missing\ntry: clawless tenant rename NAME NEW [NOTE...]\n"},
		{[]string{"serve", "x"}, "clawless: \"x\" is one argument too many: clawless serve takes none\ntry: clawless serve --help\n"},
		{[]string{"tenant", "create", "a", "--teir=gold"}, "clawless: --teir is no flag of clawless tenant create\ntry: clawless tenant create --tier\n"},
		{[]string{"tenant", "create", "a", "--proflie=x"}, "clawless: --proflie is no flag of clawless tenant create\ntry: clawless tenant create --profile\n"},
		{[]string{"tenant", "create", "a", "--zzzzzzzz"}, "clawless: --zzzzzzzz is no flag of clawless tenant create\ntry: clawless tenant create --help\n"},
		{[]string{"tenant", "create", "a", "-x"}, "clawless: -x is no flag of clawless tenant create\ntry: clawless tenant create --help\n"},
		{[]string{"tenant", "create", "a", "--tier"}, "clawless: --tier needs a value\ntry: clawless tenant create --help\n"},
		{[]string{"tenant", "create", "a", "-o"}, "clawless: -o needs a value\ntry: clawless tenant create --help\n"},
		{[]string{"tenant", "create", "a", "-o", "csv"}, "clawless: --output: \"csv\" is not one of table, json, jsonl, yaml\ntry: clawless tenant create --help\n"},
		{[]string{"tenant", "create", "a", "--=x"}, "clawless: \"--=x\" is no flag\ntry: clawless tenant create --help\n"},
		{[]string{"tenant", "create", "a", "--yes=perhaps"}, "clawless: --yes: \"perhaps\" is not true or false\ntry: clawless tenant create --help\n"},
		{[]string{"--bogus"}, "clawless: --bogus is no flag of clawless\ntry: clawless --help\n"},
		{[]string{"tenant", "--bogus"}, "clawless: --bogus is no flag of clawless tenant\ntry: clawless tenant --help\n"},
	} {
		f := NewFake(t.TempDir())
		if code := run(t, f, tt.line...); code != ExitUsage || f.Stderr.String() != tt.want || f.Stdout.Len() > 0 {
			t.Errorf("%v: exit code %d, Out %q\ngot  %q\nwant %q", tt.line, code, f.Stdout, f.Stderr, tt.want)
		}
	}
}

func TestErrorsAreJSONWhenAsked(t *testing.T) {
	for _, line := range [][]string{
		{"tenant", "create", "-o", "json"},
		{"tenant", "create", "--bogus", "-o", "json"},
		{"tenant", "create", "--bogus", "--output=jsonl"},
		{"tenant", "create", "--bogus", "-ojson"},
		{"-o", "json", "tenat"},
		{"serve", "--addr", "x", "-o", "json"},
	} {
		f := NewFake(t.TempDir())
		code := run(t, f, line...)
		var got struct {
			Error struct{ Message, Type, Code string }
		}
		if err := json.Unmarshal(f.Stderr.Bytes(), &got); err != nil || got.Error.Code != "usage" || got.Error.Message == "" || code != ExitUsage {
			t.Errorf("%v: %d, %v, %s", line, code, err, f.Stderr)
		}
	}
	for _, line := range [][]string{{"tenant", "create", "--", "-o", "json", "x"}, {"tenant", "create", "--bogus", "-o", "table"}, {"tenant", "create", "--bogus", "-o"}} {
		f := NewFake(t.TempDir())
		run(t, f, line...)
		if json.Valid(f.Stderr.Bytes()) {
			t.Errorf("%v: JSON that nobody asked for: %s", line, f.Stderr)
		}
	}
}

func TestRun(t *testing.T) {
	for _, tt := range []struct {
		line []string
		want string
	}{
		{[]string{"tenant", "create", "acme"}, "ID    ten_1\nNAME  acme\n"},
		{[]string{"-q", "tenant", "create", "acme"}, "ten_1\n"},
		{[]string{"tenant", "create", "acme", "--output", "jsonl"}, "{\"id\":\"ten_1\",\"name\":\"acme\"}\n"},
		{[]string{"tenant", "create", "-o", "yaml", "--", "--odd"}, "id: ten_1\nname: --odd\n"},
		{[]string{"tenant", "rename", "a", "b"}, "[a b]\n"},
		{[]string{"tenant", "rename", "a", "b", "c", "d"}, "[a b c d]\n"},
		{[]string{"serve"}, "127.0.0.1:8787 from default\n"},
		{[]string{"serve", "--addr", "127.0.0.1:0"}, "127.0.0.1:0 from flag --addr\n"},
	} {
		f := NewFake(t.TempDir())
		if code := run(t, f, tt.line...); code != ExitOK || f.Stdout.String() != tt.want || f.Stderr.Len() > 0 {
			t.Errorf("%v: %d, %q, want %q; Err %q", tt.line, code, f.Stdout, tt.want, f.Stderr)
		}
	}
}

// TestRequiredFlags checks that what cobra finds missing is a usage error in our words.
func TestRequiredFlags(t *testing.T) {
	for _, tt := range []struct {
		line []string
		want string
	}{
		{[]string{"make"}, "clawless: --tenant is missing\ntry: clawless make --help\n"},
		{[]string{"make", "--tenant", "a", "--all", "--one"}, "none of the others can be; [all one] were all set\ntry: clawless make --help\n"},
	} {
		f := NewFake(t.TempDir())
		root := tree(f.Env)
		c := Verb{
			Use: "make", Short: "Make", Example: "clawless make --tenant acme",
			Flags: func(fs *pflag.FlagSet) {
				fs.String("tenant", "", "`NAME` of the tenant")
				fs.Bool("all", false, "all")
				fs.Bool("one", false, "one")
			},
			Run: func(context.Context, []string) error { return nil },
		}.Command()
		if err := c.MarkFlagRequired("tenant"); err != nil {
			t.Fatal(err)
		}
		c.MarkFlagsMutuallyExclusive("all", "one")
		root.AddCommand(c)
		if code := Execute(context.Background(), f.Env, root, tt.line); code != ExitUsage || !strings.HasSuffix(f.Stderr.String(), tt.want) {
			t.Errorf("%v: %d, %q, want %q", tt.line, code, f.Stderr, tt.want)
		}
	}
}

func TestInterruptedRunIs130(t *testing.T) {
	f := NewFake(t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	root := tree(f.Env)
	root.AddCommand(Verb{
		Use: "wait", Short: "Wait", Example: "clawless wait",
		Run: func(context.Context, []string) error { cancel(); return errors.New("the connection was cut") },
	}.Command())
	if code := Execute(ctx, f.Env, root, []string{"wait"}); code != ExitInterrupted {
		t.Errorf("exit code %d", code)
	}
}

func TestCompletion(t *testing.T) {
	f := withProfiles(t)
	for _, tt := range []struct {
		line []string
		want []string
	}{
		{[]string{"__complete", "tenant", ""}, []string{"create\tCreate a tenant", "rename\tRename a tenant"}},
		{[]string{"__complete", "tenant", "create", "-o", ""}, []string{"table", "json", "jsonl", "yaml"}},
		{[]string{"__complete", "tenant", "create", "--profile", ""}, []string{"local", "prod"}},
		{[]string{"__complete", "tenant", "create", ""}, nil},
		{[]string{"__complete", "help", ""}, []string{"environment", "exit-codes", "serve", "tenant"}},
	} {
		f.Stdout.Reset()
		run(t, f, tt.line...)
		lines := strings.Split(f.Stdout.String(), "\n")
		var got []string
		for _, l := range lines {
			if strings.HasPrefix(l, ":") {
				break
			}
			got = append(got, l)
		}
		if strings.Join(got, "|") != strings.Join(tt.want, "|") {
			t.Errorf("%v: %q, want %q", tt.line, got, tt.want)
		}
	}
}

// TestHelpReadsNoFile asks for help where every file that a command could read is damaged, which nobody notices who does not read it.
func TestHelpReadsNoFile(t *testing.T) {
	for _, line := range [][]string{nil, {"--help"}, {"serve", "--help"}, {"help", "environment"}, {"tenant", "create"}} {
		f := NewFake(t.TempDir())
		dir, err := f.ConfigDir()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []string{dir, f.Dir} {
			if err := os.MkdirAll(d, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"clawless.yaml", "profiles.yaml"} {
				if err := os.WriteFile(filepath.Join(d, name), []byte("]["), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		run(t, f, line...)
		if strings.Contains(f.Stderr.String(), ".yaml") {
			t.Errorf("%v read a file: %s", line, f.Stderr)
		}
	}
}

func TestReferenceGolden(t *testing.T) {
	f := NewFake(t.TempDir())
	var a, b bytes.Buffer
	if err := WriteReference(&a, f.Env, tree(f.Env)); err != nil {
		t.Fatal(err)
	}
	if err := WriteReference(&b, f.Env, tree(f.Env)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("a second reference differs, %v", err)
	}
	golden(t, "reference.golden.md", a.Bytes())
	a.Reset()
	if err := WriteSettingsReference(&a); err != nil {
		t.Fatal(err)
	}
	golden(t, "settings.golden.md", a.Bytes())
	for _, c := range help.Commands(tree(f.Env)) {
		if !strings.Contains(b.String(), " "+c.Name()+"\n") {
			t.Errorf("the reference lacks %s", c.CommandPath())
		}
	}
}

func BenchmarkHelp(b *testing.B) {
	f := NewFake(b.TempDir())
	b.ReportAllocs()
	for b.Loop() {
		f.Stdout.Reset()
		if code := Execute(context.Background(), f.Env, bigTree(f.Env), []string{"tenant", "create", "--help"}); code != ExitOK {
			b.Fatal(f.Stderr)
		}
	}
}

// bigTree has as many commands as the product.
func bigTree(env *Env) *cobra.Command {
	root := tree(env)
	for i := range 15 {
		var verbs []*cobra.Command
		for j := range 5 {
			v := newCreate(env)
			v.Use = "verb" + string(rune('a'+j)) + " NAME"
			verbs = append(verbs, v)
		}
		root.AddCommand(Noun{Use: "noun" + string(rune('a'+i)), Short: "Manage nouns", Example: "clawless noun"}.Command(verbs...))
	}
	return root
}
