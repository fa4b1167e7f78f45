package cli

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

// Profiles is the content of profiles.yaml in the user's configuration folder.
type Profiles struct {
	Current  string             `yaml:"current,omitempty"`
	Profiles map[string]Profile `yaml:"profiles,omitempty"`
}

// Names returns the names of the profiles in order.
func (p *Profiles) Names() []string { return slices.Sorted(maps.Keys(p.Profiles)) }

// ProfilesPath returns where profiles.yaml is, whether it exists or not.
func (e *Env) ProfilesPath() (string, error) {
	dir, err := e.ConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "profiles.yaml"), nil
}

// LoadProfiles reads the profiles; there are none when the file does not exist. It refuses a file that others on the machine can read, as it holds keys.
func (e *Env) LoadProfiles() (*Profiles, error) {
	path, err := e.ProfilesPath()
	if err != nil {
		return nil, err
	}
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
	if e.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, WithHint(fmt.Errorf("%s holds keys and can be read by other users", path), "run: chmod 600 "+path)
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

// SaveProfiles replaces profiles.yaml in one step: a reader sees the old file or the new one. The folder gets mode 0700 and the file 0600, and neither may be a
// symbolic link, through which keys could end up elsewhere.
func (e *Env) SaveProfiles(p *Profiles) error {
	path, err := e.ProfilesPath()
	if err != nil {
		return err
	}
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
