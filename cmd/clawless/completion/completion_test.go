package completion

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
)

func run(t *testing.T, line ...string) (*cli.Fake, int) {
	t.Helper()
	f := cli.NewFake(t.TempDir())
	root := &cobra.Command{Use: "clawless", Short: "root"}
	root.AddCommand(New(f.Env))
	return f, cli.Execute(context.Background(), f.Env, root, line)
}

func TestScripts(t *testing.T) {
	for shell, want := range map[string]string{
		"bash":       "complete -o default -F __start_clawless clawless",
		"zsh":        "#compdef clawless",
		"fish":       "complete -c clawless",
		"powershell": "Register-ArgumentCompleter -CommandName 'clawless'",
	} {
		f, code := run(t, "completion", shell)
		if code != cli.ExitOK || !strings.Contains(f.Stdout.String(), want) || f.Stderr.Len() > 0 {
			t.Errorf("%s: %d, %s, lacks %q", shell, code, f.Stderr, want)
		}
		check(t, shell, f.Stdout.Bytes())
	}
}

// check lets the shell itself parse its script, where the machine has the shell.
func check(t *testing.T, shell string, script []byte) {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil || shell == "powershell" {
		return
	}
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, script, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "-n", file).CombinedOutput(); err != nil {
		t.Errorf("%s cannot parse its script: %v: %s", shell, err, out)
	}
}

func TestUnknownShell(t *testing.T) {
	f, code := run(t, "completion", "bsh")
	if want := "clawless: \"bsh\" is not one of bash, zsh, fish, powershell; did you mean bash?\n"; code != cli.ExitUsage || f.Stderr.String() != want {
		t.Errorf("%d: %q, want %q", code, f.Stderr, want)
	}
	if f, code := run(t, "completion"); code != cli.ExitUsage || !strings.Contains(f.Stderr.String(), "SHELL is missing") {
		t.Errorf("%d: %q", code, f.Stderr)
	}
	f, _ = run(t, "__complete", "completion", "")
	if got := f.Stdout.String(); !strings.HasPrefix(got, "bash\nzsh\nfish\npowershell\n") {
		t.Errorf("the shells are not completed: %q", got)
	}
}
