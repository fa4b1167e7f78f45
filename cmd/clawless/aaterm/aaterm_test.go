package aaterm_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

const program = "github.com/clawless/clawless/tui/internal/demotest"

// build builds a program that links the terminal library. With an overlay it is built without what this package does.
func build(t *testing.T, replaced map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", filepath.Join(dir, "program")}
	if replaced != nil {
		overlay, err := json.Marshal(map[string]any{"Replace": replaced})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "overlay.json")
		if err := os.WriteFile(path, overlay, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-overlay", path)
	}
	if out, err := exec.Command("go", append(args, program)...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "program")
}

// run starts the program in a terminal that never answers and returns what it wrote until it ended, or until there is
// an escape character.
func run(t *testing.T, path string, env []string, args ...string) (out string, took time.Duration) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = env
	began := time.Now()
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	var all bytes.Buffer
	buf := make([]byte, 1024)
	for {
		n, err := tty.Read(buf)
		all.Write(buf[:n])
		if bytes.IndexByte(all.Bytes(), 0x1b) >= 0 {
			_ = cmd.Process.Kill()
		}
		if err != nil { // a terminal whose program has ended
			break
		}
	}
	_ = cmd.Wait()
	return all.String(), time.Since(began)
}

func TestNoQuestionAtTheStart(t *testing.T) {
	path := build(t, nil)
	out, took := run(t, path, []string{"TERM=xterm-256color"}, "-env")
	if strings.TrimSpace(out) != `TERM="xterm-256color" true` {
		t.Errorf("the program says %q", out)
	}
	if took > time.Second {
		t.Errorf("the program took %v", took)
	}
	if out, _ := run(t, path, []string{}, "-env"); strings.TrimSpace(out) != `TERM="" false` {
		t.Errorf("without TERM the program says %q", out)
	}
}

// TestTheQuestionIsReal builds the same program without this package's work: it must ask, or the test above proves nothing.
func TestTheQuestionIsReal(t *testing.T) {
	idle := filepath.Join(t.TempDir(), "idle.go")
	if err := os.WriteFile(idle, []byte("package aaterm\n\nfunc Restore() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Abs("aaterm.go")
	if err != nil {
		t.Fatal(err)
	}
	out, _ := run(t, build(t, map[string]string{source: idle}), []string{"TERM=xterm-256color"}, "-env")
	if !strings.Contains(out, "\x1b]11;?") {
		t.Errorf("the library did not ask for the background: %q; this package may have become needless", out)
	}
}
