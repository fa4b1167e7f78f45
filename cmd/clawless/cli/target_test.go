package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/clawless/clawless/cmd/clawless/cli/profiles"
)

func withProfiles(t *testing.T) *Fake {
	t.Helper()
	f := NewFake(t.TempDir())
	err := f.SaveProfiles(&profiles.Profiles{
		Current: "local",
		Profiles: map[string]profiles.Profile{
			"local": {AdminKey: "clw_admin_local", APIKey: "clw_sk_local", Tenant: "acme"},
			"prod":  {URL: "https://prod.example/", AdminKey: "clw_admin_prod", APIKey: "clw_sk_prod"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTarget(t *testing.T) {
	local := Target{URL: DefaultURL, AdminKey: "clw_admin_local", APIKey: "clw_sk_local", Tenant: "acme", Profile: "local"}
	prod := Target{URL: "https://prod.example", AdminKey: "clw_admin_prod", APIKey: "clw_sk_prod", Profile: "prod"}
	for _, tt := range []struct {
		name  string
		flags Globals
		vars  map[string]string
		want  Target
	}{
		{"current profile", Globals{}, nil, local},
		{"profile by flag", Globals{Profile: "prod"}, nil, prod},
		{"profile by variable", Globals{}, map[string]string{"CLAWLESS_PROFILE": "prod"}, prod},
		{"flag before variable", Globals{Profile: "prod"}, map[string]string{"CLAWLESS_PROFILE": "local"}, prod},
		{"keys by variable", Globals{}, map[string]string{"CLAWLESS_ADMIN_KEY": "a", "CLAWLESS_TENANT": "t"}, Target{DefaultURL, "a", "clw_sk_local", "t", "local"}},
		{"profile's keys before variables", Globals{Profile: "prod"}, map[string]string{"CLAWLESS_ADMIN_KEY": "a", "CLAWLESS_URL": "http://other.example"}, prod},
		{"variable fills a gap of the profile", Globals{Profile: "prod"}, map[string]string{"CLAWLESS_TENANT": "t"}, Target{prod.URL, prod.AdminKey, prod.APIKey, "t", "prod"}},
		{"url by flag, keys stay at home", Globals{URL: "http://other.example"}, nil, Target{URL: "http://other.example"}},
		{"url by variable, keys stay at home", Globals{}, map[string]string{"CLAWLESS_URL": "https://other.example"}, Target{URL: "https://other.example"}},
		{"url by flag with the profile, keys stay at home", Globals{URL: "https://prod.example.evil.example", Profile: "prod"}, nil, Target{URL: "https://prod.example.evil.example"}},
		{"url by flag, key by variable", Globals{URL: "http://other.example"}, map[string]string{"CLAWLESS_API_KEY": "k"}, Target{URL: "http://other.example", APIKey: "k"}},
		{"url of the profile itself", Globals{URL: "https://prod.example", Profile: "prod"}, nil, prod},
		{"flag before the variable's url", Globals{URL: DefaultURL}, map[string]string{"CLAWLESS_URL": "https://other.example"}, local},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := withProfiles(t)
			f.Flags = tt.flags
			for name, value := range tt.vars {
				f.Vars[name] = value
			}
			if got, err := f.Target(); got != tt.want || err != nil {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestTargetWithoutProfiles(t *testing.T) {
	f := NewFake(t.TempDir())
	if got, err := f.Target(); (got != Target{URL: DefaultURL}) || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	target, _ := f.Target()
	for _, err := range []error{target.NeedAdminKey(), target.NeedAPIKey()} {
		if ExitCode(err) != ExitLogin || !strings.Contains(err.Error(), DefaultURL) {
			t.Errorf("got %v (%d)", err, ExitCode(err))
		}
	}
}

func TestTargetRefuses(t *testing.T) {
	for _, tt := range []struct {
		flags Globals
		want  string
	}{
		{Globals{Profile: "pord"}, `there is no profile "pord"; did you mean prod?`},
		{Globals{URL: "prod.example"}, "the server's address is not one such as"},
		{Globals{URL: "ftp://prod.example"}, "the server's address is not one such as"},
		{Globals{URL: "https://u:geheim@prod.example"}, "the server's address is not one such as"},
	} {
		f := withProfiles(t)
		f.Flags = tt.flags
		_, err := f.Target()
		if ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%+v: %v (%d)", tt.flags, err, ExitCode(err))
		}
	}
	f := withProfiles(t)
	path, err := f.ProfilesPath()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err = f.Target()
	Report(f.Env, err)
	if want := "can be read by other users\nhint: chmod 600 " + path + "\n"; !strings.HasSuffix(f.Stderr.String(), want) {
		t.Errorf("a file that others can read: %q", f.Stderr)
	}
	delete(f.Vars, "HOME")
	if got, err := f.Target(); (got != Target{URL: DefaultURL}) || err != nil {
		t.Errorf("without HOME, as in a container: %+v, %v", got, err)
	}
	if err := f.SaveProfiles(&profiles.Profiles{}); err == nil || !strings.Contains(err.Error(), "neither HOME nor XDG_CONFIG_HOME") {
		t.Errorf("saved without HOME: %v", err)
	}
}
