package client_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/server"
	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/ids"
)

// under is a real server on loopback; every test makes a tenant of its own.
var under server.Started

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "clawless-client-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	cfg := config.Default()
	long := httptest.NewServer(http.HandlerFunc(longAnswer))
	defer long.Close()
	cfg.Providers = map[string]config.Provider{"lab": {Driver: "openai", BaseURL: long.URL, APIKey: "none", Models: []string{"long"}}}
	cfg.Addr, cfg.DataDir, cfg.DiscoverOllama, cfg.DrainTimeout = "127.0.0.1:0", dir, false, 0
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan server.Started, 1), make(chan error, 1)
	go func() {
		ended <- server.Up(ctx, cfg, "0.0.0-test", ids.NewSecret(ids.AdminKey), slog.New(slog.DiscardHandler), func(s server.Started) { ready <- s })
	}()
	select {
	case under = <-ready:
	case err := <-ended:
		fmt.Fprintln(os.Stderr, "client: the server did not start:", err)
		stop()
		return 1
	}
	code := m.Run()
	stop()
	if err := <-ended; err != nil {
		fmt.Fprintln(os.Stderr, "client: the server ended with:", err)
		return 1
	}
	return code
}

// connect makes a client, and fails the test when it cannot be made.
func connect(t testing.TB, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

func operator(t testing.TB) *client.Client {
	t.Helper()
	return connect(t, client.Options{BaseURL: under.URL, APIKey: under.AdminKey, MaxRetries: -1})
}

// newKey makes a tenant named after the test, and a key of it.
func newKey(t testing.TB, settings *sdk.TenantSettingsInput) (tenant, key string) {
	t.Helper()
	name := strings.Trim(strings.ToLower(strings.NewReplacer("/", "-", "_", "-", "#", "").Replace(t.Name())), "-")
	if _, err := operator(t).CreateTenant(t.Context(), sdk.CreateTenantRequest{Name: name, Settings: settings}); err != nil {
		t.Fatal(err)
	}
	k, err := operator(t).CreateTenantKey(t.Context(), name, sdk.CreateKeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return name, k.Key
}

// script is a server that answers each request with the next step; the last step goes on. It counts the requests.
type script struct {
	t     testing.TB
	srv   *httptest.Server
	seen  chan *http.Request
	steps chan http.HandlerFunc
}

func play(t testing.TB, steps ...http.HandlerFunc) *script {
	t.Helper()
	s := &script{t: t, seen: make(chan *http.Request, 100), steps: make(chan http.HandlerFunc, len(steps))}
	for _, step := range steps {
		s.steps <- step
	}
	s.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.seen <- r
		step := <-s.steps
		if len(s.steps) == 0 {
			s.steps <- step
		}
		step(w, r)
	}))
	t.Cleanup(s.srv.Close)
	return s
}

// requests are those seen since the last call.
func (s *script) requests() (all []*http.Request) {
	for {
		select {
		case r := <-s.seen:
			all = append(all, r)
		default:
			return all
		}
	}
}

// answer is a step that answers with a body, and headers as name, value, …
func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func refusal(status int, code string, headers ...string) http.HandlerFunc {
	return answer(status, fmt.Sprintf(`{"error":{"message":"no","type":"t","param":null,"code":%q,"details":[],"request_id":"req_7"}}`, code), headers...)
}

// hangUp is a step that breaks the connection.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// nap is a wait that takes no time, and keeps what it would have taken where naps is not nil.
func nap(naps *[]time.Duration) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		if naps != nil {
			*naps = append(*naps, d)
		}
		return ctx.Err()
	}
}
