package files

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckPath(t *testing.T) {
	for _, good := range []string{"a", "a.md", "notes/2026/ideas.md", "ö/世界.txt", "a b/c-d_e (1).md", "1/2/3/4/5/6/7/8", strings.Repeat("x", 100), "~/x", "a..b", "consul.md", "e=mc^2 & more, #1!"} {
		if err := CheckPath(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "../x", "a/../b", "a/..", "a/./b", "/a", "//a", "a//b", "a/", `a\b`, `..\x`, `C:\x`, "C:x", "c:/x", "a:b", "a\x00b", "a\nb", "a\tb", ".hidden", "a/.tmp-1", "a./b", "a.", " a", "a ", "a/ b",
		"con", "CON.md", "a/nul", "Aux.txt.md", "com1", "lpt9.x", "a\u200bb", "a\u202eb", "\ufeffa", "a\xffb", "a*", "a?", `a"b`, "<a>", "a|b", "%2e%2e/\x01", strings.Repeat("x", 101), strings.Repeat("x/", 8) + "x", strings.Repeat("ab/", 70) + "x",
		"．．/x\u2028", "\u00a0"} {
		if err := CheckPath(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// FuzzPaths holds that whatever path is given, nothing outside the owner's folder is read, made or changed.
func FuzzPaths(f *testing.F) {
	for _, s := range []string{"a", "../canary", "a/../../../canary", "/etc/passwd", `..\canary`, "a/b/c", "a\x00/../x", "....//canary", "%2e%2e/canary", ".tmp-x", "nul", "．．/x", "link/canary", "link"} {
		f.Add(s, "content")
	}
	f.Fuzz(func(t *testing.T, name, content string) {
		if len(content) > 1000 {
			return
		}
		dir := t.TempDir()
		canary := filepath.Join(dir, "canary")
		if err := os.WriteFile(canary, []byte("canary"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := New(filepath.Join(dir, "files"), Limits{FileBytes: 1000})
		owner, _ := folder(tenant, user)
		in := filepath.Join(dir, "files", owner)
		if err := os.MkdirAll(in, 0o700); err != nil {
			t.Fatal(err)
		}
		_ = os.Symlink("../../..", filepath.Join(in, "link"))
		info, _, err := s.Write(t.Context(), tenant, user, name, []byte(content), Overwrite)
		b, errRead := s.Read(tenant, user, name)
		switch {
		case err == nil && (errRead != nil || string(b) != content || info.Path != name):
			t.Fatalf("%q was written and reads %q, %v", name, b, errRead)
		case err != nil && errRead == nil:
			t.Fatalf("%q was not written (%v) and reads %q", name, err, b)
		}
		files := 0
		_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.Type().IsRegular() && p != canary && !strings.HasPrefix(p, in+string(filepath.Separator)) {
				t.Errorf("%q: %s, %v", name, p, err)
			}
			if d != nil && d.Type().IsRegular() && p != canary {
				files++
			}
			return nil
		})
		if kept, _ := os.ReadFile(canary); string(kept) != "canary" || files > 1 || files == 1 != (err == nil) {
			t.Errorf("%q: the canary is %q, %d files, %v", name, kept, files, err)
		}
	})
}
