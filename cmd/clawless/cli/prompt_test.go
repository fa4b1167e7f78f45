package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfirm(t *testing.T) {
	warning := Confirmation{Warning: "this deletes tenant acme with 3 keys", Name: "acme"}
	for _, tt := range []struct {
		name   string
		typed  string
		set    func(*Fake)
		yes    bool
		code   int
		asked  bool
		result string
	}{
		{"typed", "acme\n", func(f *Fake) { f.Terminal(80) }, false, 0, true, ""},
		{"typed with spaces", "  acme \r\n", func(f *Fake) { f.Terminal(80) }, false, 0, true, ""},
		{"typed without an end", "acme", func(f *Fake) { f.Terminal(80) }, false, 0, true, ""},
		{"another name", "acne\n", func(f *Fake) { f.Terminal(80) }, false, 1, true, "not confirmed; nothing was changed"},
		{"y", "y\n", func(f *Fake) { f.Terminal(80) }, false, 1, true, "not confirmed"},
		{"nothing", "\n", func(f *Fake) { f.Terminal(80) }, false, 1, true, "not confirmed"},
		{"end of input", "", func(f *Fake) { f.Terminal(80) }, false, 1, true, "not confirmed"},
		{"--yes", "", func(*Fake) {}, true, 0, false, ""},
		{"no terminal", "acme\n", func(*Fake) {}, false, 2, false, "nobody can be asked: add --yes"},
		{"--no-input", "acme\n", func(f *Fake) { f.Terminal(80); f.Flags.NoInput = true }, false, 2, false, "add --yes"},
		{"variable", "acme\n", func(f *Fake) { f.Terminal(80); f.Vars["CLAWLESS_NO_INPUT"] = "1" }, false, 2, false, "add --yes"},
		{"variable off", "acme\n", func(f *Fake) { f.Terminal(80); f.Vars["CLAWLESS_NO_INPUT"] = "0" }, false, 0, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := NewFake(t.TempDir())
			f.Stdin.WriteString(tt.typed)
			tt.set(f)
			c := warning
			c.Yes = tt.yes
			err := f.Confirm(context.Background(), c)
			if ExitCode(err) != tt.code || (err != nil && !strings.Contains(err.Error(), tt.result)) {
				t.Errorf("got %v (%d), want %d %q", err, ExitCode(err), tt.code, tt.result)
			}
			asked := f.Stderr.String() == "this deletes tenant acme with 3 keys\nserver: http://127.0.0.1:8787\ntype acme to go on: "
			if asked != tt.asked || f.Stdout.Len() > 0 {
				t.Errorf("asked %v, want %v; Err %q, Out %q", asked, tt.asked, f.Stderr, f.Stdout)
			}
		})
	}
}

func TestConfirmNamesTheServer(t *testing.T) {
	f := withProfiles(t)
	f.Terminal(80)
	f.Flags.Profile = "prod"
	f.Stdin.WriteString("acme\n")
	if err := f.Confirm(context.Background(), Confirmation{Warning: "x", Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	if want := "\nserver: https://prod.example (profile prod)\n"; !strings.Contains(f.Stderr.String(), want) {
		t.Errorf("asked %q, want %q in it", f.Stderr, want)
	}
}

func TestAsk(t *testing.T) {
	f := NewFake(t.TempDir())
	f.Terminal(80)
	f.Stdin.WriteString("first\n\nthird\n")
	for _, want := range []string{"first", "preset", "third"} {
		got, err := f.Ask(context.Background(), "name", "preset", "--name")
		if err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if _, err := f.Ask(context.Background(), "name", "", "--name"); !errors.Is(err, io.EOF) {
		t.Errorf("at the end of input: %v", err)
	}
	if want := "name [preset]: name [preset]: name [preset]: name: "; f.Stderr.String() != want {
		t.Errorf("asked %q", f.Stderr)
	}
	f.Flags.NoInput = true
	if _, err := f.Ask(context.Background(), "name", "", "--name"); ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), "add --name") {
		t.Errorf("without a person: %v", err)
	}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	if err := os.WriteFile(file, []byte(" clw_admin_file\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, source, typed string
		tty                 bool
		want                string
		code                int
	}{
		{"file", file, "", false, "clw_admin_file", 0},
		{"no file", filepath.Join(dir, "gone"), "", false, "", 1},
		{"standard input", "-", "clw_admin_pipe\nrest\n", false, "clw_admin_pipe", 0},
		{"standard input without an end", "-", "clw_admin_pipe", false, "clw_admin_pipe", 0},
		{"empty standard input", "-", "", false, "", 2},
		{"typed", "", "clw_admin_typed\n", true, "clw_admin_typed", 0},
		{"typed nothing", "", "\n", true, "", 2},
		{"nobody to ask", "", "clw_admin_pipe\n", false, "", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := NewFake(dir)
			f.Stdin.WriteString(tt.typed)
			if tt.tty {
				f.Terminal(80)
			}
			got, err := f.Secret(context.Background(), "admin key", tt.source, "--admin-key-file")
			if got != tt.want || ExitCode(err) != tt.code {
				t.Errorf("got %q, %v (%d), want %q, %d", got, err, ExitCode(err), tt.want, tt.code)
			}
			if tt.name == "nobody to ask" && !strings.Contains(err.Error(), "--admin-key-file FILE, or --admin-key-file - to read") {
				t.Errorf("the error does not name the flag: %v", err)
			}
			if strings.Contains(f.Stderr.String()+f.Stdout.String(), "clw_admin_") {
				t.Errorf("the secret is shown: %q %q", f.Stdout, f.Stderr)
			}
		})
	}
}

func TestPromptStopsWithItsContext(t *testing.T) {
	r, w := io.Pipe()
	defer func() { _ = w.Close() }()
	f := NewFake(t.TempDir())
	f.Terminal(80)
	f.In = r
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Confirm(ctx, Confirmation{Warning: "x", Name: "acme"}); ExitCode(err) != ExitInterrupted {
		t.Errorf("got %v, want exit code 130", err)
	}
}
