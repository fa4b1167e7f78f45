package cli

// LocalProfile is the profile that a server on this machine writes for its user.
const LocalProfile = "local"

// RememberLocal keeps how to reach a server on this machine in the profile `local`, which becomes the current one when there is none. Empty keys leave those of the
// same server as they were.
func (e *Env) RememberLocal(url, adminKey, apiKey string) error {
	all, err := e.LoadProfiles()
	if err != nil {
		return err
	}
	old := all.Profiles[LocalProfile]
	p := old
	if p.URL != url || adminKey != "" && p.AdminKey != adminKey {
		p.APIKey, p.Tenant = "", "" // another server, or another database: its keys are not this one's
	}
	p.URL = url
	if adminKey != "" {
		p.AdminKey = adminKey
	}
	if apiKey != "" {
		p.APIKey = apiKey
	}
	current := firstOf(all.Current, LocalProfile)
	if p == old && current == all.Current {
		return nil
	}
	all.Profiles[LocalProfile], all.Current = p, current
	return e.SaveProfiles(all)
}
