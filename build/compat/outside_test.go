package compat

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// wanted is what build/sdk-example prints.
var wanted = regexp.MustCompile(`(?s)^tenant acme has a key that ends in \S{4}\n.*What is a tenant\?.*And a key\?.*`)

// TestOutside builds and runs the SDK's example in a module outside the repository, so that nothing internal can be in its reach.
func TestOutside(t *testing.T) {
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "main.go"} {
		b, err := os.ReadFile(filepath.Join("..", "sdk-example", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.mod" {
			b = bytes.Replace(b, []byte("=> ../.."), []byte("=> "+root), 1)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(dir, "example")
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", bin, ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program := exec.CommandContext(t.Context(), bin, "What is a tenant?", "And a key?")
	program.Dir = dir
	program.Env = append(os.Environ(), "CLAWLESS_URL="+under.URL, "CLAWLESS_ADMIN_KEY="+under.AdminKey)
	out, err := program.CombinedOutput()
	if err != nil || !wanted.Match(out) {
		t.Errorf("%v\n%s\nserver: %s", err, out, under.Log())
	}
}
