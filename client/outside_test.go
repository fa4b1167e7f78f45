package client_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/ids"
)

// TestOutside builds build/sdk-example, which is a module of its own, as a stranger would, and runs it against the real binary: that of CLAWLESS_BIN, or a fresh one.
func TestOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	dir := t.TempDir()
	example := build(t, filepath.Join("..", "build", "sdk-example"), ".", filepath.Join(dir, "example"))
	binary := os.Getenv("CLAWLESS_BIN")
	if binary == "" {
		binary = build(t, "..", "./cmd/clawless", filepath.Join(dir, "clawless"))
	}
	admin := ids.NewSecret(ids.AdminKey)
	url := start(t, binary, dir, admin)

	cmd := exec.CommandContext(t.Context(), example, "Good morning.", "And good night.")
	cmd.Env = append(cleanEnv(dir), "CLAWLESS_URL="+url, "CLAWLESS_ADMIN_KEY="+admin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := regexp.MustCompile(`^tenant acme has a key that ends in \S{4}
Good morning\.
\(\d+ tokens in, \d+ out\)
And good night\.
\(\d+ tokens in, \d+ out\)
1 user: Good morning\.
2 assistant: Good morning\.
3 user: And good night\.
4 assistant: And good night\.
$`)
	if !want.Match(out) {
		t.Errorf("it printed:\n%s", out)
	}

	again := exec.CommandContext(t.Context(), example, "x")
	again.Env = cmd.Env
	msg, err := again.CombinedOutput()
	if err == nil || !strings.HasPrefix(string(msg), "error: ") || !strings.Contains(string(msg), "acme") {
		t.Errorf("the tenant is there already, but: %v\n%s", err, msg)
	}
}

func build(t *testing.T, dir, pkg, out string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, pkg)
	cmd.Dir = dir
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, msg)
	}
	return out
}

// cleanEnv is the environment without this user's settings and profile.
func cleanEnv(home string) (env []string) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "CLAWLESS_") && !strings.HasPrefix(name, "XDG_") && !strings.HasSuffix(name, "_API_KEY") {
			env = append(env, kv)
		}
	}
	return append(env, "HOME="+home)
}

// start runs the binary until the test ends and returns where it listens, which is in its log.
func start(t *testing.T, binary, dir, admin string) string {
	t.Helper()
	r, w := io.Pipe()
	cmd := exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "data"))
	cmd.Env = append(cleanEnv(dir), "CLAWLESS_ADMIN_KEY="+admin, "CLAWLESS_DISCOVER_OLLAMA=false")
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		_ = w.Close()
		ended <- err
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			t.Error("the server did not end when it was asked to")
		}
	})
	found := make(chan string, 1)
	go func() {
		where := regexp.MustCompile(`ready at (http://[0-9.:]+)|url=(http://[0-9.:]+)`)
		var log strings.Builder
		for lines := bufio.NewScanner(r); lines.Scan(); {
			if m := where.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1] + m[2]
				_, _ = io.Copy(io.Discard, r)
				return
			}
			log.WriteString(lines.Text() + "\n")
		}
		t.Logf("the server's log:\n%s", log.String())
		found <- ""
	}()
	select {
	case url := <-found:
		if url == "" {
			t.Fatal("the server ended before it was ready")
		}
		return url
	case <-time.After(time.Minute):
		t.Fatal("the server is not ready after a minute")
		return ""
	}
}
