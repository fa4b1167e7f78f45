package server

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/all"
	"github.com/clawless/clawless/server/llm/router"
)

// withoutVendors takes the vendors' own variables out of the environment.
func withoutVendors(t *testing.T) {
	t.Helper()
	for _, d := range all.Drivers() {
		for _, name := range append(d.Env, d.AccountEnv...) {
			t.Setenv(name, "")
		}
	}
}

// TestSeveralKeys: every key is a provider of its own under the one name, over one set of connections, and the router turns to the second when the first is refused.
func TestSeveralKeys(t *testing.T) {
	withoutVendors(t)
	var mu sync.Mutex
	var seen []string
	conns := map[string]bool{}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen, conns[r.RemoteAddr] = append(seen, r.Header.Get("Authorization")), true
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") == "Bearer sk-first-one" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"message":"Incorrect API key provided: sk-first-one"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}]}`)
	}))
	defer upstream.Close()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("sk-first-one\nsk-second-one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]config.Provider{"setting": {APIKey: "sk-first-one, sk-second-one"}, "file": {APIKeyFile: file}} {
		p.Driver, p.BaseURL, p.Models = "openai", upstream.URL, []string{"small"}
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, nil))
		list, err := Providers(config.Settings{Providers: map[string]config.Provider{"lab": p}}, logger)
		if err != nil || len(list) != 3 || list[0].Name() != "lab" || list[1].Name() != "lab" {
			t.Fatalf("%s: %v, %v", name, list, err)
		}
		r := router.New(list, router.Options{Log: logger})
		target, err := r.Resolve(t.Context(), "lab/small")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for _, err := range r.Stream(t.Context(), &router.Call{Targets: []router.Target{target}, Request: &llm.Request{}}) {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		mu.Lock()
		if got := strings.Join(seen, ", "); got != "Bearer sk-first-one, Bearer sk-second-one, Bearer sk-second-one" || len(conns) != 1 {
			t.Errorf("%s: the calls came with %s over %d connections", name, got, len(conns))
		}
		seen = nil
		clear(conns)
		mu.Unlock()
		if strings.Contains(log.String(), "sk-") || strings.Count(log.String(), "a provider failed") != 1 {
			t.Errorf("%s: the log says %s", name, log.String())
		}
		for _, h := range r.Health(t.Context()) {
			if h.Provider == "lab" && h.Keys != (router.Keys{OK: 1, Cooling: 1}) {
				t.Errorf("%s: %+v", name, h)
			}
		}
	}
}

// TestNamedModelsKeepVectors: a list of models takes away nothing that the provider can do.
func TestNamedModelsKeepVectors(t *testing.T) {
	withoutVendors(t)
	cfg := config.Settings{Providers: map[string]config.Provider{"lab": {Driver: "openai", BaseURL: "http://127.0.0.1:1/v1", Models: []string{"m"}}}}
	list, err := Providers(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := list[0].(llm.Embedder); !ok {
		t.Error("it makes no vectors any more")
	}
	if l, ok := list[0].(llm.ModelLister); !ok {
		t.Error("it lists no models any more")
	} else if models, err := l.Models(t.Context()); err != nil || len(models) != 1 || models[0].ID != "m" {
		t.Errorf("%v, %v", models, err)
	}
}

// TestLimitsAreWired: the settings' limits reach the calls.
func TestLimitsAreWired(t *testing.T) {
	withoutVendors(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer upstream.Close()
	cfg := config.Settings{Providers: map[string]config.Provider{"lab": {Driver: "openai", BaseURL: upstream.URL, FirstTokenTimeout: 20 * time.Millisecond}}}
	list, err := Providers(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range list[0].Stream(t.Context(), &llm.Request{Model: "m", Stream: true}) {
		if e := llm.AsError(err); e == nil || e.Class != llm.ClassTimeout {
			t.Errorf("got %v", err)
		}
	}
}

// TestKnownModels: what is known of a vendor's models holds at its own address, under whatever name, and nowhere else.
func TestKnownModels(t *testing.T) {
	k, err := know(config.Settings{Providers: map[string]config.Provider{"work": {Driver: "openai"}, "lab": {BaseURL: "http://127.0.0.1:8000/v1"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"openai/gpt-4o-mini": true, "work/gpt-4o-mini": true, "lab/gpt-4o-mini": false, "openai/no-such-model": false, "nobody/gpt-4o-mini": false} {
		provider, model, _ := strings.Cut(name, "/")
		if info, ok := k.lookup(provider, model); ok != want || ok && info.ContextWindow == 0 {
			t.Errorf("%s: %+v, %v", name, info, ok)
		}
	}
}

func TestVendors(t *testing.T) {
	got := vendors(config.Settings{Providers: map[string]config.Provider{
		"openai":    {BaseURL: "https://gateway.example/v1"},
		"work":      {Driver: "anthropic"},
		"anthropic": {BaseURL: "https://api.anthropic.com/"},
		"lab":       {BaseURL: "http://127.0.0.1:8000/v1"},
	}})
	want := map[string]string{"mock": "mock", "openai": "", "anthropic": "anthropic", "ollama": "ollama", "workersai": "workersai", "work": "anthropic", "lab": ""}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
