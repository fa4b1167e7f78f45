package cli

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/clawless/clawless/cmd/clawless/cli/nearest"
	"github.com/clawless/clawless/cmd/clawless/cli/profiles"
)

// DefaultURL is where a server listens that was told nothing else.
const DefaultURL = "http://127.0.0.1:8787"

// Target is the server a command talks to and the keys to do so; a key that is not known is empty.
type Target struct {
	URL      string // without a slash at its end
	AdminKey string
	APIKey   string
	Tenant   string
	Profile  string // whose values were used; empty when none was
}

// Target works out the server and the keys: flag, else variable, else profile, else DefaultURL. The keys of a profile are used for the profile's own server only, so
// that --url or a variable cannot send them to another one.
func (e *Env) Target() (Target, error) {
	name, profile, err := e.pickProfile()
	if err != nil {
		return Target{}, err
	}
	env := profiles.Profile{
		URL:      e.Getenv("CLAWLESS_URL"),
		AdminKey: e.Getenv("CLAWLESS_ADMIN_KEY"),
		APIKey:   e.Getenv("CLAWLESS_API_KEY"),
		Tenant:   e.Getenv("CLAWLESS_TENANT"),
	}
	first, second := env, profile
	if e.Flags.Profile != "" { // a flag comes before a variable
		first, second = profile, env
	}
	t := Target{URL: firstOf(e.Flags.URL, first.URL, second.URL, DefaultURL), Profile: name}
	if t.URL, err = cleanURL(t.URL); err != nil {
		return Target{}, err
	}
	if home, err := cleanURL(firstOf(profile.URL, DefaultURL)); err != nil || home != t.URL {
		first, second, t.Profile = env, profiles.Profile{}, ""
	}
	t.AdminKey = firstOf(first.AdminKey, second.AdminKey)
	t.APIKey = firstOf(first.APIKey, second.APIKey)
	t.Tenant = firstOf(first.Tenant, second.Tenant)
	return t, nil
}

// pickProfile returns the profile that a flag, a variable or the file names; an empty one when none does.
func (e *Env) pickProfile() (string, profiles.Profile, error) {
	all, err := e.LoadProfiles()
	if err != nil {
		return "", profiles.Profile{}, err
	}
	asked := firstOf(e.Flags.Profile, e.Getenv("CLAWLESS_PROFILE"))
	name := firstOf(asked, all.Current)
	profile, ok := all.Profiles[name]
	if !ok && asked != "" {
		return "", profiles.Profile{}, WithHint(Usagef("there is no profile %q%s", asked, nearest.Ask(asked, all.Names())), "clawless login --profile "+asked)
	}
	if !ok {
		return "", profiles.Profile{}, nil
	}
	return name, profile, nil
}

// NeedAdminKey returns the error of a command that needs the operator's key and has none.
func (t Target) NeedAdminKey() error {
	return &Error{Code: ExitLogin, Try: "clawless login", Err: fmt.Errorf("no admin key is known for %s: log in, or set CLAWLESS_ADMIN_KEY", t.URL)}
}

// NeedAPIKey returns the error of a command that needs a tenant's key and has none.
func (t Target) NeedAPIKey() error {
	return &Error{Code: ExitLogin, Try: "clawless login", Err: fmt.Errorf("no API key is known for %s: log in, or set CLAWLESS_API_KEY", t.URL)}
}

func cleanURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", Usagef("the server's address is not one such as %s", DefaultURL)
	}
	return strings.TrimRight(text, "/"), nil
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
