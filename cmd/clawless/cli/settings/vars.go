package settings

import (
	"slices"
	"strings"

	"github.com/clawless/clawless/cmd/clawless/cli/nearest"
	"github.com/clawless/clawless/server/config"
)

// OtherVars are the variables of the product that are no settings of the server.
var OtherVars = []struct{ Name, Usage string }{
	{"CLAWLESS_CONFIG", "file of the server's settings, like --config"},
	{"CLAWLESS_URL", "address of the server, like --url"},
	{"CLAWLESS_PROFILE", "profile to use, like --profile"},
	{"CLAWLESS_ADMIN_KEY", "the operator's key"},
	{"CLAWLESS_API_KEY", "a tenant's key"},
	{"CLAWLESS_TENANT", "tenant that commands act on when they are not told one"},
	{"CLAWLESS_NO_INPUT", "never ask, like --no-input"},
}

// testVars begin the names of variables that steer the product's own tests.
var testVars = []string{"CLAWLESS_TEST_", "CLAWLESS_E2E_"}

// readEnv takes the settings from the variables. An empty one counts as not set; an unknown one is a problem, because it is most likely misspelt.
func (w World) readEnv(l *layer) {
	var providers []string
	for name := range l.values {
		if parts := strings.Split(name, "."); len(parts) == 3 {
			providers = append(providers, parts[1])
		}
	}
	slices.Sort(providers)
	vars := w.Environ()
	slices.Sort(vars)
	for _, entry := range vars {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, config.EnvPrefix) || isOtherVar(name) {
			continue
		}
		setting, ok := config.SettingOf(name, providers)
		if !ok {
			l.problems = append(l.problems, Problem{Where: name, Message: "is no variable of clawless" + nearest.Ask(name, envNames(name))})
			continue
		}
		if value != "" {
			l.set(setting, value, Origin{"env", name})
		}
	}
}

func isOtherVar(name string) bool {
	for _, v := range OtherVars {
		if v.Name == name {
			return true
		}
	}
	return slices.ContainsFunc(testVars, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// envNames lists the variables that a misspelt one may have been meant to be. For a provider's it tries every place where the provider's name may end.
func envNames(wrong string) []string {
	var out []string
	for _, v := range OtherVars {
		out = append(out, v.Name)
	}
	for _, f := range config.Fields() {
		before, after, ok := strings.Cut(f.Env, "_"+config.AnyName+"_")
		if !ok {
			out = append(out, f.Env)
			continue
		}
		rest, _ := strings.CutPrefix(wrong, before+"_")
		for i, r := range rest {
			if r == '_' && i > 0 && rest != wrong {
				out = append(out, before+"_"+rest[:i]+"_"+after)
			}
		}
	}
	return out
}
