package profiles

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func sample() *Profiles {
	return &Profiles{
		Current: "local",
		Profiles: map[string]Profile{
			"local": {URL: "http://127.0.0.1:8787", AdminKey: "clw_admin_1", APIKey: "clw_sk_1", Tenant: "acme"},
			"prod":  {URL: "https://assistant.example.com", APIKey: "yes: #"},
		},
	}
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", FileName)
	empty, err := Load(path, "linux")
	if err != nil || len(empty.Names()) != 0 {
		t.Errorf("before there is a file: %+v, %v", empty, err)
	}
	if err := Save(path, sample()); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path, "linux")
	if err != nil || !reflect.DeepEqual(got, sample()) {
		t.Errorf("read back %+v, %v", got, err)
	}
	if names := got.Names(); !reflect.DeepEqual(names, []string{"local", "prod"}) {
		t.Errorf("names are %v", names)
	}
	checkMode(t, path, 0o600)
	checkMode(t, filepath.Dir(path), 0o700)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".profiles-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", path, got, want)
	}
}

func TestSaveMendsModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "clawless")
	path := filepath.Join(dir, FileName)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("current: x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var open *OpenToOthers
	if _, err := Load(path, "linux"); !errors.As(err, &open) || open.Path != path {
		t.Errorf("a file that others can read: %v", err)
	}
	if _, err := Load(path, "windows"); err != nil {
		t.Errorf("Windows has no such modes: %v", err)
	}
	if err := Save(path, sample()); err != nil {
		t.Fatal(err)
	}
	checkMode(t, path, 0o600)
	checkMode(t, dir, 0o700)
}

func TestSaveRefusesLinks(t *testing.T) {
	for _, tt := range []struct {
		name string
		link func(t *testing.T, home string) (path, victim string)
	}{
		{"file", func(t *testing.T, home string) (string, string) {
			victim := filepath.Join(home, "victim")
			must(t, os.WriteFile(victim, []byte("before"), 0o600))
			must(t, os.Mkdir(filepath.Join(home, "clawless"), 0o700))
			path := filepath.Join(home, "clawless", FileName)
			must(t, os.Symlink(victim, path))
			return path, victim
		}},
		{"dangling file", func(t *testing.T, home string) (string, string) {
			must(t, os.Mkdir(filepath.Join(home, "clawless"), 0o700))
			path := filepath.Join(home, "clawless", FileName)
			must(t, os.Symlink(filepath.Join(home, "nowhere"), path))
			return path, filepath.Join(home, "nowhere")
		}},
		{"folder", func(t *testing.T, home string) (string, string) {
			elsewhere := filepath.Join(home, "elsewhere")
			must(t, os.Mkdir(elsewhere, 0o755))
			must(t, os.Symlink(elsewhere, filepath.Join(home, "clawless")))
			return filepath.Join(home, "clawless", FileName), filepath.Join(elsewhere, FileName)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, victim := tt.link(t, t.TempDir())
			before, beforeErr := os.ReadFile(victim)
			err := Save(path, sample())
			if err == nil || !strings.Contains(err.Error(), "symbolic link") {
				t.Errorf("got %v", err)
			}
			after, afterErr := os.ReadFile(victim)
			if string(before) != string(after) || os.IsNotExist(beforeErr) != os.IsNotExist(afterErr) {
				t.Errorf("the file behind the link changed to %q", after)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDamagedFile(t *testing.T) {
	for _, text := range []string{"profiles: [", "profile: {}\n", "profiles:\n  a: {admin_kye: clw_admin_geheim}\n", "clw_admin_geheim", "profiles:\n  a: clw_admin_geheim\n"} {
		path := filepath.Join(t.TempDir(), FileName)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := Load(path, "linux")
		if err == nil || !strings.Contains(err.Error(), path+" is damaged") || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v", text, err)
		}
	}
	path := filepath.Join(t.TempDir(), FileName)
	must(t, os.WriteFile(path, nil, 0o600))
	if p, err := Load(path, "linux"); err != nil || p.Profiles == nil {
		t.Errorf("an empty file: %+v, %v", p, err)
	}
}

// TestSaveIsAtomic reads while another goroutine writes: every read sees a whole file.
func TestSaveIsAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	must(t, Save(path, sample()))
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 50 {
			if err := Save(path, sample()); err != nil {
				t.Error(err)
			}
		}
	})
	for range 200 {
		if got, err := Load(path, "linux"); err != nil || !reflect.DeepEqual(got, sample()) {
			t.Fatalf("a reader saw %+v, %v", got, err)
		}
	}
	wg.Wait()
}

func TestSaveKeepsTheOldFileWhenItFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	must(t, os.MkdirAll(filepath.Join(path, "x"), 0o700)) // a folder in the way of the rename
	if err := Save(path, sample()); err == nil {
		t.Error("saved onto a folder")
	}
	left, err := filepath.Glob(filepath.Join(dir, ".profiles-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
