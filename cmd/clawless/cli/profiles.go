package cli

import (
	"errors"
	"path/filepath"

	"github.com/clawless/clawless/cmd/clawless/cli/profiles"
)

// ProfilesPath returns where profiles.yaml is, whether it exists or not.
func (e *Env) ProfilesPath() (string, error) {
	dir, err := e.ConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, profiles.FileName), nil
}

// LoadProfiles reads the profiles; there are none when the file does not exist, or when the environment does not say where it would be, as in a container.
func (e *Env) LoadProfiles() (*profiles.Profiles, error) {
	path, err := e.ProfilesPath()
	if err != nil {
		return &profiles.Profiles{Profiles: map[string]profiles.Profile{}}, nil //nolint:nilerr // a user without a home has no profiles
	}
	p, err := profiles.Load(path, e.GOOS)
	var open *profiles.OpenToOthers
	if errors.As(err, &open) {
		return nil, WithHint(err, "chmod 600 "+open.Path)
	}
	return p, err
}

// SaveProfiles replaces profiles.yaml in one step, readable by the user alone.
func (e *Env) SaveProfiles(p *profiles.Profiles) error {
	path, err := e.ProfilesPath()
	if err != nil {
		return err
	}
	return profiles.Save(path, p)
}
