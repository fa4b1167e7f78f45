package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	tenant = "ten_a"
	user   = "ann@example.com"
)

func write(t *testing.T, s *Store, name, content string, mode Mode) error {
	t.Helper()
	_, _, err := s.Write(t.Context(), tenant, user, name, []byte(content), mode)
	return err
}

func TestWriteReadList(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "data", "files"), Limits{})
	if list, err := s.List(tenant, user, ""); err != nil || len(list) != 0 {
		t.Errorf("before anything was written: %v, %v", list, err)
	}
	if _, err := s.Read(tenant, user, "a.md"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	for _, w := range []struct {
		name, content string
		mode          Mode
		want          error
	}{
		{"notes/a.md", "one", Create, nil}, {"notes/a.md", "two", Create, ErrExists}, {"notes/a.md", "two", Overwrite, nil}, {"notes/a.md", " three", Append, nil}, {"b.md", "new", Append, nil},
		{"notes", "x", Create, ErrFolder}, {"notes", "x", Overwrite, ErrFolder}, {"b.md/c", "x", Create, ErrFolder}, {"empty", "", Create, nil}, {"notes/2026/ö 世.md", "é", Overwrite, nil},
	} {
		if err := write(t, s, w.name, w.content, w.mode); !errors.Is(err, w.want) || w.want == nil && err != nil {
			t.Errorf("%s %s: %v", w.mode, w.name, err)
		}
	}
	if b, err := s.Read(tenant, user, "notes/a.md"); err != nil || string(b) != "two three" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := s.Read(tenant, user, "notes"); !errors.Is(err, ErrFolder) {
		t.Errorf("a folder was read: %v", err)
	}
	paths := func(inside string) string {
		list, err := s.List(tenant, user, inside)
		if err != nil {
			t.Error(err)
		}
		var out []string
		for _, f := range list {
			out = append(out, fmt.Sprintf("%s:%d", f.Path, f.Bytes))
		}
		return strings.Join(out, " ")
	}
	if got := paths(""); got != "b.md:3 empty:0 notes/2026/ö 世.md:2 notes/a.md:9" {
		t.Errorf("all: %s", got)
	}
	if got := paths("notes/2026"); got != "notes/2026/ö 世.md:2" {
		t.Errorf("in a folder: %s", got)
	}
	if got := paths("none"); got != "" {
		t.Errorf("in none: %s", got)
	}
	if u, err := s.Usage(tenant, user); err != nil || u != (Usage{14, 4}) {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestOwnersAreApart(t *testing.T) {
	dir := t.TempDir()
	s := New(dir, Limits{})
	owners := [][2]string{{tenant, user}, {tenant, ""}, {tenant, "_tenant"}, {tenant, "../ten_b"}, {tenant, strings.ToUpper(user)}, {"ten_b", user}, {"ten_b", ""}}
	for i, o := range owners {
		if _, _, err := s.Write(t.Context(), o[0], o[1], "same.md", []byte(strings.Repeat("x", i+1)), Create); err != nil {
			t.Fatal(err)
		}
	}
	for i, o := range owners {
		if b, err := s.Read(o[0], o[1], "same.md"); err != nil || len(b) != i+1 {
			t.Errorf("%v: %d bytes, %v", o, len(b), err)
		}
	}
	for _, bad := range []string{"", "..", "a/b", "ten a", "ten_\x00", `ten\a`, strings.Repeat("x", 101)} {
		_, errRead := s.Read(bad, user, "same.md")
		_, _, errWrite := s.Write(t.Context(), bad, user, "same.md", nil, Create)
		_, errErase := s.EraseTenant(bad)
		_, errUsage := s.TenantUsage(bad)
		_, errOwner := s.Erase(bad, user)
		for _, err := range []error{errRead, errWrite, errErase, errUsage, errOwner} {
			if err == nil || !strings.Contains(err.Error(), "no id of a tenant") {
				t.Errorf("%q: %v", bad, err)
			}
		}
	}
	if u, err := s.Erase(tenant, user); err != nil || u != (Usage{1, 1}) {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := s.TenantUsage(tenant); err != nil || u.Files != 4 {
		t.Errorf("after one owner was erased: %+v, %v", u, err)
	}
	if u, err := s.EraseTenant(tenant); err != nil || u.Files != 4 {
		t.Errorf("%+v, %v", u, err)
	}
	left, _ := os.ReadDir(dir)
	if u, err := s.TenantUsage("ten_b"); err != nil || u.Files != 2 || len(left) != 1 {
		t.Errorf("the other tenant: %+v, %v, %v", u, err, left)
	}
	for range 2 { // once more, and before there is anything
		if u, err := s.EraseTenant(tenant); err != nil || u != (Usage{}) {
			t.Errorf("%+v, %v", u, err)
		}
		s = New(filepath.Join(dir, "none"), Limits{})
	}
}

func TestQuotas(t *testing.T) {
	own := int64(-1)
	s := New(t.TempDir(), Limits{FileBytes: 100, OwnerBytes: 250, OwnerFiles: 4, Quota: func(_ context.Context, id string) (int64, error) {
		if id != tenant {
			return 0, errors.New("another tenant")
		}
		return own, nil
	}})
	text := func(n int) string { return strings.Repeat("x", n) }
	for _, w := range []struct {
		name string
		size int
		mode Mode
		want error
	}{
		{"a", 101, Create, ErrTooLarge}, {"a", 100, Create, nil}, {"a", 1, Append, ErrTooLarge}, {"b", 100, Create, nil}, {"c", 51, Create, ErrQuota}, {"c", 50, Create, nil}, {"d", 1, Create, ErrQuota},
		{"d", 0, Create, nil}, {"e", 0, Create, ErrQuota}, {"a", 90, Overwrite, nil}, {"d", 11, Append, ErrQuota}, {"d", 10, Append, nil},
	} {
		if err := write(t, s, w.name, text(w.size), w.mode); !errors.Is(err, w.want) || w.want == nil && err != nil {
			t.Errorf("%s %s %d: %v", w.mode, w.name, w.size, err)
		}
	}
	own = 100 // the tenant has less now: nothing grows, and things may shrink
	for _, w := range []struct {
		size int
		mode Mode
		want error
	}{{1, Append, ErrQuota}, {51, Overwrite, ErrQuota}, {50, Overwrite, nil}, {40, Overwrite, nil}} {
		if err := write(t, s, "c", text(w.size), w.mode); !errors.Is(err, w.want) || w.want == nil && err != nil {
			t.Errorf("over a quota that shrank, %s %d: %v", w.mode, w.size, err)
		}
	}
	if _, _, err := s.Write(t.Context(), "ten_b", "", "a", nil, Create); err == nil {
		t.Error("a quota that cannot be read counts as none")
	}
	if u, _ := s.Usage(tenant, user); u != (Usage{240, 4}) {
		t.Errorf("%+v", u)
	}
}

// TestQuotasHoldTogether writes from many goroutines at once: never more than the quota is kept, and each write that was acknowledged is there.
func TestQuotasHoldTogether(t *testing.T) {
	dir := t.TempDir()
	s := New(dir, Limits{OwnerBytes: 1000, OwnerFiles: 20})
	var kept atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 10 {
				err := write(t, s, fmt.Sprintf("d%d/f%d", i%4, i*10+j), strings.Repeat("x", 90), Create)
				switch {
				case err == nil:
					kept.Add(1)
				case !errors.Is(err, ErrQuota):
					t.Error(err)
				}
				if u, err := s.Usage(tenant, user); err != nil || u.Bytes > 1000 || u.Files > 20 {
					t.Errorf("%+v, %v", u, err)
				}
			}
		})
	}
	all.Wait()
	if u, err := s.Usage(tenant, user); err != nil || kept.Load() != 11 || u != (Usage{990, 11}) {
		t.Errorf("%d writes were acknowledged, %+v is kept, %v", kept.Load(), u, err)
	}
	if len(s.locks.held) != 0 {
		t.Errorf("%d locks are left", len(s.locks.held))
	}
}

func TestOneOfManyCreates(t *testing.T) {
	s := New(t.TempDir(), Limits{})
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if err := write(t, s, "same", fmt.Sprint(i), Create); err == nil {
				won.Add(1)
			} else if !errors.Is(err, ErrExists) {
				t.Error(err)
			}
			if err := write(t, s, "log", "line\n", Append); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if b, err := s.Read(tenant, user, "log"); won.Load() != 1 || err != nil || string(b) != strings.Repeat("line\n", 16) {
		t.Errorf("%d created it; %q, %v", won.Load(), b, err)
	}
}

// TestReadersSeeWholeFiles reads while the file is being replaced.
func TestReadersSeeWholeFiles(t *testing.T) {
	s := New(t.TempDir(), Limits{})
	size := 64 << 10
	if err := write(t, s, "f", strings.Repeat("a", size), Create); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 50 {
			if err := write(t, s, "f", strings.Repeat(string(rune('b'+i%20)), size), Overwrite); err != nil {
				t.Error(err)
			}
		}
	}()
	for reads := 0; ; reads++ {
		b, err := s.Read(tenant, user, "f")
		if err != nil || len(b) != size || strings.Count(string(b), string(b[:1])) != size {
			t.Fatalf("read %d: %d bytes, %v", reads, len(b), err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func TestEraseAgainstWrites(t *testing.T) {
	s := New(t.TempDir(), Limits{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				if err := write(t, s, fmt.Sprintf("d/%d-%d", i, j), "x", Create); err != nil {
					t.Error(err)
				}
				if _, err := s.List(tenant, user, ""); err != nil {
					t.Error(err)
				}
				if i == 0 {
					if _, err := s.EraseTenant(tenant); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
}

// TestWhatAKilledWriteLeaves is swept by the next write, is in no list and counts for no quota.
func TestWhatAKilledWriteLeaves(t *testing.T) {
	dir := t.TempDir()
	s := New(dir, Limits{OwnerFiles: 2})
	if err := write(t, s, "n/a", "x", Create); err != nil {
		t.Fatal(err)
	}
	owner, _ := folder(tenant, user)
	left := filepath.Join(dir, owner, "n", temporary+"0123")
	if err := os.WriteFile(left, make([]byte, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	if u, err := s.Usage(tenant, user); err != nil || u != (Usage{1, 1}) {
		t.Errorf("%+v, %v", u, err)
	}
	if err := write(t, s, "b", "x", Create); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there still: %v", err)
	}
}

// TestLinksLeadNowhere plants links as somebody with access to the disk could.
func TestLinksLeadNowhere(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	outside := filepath.Join(dir, "outside")
	for _, err := range []error{os.WriteFile(secret, []byte("secret"), 0o600), os.Mkdir(outside, 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s := New(filepath.Join(dir, "files"), Limits{})
	if err := write(t, s, "a", "x", Create); err != nil {
		t.Fatal(err)
	}
	owner, _ := folder(tenant, user)
	in := filepath.Join(dir, "files", owner)
	for name, to := range map[string]string{"abs": secret, "rel": "../../../secret", "dir": outside, "up": "../..", "self": "self", "tree": "../../.."} {
		if err := os.Symlink(to, filepath.Join(in, name)); err != nil {
			t.Skip("this system has no links")
		}
	}
	for _, name := range []string{"abs", "rel", "dir", "up", "self", "dir/x", "tree/secret", "up/x", "self/x"} {
		if b, err := s.Read(tenant, user, name); err == nil {
			t.Errorf("%s was read: %q", name, b)
		}
		for _, mode := range []Mode{Create, Overwrite, Append} {
			if err := write(t, s, name, "mine", mode); err == nil {
				t.Errorf("%s was written with %s", name, mode)
			}
		}
	}
	if list, err := s.List(tenant, user, ""); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	for _, inside := range []string{"dir", "tree", "up"} {
		if list, err := s.List(tenant, user, inside); err == nil && len(list) > 0 {
			t.Errorf("%s: %v", inside, list)
		}
	}
	if _, err := s.EraseTenant(tenant); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
		t.Errorf("what is outside: %q, %v", b, err)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("the folder outside: %v, %v", left, err)
	}
}

func TestErrorsNameNoPathOfTheMachine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(file, Limits{}) // a file where the folder should be
	_, errRead := s.Read(tenant, user, "a")
	_, errList := s.List(tenant, user, "")
	_, errErase := s.Erase(tenant, user)
	for _, err := range []error{write(t, s, "a", "x", Create), errRead, errList, errErase} {
		if err == nil || strings.Contains(err.Error(), dir) {
			t.Errorf("got %v", err)
		}
	}
}
