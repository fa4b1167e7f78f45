package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/all"
	"github.com/clawless/clawless/server/llm/mock"
	"github.com/clawless/clawless/server/llm/ollama"
	"github.com/clawless/clawless/server/llm/wire"
)

// fallbackModel answers for tenants when no provider is configured at all.
const fallbackModel = "mock/lorem"

// Providers makes the configured providers: those of the settings by name, then vendors whose own variables are set, then the built-in models. One with several keys
// comes once for each, side by side and under one name.
// A provider that cannot be reached is not an error here: `clawless doctor` and the first call say so.
func Providers(cfg config.Settings, log *slog.Logger) ([]llm.Provider, error) {
	configured := maps.Clone(cfg.Providers)
	if configured == nil {
		configured = map[string]config.Provider{}
	}
	for _, d := range all.Drivers() {
		// A vendor that also wants an account is only taken from variables when both are there.
		if _, named := configured[d.Name]; !named && d.NeedsKey && firstEnv(d.Env) != "" && (len(d.AccountEnv) == 0 || firstEnv(d.AccountEnv) != "") {
			configured[d.Name] = config.Provider{}
		}
	}
	if _, named := configured[ollama.Driver.Name]; !named && cfg.DiscoverOllama && ollama.Probe(context.Background(), "") {
		configured[ollama.Driver.Name] = config.Provider{}
	}
	var out []llm.Provider
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		made, err := provider(name, configured[name].WithDefaults(), log)
		if err != nil {
			return nil, err
		}
		out = append(out, made...)
	}
	built, err := mock.Driver.New(llm.Config{Name: mock.Driver.Name, Log: log})
	if err != nil {
		return nil, err
	}
	return append(out, built), nil
}

// provider makes one provider for every key. They share their connections.
func provider(name string, p config.Provider, log *slog.Logger) ([]llm.Provider, error) {
	if strings.ContainsAny(name, "/ ") || name == mock.Driver.Name {
		return nil, fmt.Errorf("providers.%s: choose another name, without slashes and not %s", name, mock.Driver.Name)
	}
	driver, ok := driverOf(name, p)
	if !ok {
		return nil, fmt.Errorf("providers.%s.driver: %q is none of %s", name, p.Driver, strings.Join(driverNames(), ", "))
	}
	keys, err := providerKeys(p, driver)
	if err != nil {
		return nil, fmt.Errorf("providers.%s: %w", name, err)
	}
	if len(keys) == 0 {
		keys = []string{""} // not every server wants one
	}
	cfg := llm.Config{Name: name, BaseURL: cmp.Or(p.BaseURL, driver.DefaultURL), AccountID: cmp.Or(p.AccountID, firstEnv(driver.AccountEnv)),
		Client: wire.NewHTTPClient(p.ConnectTimeout), First: p.FirstTokenTimeout, Idle: p.IdleTimeout, Answer: p.AnswerTimeout, Log: log}
	out := make([]llm.Provider, len(keys))
	for i, key := range keys {
		cfg.APIKey = key
		made, err := driver.New(cfg)
		if err != nil {
			return nil, fmt.Errorf("providers.%s: %w", name, err)
		}
		if out[i] = made; len(p.Models) > 0 {
			out[i] = withModels(made, p.Models)
		}
	}
	return out, nil
}

// driverOf is the driver that the settings name, or that the provider's name names, or the one whose dialect most servers speak.
func driverOf(name string, p config.Provider) (llm.Driver, bool) {
	driver, ok := all.Lookup(cmp.Or(p.Driver, name))
	if !ok && p.Driver == "" {
		return all.Lookup("openai")
	}
	return driver, ok
}

// vendors are the vendors at whose own address the configured providers are, by the providers' names; what is known of a vendor's models holds there only.
func vendors(cfg config.Settings) map[string]string {
	out := map[string]string{}
	for _, d := range all.Drivers() {
		out[d.Name] = d.Name // the built-in one, and those whose own variables configure them
	}
	for name, p := range cfg.Providers {
		d, ok := driverOf(name, p)
		if out[name] = ""; ok && (p.BaseURL == "" || strings.TrimRight(p.BaseURL, "/") == d.DefaultURL) {
			out[name] = d.Name
		}
	}
	return out
}

// withModels gives a provider the models that the operator has named, and leaves it what else it can.
func withModels(p llm.Provider, models []string) llm.Provider {
	if e, ok := p.(llm.Embedder); ok {
		return struct {
			listed
			llm.Embedder
		}{listed{p, models}, e}
	}
	return listed{p, models}
}

// listed is a provider whose models the operator has named, because it cannot list them itself or should not offer all.
type listed struct {
	llm.Provider
	models []string
}

// NativeSchema implements llm.Abilities.
func (l listed) NativeSchema(req *llm.Request) bool { return llm.NativeSchema(l.Provider, req) }

// Models implements llm.ModelLister.
func (l listed) Models(context.Context) ([]llm.Model, error) {
	out := make([]llm.Model, len(l.models))
	for i, id := range l.models {
		out[i] = llm.Model{ID: id, OwnedBy: l.Name()}
	}
	return out, nil
}

// providerKeys prefers the settings' keys, then their file, then the vendor's own variable; the latter only for the vendor's own address, so that it goes nowhere else.
func providerKeys(p config.Provider, d llm.Driver) ([]string, error) {
	if keys, err := p.Keys(); err != nil || len(keys) > 0 {
		return keys, err
	}
	if p.BaseURL == "" || p.BaseURL == d.DefaultURL {
		return config.Provider{APIKey: config.Secret(firstEnv(d.Env))}.Keys()
	}
	return nil, nil
}

func firstEnv(names []string) string {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}

func driverNames() []string {
	var out []string
	for _, d := range all.Drivers() {
		out = append(out, d.Name)
	}
	return out
}

// defaultModel decides what a tenant without a choice gets. Where a real provider is configured it is that provider's first model, remembered once known, and never
// the built-in one: nobody should get filler text because a provider was down for a moment.
func (s *Server) defaultModel(real bool) func(context.Context) (string, error) {
	var mu sync.Mutex
	known := s.cfg.DefaultModel
	if known == "" && !real {
		known = fallbackModel
	}
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if known != "" {
			return known, nil
		}
		for _, m := range s.router.Models(ctx) {
			if !strings.HasPrefix(m.ID, mock.Driver.Name+"/") && strings.Contains(m.ID, "/") {
				known = m.ID
				return known, nil
			}
		}
		return "", fault.New(fault.ModelNotFound, "no default model is known, because no configured provider lists its models; name a model, or set default_model").WithParam("model")
	}
}
