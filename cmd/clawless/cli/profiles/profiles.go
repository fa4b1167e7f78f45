// Package profiles keeps the servers that a user works with, and the keys for them, in a file that only the user can read.
package profiles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"
)

// Profile is one server with the keys for it.
type Profile struct {
	URL      string `yaml:"url,omitempty"`
	AdminKey string `yaml:"admin_key,omitempty"`
	APIKey   string `yaml:"api_key,omitempty"`
	Tenant   string `yaml:"tenant,omitempty"`
}

// Profiles is the content of the file.
type Profiles struct {
	Current  string             `yaml:"current,omitempty"`
	Profiles map[string]Profile `yaml:"profiles,omitempty"`
}

// Names returns the names of the profiles in order.
func (p *Profiles) Names() []string { return slices.Sorted(maps.Keys(p.Profiles)) }

// FileName is the name of the file in the user's configuration folder.
const FileName = "profiles.yaml"

// OpenToOthers is the error of a file whose mode lets other users read the keys in it.
type OpenToOthers struct{ Path string }

// Error says so; the remedy is chmod 600.
func (e *OpenToOthers) Error() string { return e.Path + " holds keys and can be read by other users" }

// Load reads the file of profiles; there are none when it does not exist. Outside Windows, whose modes say nothing, it refuses with *OpenToOthers a file that
// other users can read.
func Load(path, goos string) (*Profiles, error) {
	out := &Profiles{Profiles: map[string]Profile{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the profiles: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the profiles: %w", err)
	}
	if goos != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, &OpenToOthers{path}
	}
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	if err := dec.Decode(out); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is damaged; mend or remove it, then log in again", path) // yaml's own words may quote a key
	}
	if out.Profiles == nil {
		out.Profiles = map[string]Profile{}
	}
	return out, nil
}

// Save replaces the file of profiles in one step: a reader sees the old one or the new one. The folder gets mode 0700 and the file 0600, and neither may be a
// symbolic link, through which keys could end up elsewhere.
func Save(path string, p *Profiles) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("save the profiles: %w", err)
	}
	for _, name := range []string{dir, path} {
		if info, err := os.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("save the profiles: %s is a symbolic link, and keys are not written through one", name)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("save the profiles: %w", err)
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(p), enc.Close()); err != nil {
		return fmt.Errorf("save the profiles: %w", err)
	}
	if err := replaceFile(path, b.Bytes()); err != nil {
		return fmt.Errorf("save the profiles: %w", err)
	}
	return nil
}

// replaceFile writes data beside path, for the owner's eyes only, and renames it onto path once it is on disk.
func replaceFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".profiles-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}
