package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func box(t *testing.T, fill byte) *Box {
	t.Helper()
	b, err := Open(bytes.Repeat([]byte{fill}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSeal: what was sealed opens with the same key in the same context, and in no other way.
func TestSeal(t *testing.T) {
	b, row := box(t, 1), Context("tools", "ten_a", "tool_1")
	for _, plain := range []string{"", "x", "sk-very-secret", strings.Repeat("ü", 5_000)} {
		sealed, err := b.Seal(plain, row)
		if err != nil {
			t.Fatal(err)
		}
		if plain != "" && len(plain) > 4 && strings.Contains(sealed, plain) {
			t.Error("the secret is in the sealed text")
		}
		if again, _ := b.Seal(plain, row); again == sealed {
			t.Error("two sealed texts are the same")
		}
		if got, err := b.Open(sealed, row); err != nil || got != plain {
			t.Errorf("opened %q, %v", got, err)
		}
		for what, err := range map[string]error{
			"another key":     second(box(t, 2).Open(sealed, row)),
			"another tenant":  second(b.Open(sealed, Context("tools", "ten_b", "tool_1"))),
			"another row":     second(b.Open(sealed, Context("tools", "ten_a", "tool_2"))),
			"no context":      second(b.Open(sealed, "")),
			"no version":      second(b.Open(strings.TrimPrefix(sealed, version), row)),
			"another version": second(b.Open("v2."+strings.TrimPrefix(sealed, version), row)),
			"white space":     second(b.Open(sealed+"\n", row)),
			"nothing":         second(b.Open("", row)),
		} {
			if !errors.Is(err, ErrSealed) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for n := range len(sealed) {
			if n > 64 && n < len(sealed)-8 {
				continue
			}
			if _, err := b.Open(sealed[:n], row); !errors.Is(err, ErrSealed) {
				t.Errorf("cut to %d: %v", n, err)
			}
			other := []byte(sealed)
			other[n] ^= 1
			if _, err := b.Open(string(other), row); !errors.Is(err, ErrSealed) {
				t.Errorf("byte %d changed: %v", n, err)
			}
		}
	}
	if Context("a", "bc") == Context("ab", "c") || Context("a:1", "b") == Context("a", "1:b") {
		t.Error("the parts of contexts run into each other")
	}
	if _, err := Open(make([]byte, 16)); err == nil {
		t.Error("a short key opens a box")
	}
}

func second(_ string, err error) error { return err }

// TestParseKey: hex and base64, with and without padding, and no error that repeats the key.
func TestParseKey(t *testing.T) {
	key := bytes.Repeat([]byte{0xfb, 0xff}, KeySize/2)
	for _, text := range []string{hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key), base64.URLEncoding.EncodeToString(key),
		base64.RawStdEncoding.EncodeToString(key), " " + base64.StdEncoding.EncodeToString(key) + "\n"} {
		if got, err := ParseKey(text); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: %x, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "short", hex.EncodeToString(key[:31]), strings.Repeat("z", 64), base64.StdEncoding.EncodeToString(append(key, 1))} {
		_, err := ParseKey(text)
		if err == nil || len(text) > 8 && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestSource: the operator's key goes before the file; without both there is an error that says what to do; a mended mistake works without a restart.
func TestSource(t *testing.T) {
	dir := t.TempDir()
	if _, err := (&Source{}).Box(); !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), "openssl rand") {
		t.Errorf("no key: %v", err)
	}
	if _, err := (&Source{Key: "secret-but-wrong", Dir: dir}).Box(); err == nil || strings.Contains(err.Error(), "secret-but-wrong") {
		t.Errorf("wrong key: %v", err)
	}
	given := &Source{Key: hex.EncodeToString(bytes.Repeat([]byte{1}, KeySize)), Dir: dir}
	b, err := given.Box()
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := b.Seal("x", "c")
	if got, err := box(t, 1).Open(sealed, "c"); err != nil || got != "x" {
		t.Errorf("the given key is not the one: %v", err)
	}
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was made although a key is given")
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(make([]byte, KeySize))), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &Source{Dir: dir}
	if _, err := s.Box(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others read: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Box(); err != nil {
		t.Errorf("mended: %v", err)
	}
}

// TestKeyFile: many processes that need the key at once make one, which only its owner reads, and leave nothing beside it.
func TestKeyFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	boxes := make([]*Box, 32)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range boxes {
		wg.Go(func() {
			<-start
			b, err := (&Source{Dir: dir}).Box()
			if err != nil {
				t.Error(err)
			}
			boxes[i] = b
		})
	}
	close(start)
	wg.Wait()
	if t.Failed() {
		return
	}
	sealed, _ := boxes[0].Seal("secret", "row")
	for i, b := range boxes {
		if got, err := b.Open(sealed, "row"); err != nil || got != "secret" {
			t.Errorf("box %d has another key: %v", i, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("files: %v, %v", files, err)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Source{Dir: dir}).Box(); err == nil || !strings.Contains(err.Error(), FileName) {
		t.Errorf("a broken file: %v", err) // never replaced: what was sealed with the old key would be lost
	}
}
