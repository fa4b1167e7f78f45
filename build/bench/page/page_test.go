package page

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.md")
	for _, tt := range []struct{ name, before, want string }{
		{"first time", "# Ours\n\n" + Begin + "\n" + End + "\n\nafter\n", "# Ours\n\n" + Begin + "\n\nnew\n" + End + "\n\nafter\n"},
		{"again", "# Ours\n" + Begin + "\n\nold\n" + End + "\n", "# Ours\n" + Begin + "\n\nnew\n" + End + "\n"},
		{"no marks", "# Ours\n", ""},
		{"no end", "# Ours\n" + Begin + "\n", ""},
		{"wrong order", End + "\n" + Begin + "\n", ""},
	} {
		if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Write(path, "new")
		got, readErr := os.ReadFile(path)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if tt.want == "" {
			if err == nil || string(got) != tt.before {
				t.Errorf("%s: written over: %v %q", tt.name, err, got)
			}
			continue
		}
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %v %q", tt.name, err, got)
		}
	}
}
