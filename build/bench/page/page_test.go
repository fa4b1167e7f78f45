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

// TestWriteSection: two sections of one page are written without a change of the other.
func TestWriteSection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.md")
	if err := os.WriteFile(path, []byte(Begin+"\n\nfirst\n"+End+"\n\nours\n\n"+Section("lists")+"\n"+End+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteSection(path, "lists", "new"); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, "second"); err != nil {
		t.Fatal(err)
	}
	if err := WriteSection(path, "others", "lost"); err == nil {
		t.Error("a section that is not there was written")
	}
	got, err := os.ReadFile(path)
	if want := Begin + "\n\nsecond\n" + End + "\n\nours\n\n" + Section("lists") + "\n\nnew\n" + End + "\n"; err != nil || string(got) != want {
		t.Errorf("%v %q", err, got)
	}
}
