package seal

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// FileName is the key's file in the data folder.
const FileName = "encryption.key"

// Source finds the key when it is first needed. It is safe for concurrent use.
type Source struct {
	// Key is the operator's: 32 bytes as hex or base64. Empty takes the file.
	Key string
	// Dir is the folder of the file, which is made at first need; empty where several servers share a database and none may have a key of its own.
	Dir string

	mu  sync.Mutex
	box *Box
}

// ErrNoKey says that the operator has to set a key first.
var ErrNoKey = errors.New("encryption_key is not set: with Postgres every server needs the same one, 32 bytes as base64, for example from: openssl rand -base64 32")

// Box opens the box. It fails with ErrNoKey where there is no key and none may be made; what failed is tried again by the next call.
func (s *Source) Box() (*Box, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.box != nil {
		return s.box, nil
	}
	key, err := s.find()
	if err != nil {
		return nil, err
	}
	s.box, err = Open(key)
	return s.box, err
}

func (s *Source) find() ([]byte, error) {
	switch {
	case s.Key != "":
		key, err := ParseKey(s.Key)
		if err != nil {
			return nil, fmt.Errorf("encryption_key: %w", err)
		}
		return key, nil
	case s.Dir == "":
		return nil, ErrNoKey
	}
	path := filepath.Join(s.Dir, FileName)
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeKey(s.Dir, path); err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	return readKey(path) // another process may have been faster, and then its key is the one
}

// ParseKey reads a key of 32 bytes from hex or base64. Its error holds nothing of the key.
func ParseKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if len(text) == hex.EncodedLen(KeySize) {
		if key, err := hex.DecodeString(text); err == nil {
			return key, nil
		}
	}
	plain := strings.TrimRight(text, "=")
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if key, err := e.DecodeString(plain); err == nil && len(key) == KeySize {
			return key, nil
		}
	}
	return nil, errors.New("must be 32 bytes as hex (64 digits) or base64 (44 characters), for example from: openssl rand -base64 32")
}

// readKey refuses a file that others on the machine can read.
func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others; run: chmod 600 %s", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: the key %w", path, err)
	}
	return key, nil
}

// makeKey writes a new key beside its place and links it there, so that the file is whole from the start and the first of several writers wins.
func makeKey(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, FileName+".*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it may have its name already
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // crypto/rand never fails since Go 1.24
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
