package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/sdk"
)

// apiError is what the command line asks of an error.
type apiError interface {
	error
	HTTPStatus() int
	ErrorCode() string
	RequestID() string
	Hint() string
}

var _ apiError = (*client.Error)(nil)

// richKey is the key of a tenant without limits.
func richKey(t *testing.T) string {
	t.Helper()
	k, err := operator(t).CreateTenant(t.Context(), sdk.CreateTenantRequest{Name: "without-limits"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := operator(t).CreateTenantKey(t.Context(), k.ID, sdk.CreateKeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return key.Key
}

// TestErrorsOfAServer makes a real server refuse in every way that it has for a caller.
func TestErrorsOfAServer(t *testing.T) {
	tenant, key := newKey(t, &sdk.TenantSettingsInput{MonthlyTokens: new(int64(1)), AllowedModels: []string{"mock/echo"}})
	rich := connect(t, client.Options{BaseURL: under.URL, APIKey: richKey(t), MaxRetries: -1})
	admin, own := operator(t), connect(t, client.Options{BaseURL: under.URL, APIKey: key, MaxRetries: -1})
	stranger := connect(t, client.Options{BaseURL: under.URL, APIKey: "clw_sk_wrong", MaxRetries: -1})
	nobody := connect(t, client.Options{BaseURL: under.URL, MaxRetries: -1})
	ask := func(c *client.Client, model string) error {
		_, err := c.CreateChatCompletion(t.Context(), nil, sdk.ChatRequest{Model: model, Messages: []sdk.ChatMessage{{Role: "user", Content: sdk.Text("hello")}}})
		return err
	}
	ctx := t.Context()
	for _, c := range []struct {
		name   string
		call   func() error
		status int
		code   string
		hint   string
	}{
		{"no key", func() error { _, err := nobody.ListModels(ctx); return err }, 401, "missing_api_key", "clawless login"},
		{"wrong key", func() error { _, err := stranger.ListModels(ctx); return err }, 401, "invalid_api_key", "clawless login"},
		{"another kind of key", func() error { _, err := own.GetTenant(ctx, tenant); return err }, 403, "forbidden", ""},
		{"no scope", func() error { _, err := own.ListKeys(ctx, nil); return err }, 403, "scope_missing", ""},
		{"model not allowed", func() error { return ask(own, "mock/lorem") }, 403, "model_not_allowed", "clawless model list"},
		{"no such model", func() error { return ask(rich, "mock/nothing") }, 404, "model_not_found", "clawless model list"},
		{"no such object", func() error { _, err := own.GetSession(ctx, "ses_none"); return err }, 404, "not_found", ""},
		{"name is taken", func() error { _, err := admin.CreateTenant(ctx, sdk.CreateTenantRequest{Name: tenant}); return err }, 409, "conflict", ""},
		{"changed meanwhile", func() error {
			_, err := admin.UpdateTenant(ctx, tenant, &sdk.UpdateTenantParams{IfMatch: `"old"`}, sdk.UpdateTenantRequest{Name: new("x")})
			return err
		}, 412, "stale_version", ""},
		{"bad field", func() error {
			_, err := admin.CreateTenant(ctx, sdk.CreateTenantRequest{Name: "x", Tier: "gold"})
			return err
		}, 422, "validation_failed", ""},
		{"no budget", func() error { return ask(own, "mock/echo") }, 429, "quota_exceeded", "clawless tenant update NAME --monthly-tokens N"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.call()
			var e apiError
			var api *sdk.Error
			if !errors.As(err, &e) || !errors.As(err, &api) {
				t.Fatalf("%v (%T)", err, err)
			}
			if e.HTTPStatus() != c.status || e.ErrorCode() != c.code || e.Hint() != c.hint || !strings.HasPrefix(e.RequestID(), "req_") {
				t.Errorf("got %d %s, hint %q, request %q; want %d %s, hint %q", e.HTTPStatus(), e.ErrorCode(), e.Hint(), e.RequestID(), c.status, c.code, c.hint)
			}
			if e.Error() == "" || e.Error() != api.Message || strings.Contains(e.Error(), key) {
				t.Errorf("message %q", e)
			}
			if c.status == 422 && (len(api.Details) != 1 || api.Details[0].Field != "tier") {
				t.Errorf("details %+v", api.Details)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	gone := play(t, hangUp)
	gone.srv.Close()
	var naps []time.Duration
	c := connect(t, client.Options{BaseURL: gone.srv.URL, APIKey: "k"})
	c.Naps(nap(&naps))
	_, err := c.ListModels(t.Context())
	var e *client.Error
	if !errors.As(err, &e) || e.HTTPStatus() != 0 || e.ErrorCode() != "" || e.RequestID() != "" || !strings.Contains(e.Hint(), "clawless serve") || !strings.Contains(e.Hint(), "clawless doctor") {
		t.Fatalf("%v", err)
	}
	if !strings.Contains(e.Error(), gone.srv.URL) || !strings.Contains(e.Error(), "cannot be reached") || len(naps) != client.DefaultMaxRetries {
		t.Errorf("%v after %v", e, naps)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.ListModels(ctx); !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Hint() != "" {
		t.Errorf("cancelled: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := c.ListModels(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("too late: %v", err)
	}
	if err := c.DeleteTenant(t.Context(), ""); err == nil || errors.As(err, &e) {
		t.Errorf("an argument's error is none of a call: %v", err)
	}
}

func TestRetries(t *testing.T) {
	good := answer(200, `{"data":[],"object":"list"}`)
	get := func(c *client.Client) error { _, err := c.ListModels(t.Context()); return err }
	post := func(c *client.Client) error {
		_, err := c.CreateSession(t.Context(), sdk.CreateSessionRequest{Title: "x"})
		return err
	}
	patch := func(c *client.Client) error {
		_, err := c.UpdateSession(t.Context(), "s", sdk.UpdateSessionRequest{Title: new("x")})
		return err
	}
	remove := func(c *client.Client) error { return c.DeleteSession(t.Context(), "s") }
	for _, c := range []struct {
		name  string
		call  func(*client.Client) error
		steps []http.HandlerFunc
		tries int
		ok    bool
	}{
		{"good at once", get, []http.HandlerFunc{good}, 1, true},
		{"good at last", get, []http.HandlerFunc{refusal(503, "x"), refusal(502, "x"), good}, 3, true},
		{"504 and a break", get, []http.HandlerFunc{refusal(504, "x"), hangUp, good}, 3, true},
		{"never good", get, []http.HandlerFunc{refusal(503, "x")}, 3, false},
		{"429", get, []http.HandlerFunc{refusal(429, "rate_limit_exceeded"), good}, 2, true},
		{"quota is no rate", get, []http.HandlerFunc{refusal(429, "quota_exceeded"), good}, 1, false},
		{"500 is not repeated", get, []http.HandlerFunc{refusal(500, "internal_error"), good}, 1, false},
		{"404 is not repeated", get, []http.HandlerFunc{refusal(404, "not_found"), good}, 1, false},
		{"asks too long", get, []http.HandlerFunc{refusal(503, "x", "Retry-After", "3600"), good}, 1, false},
		{"delete", remove, []http.HandlerFunc{hangUp, answer(204, "")}, 2, true},
		{"post", post, []http.HandlerFunc{hangUp, refusal(409, "idempotency_in_flight", "Retry-After", "1"), answer(201, `{"id":"s"}`)}, 3, true},
		{"conflict", post, []http.HandlerFunc{refusal(409, "conflict"), good}, 1, false},
		{"patch", patch, []http.HandlerFunc{refusal(503, "x"), good}, 1, false},
		{"patch, broken", patch, []http.HandlerFunc{hangUp, good}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := play(t, c.steps...)
			var naps []time.Duration
			cl := connect(t, client.Options{BaseURL: s.srv.URL, APIKey: "k"})
			cl.Naps(nap(&naps))
			err := c.call(cl)
			all := s.requests()
			if (err == nil) != c.ok || len(all) != c.tries || len(naps) != c.tries-1 {
				t.Fatalf("%v after %d requests and the waits %v", err, len(all), naps)
			}
			for i, d := range naps {
				if d < 100*time.Millisecond<<i || d > 5*time.Second {
					t.Errorf("wait %d was %s", i, d)
				}
			}
			for _, r := range all {
				if key := r.Header.Get("Idempotency-Key"); (r.Method == http.MethodPost) != (len(key) >= 20) || key != all[0].Header.Get("Idempotency-Key") || r.ContentLength != all[0].ContentLength {
					t.Errorf("%s with key %q, %d bytes", r.Method, key, r.ContentLength)
				}
			}
		})
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	s := play(t, refusal(429, "rate_limit_exceeded", "Retry-After", "7"))
	var naps []time.Duration
	c := connect(t, client.Options{BaseURL: s.srv.URL, MaxRetries: 3})
	c.Naps(nap(&naps))
	_, err := c.ListModels(t.Context())
	var e *client.Error
	if !errors.As(err, &e) || e.API.RetryAfter != 7*time.Second || e.Hint() != "try again in 7s" || !slices.Equal(naps, []time.Duration{7 * time.Second, 7 * time.Second, 7 * time.Second}) {
		t.Errorf("%v, hint %q, waits %v", err, e.Hint(), naps)
	}
}

// TestKeysDiffer: two calls are two keys, or the second would get the first one's answer.
func TestKeysDiffer(t *testing.T) {
	s := play(t, answer(201, `{"id":"s"}`))
	c := connect(t, client.Options{BaseURL: s.srv.URL})
	for range 2 {
		if _, err := c.CreateSession(t.Context(), sdk.CreateSessionRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.CreateSession(t.Context(), sdk.CreateSessionRequest{}, sdk.WithIdempotencyKey("mine")); err != nil {
		t.Fatal(err)
	}
	all := s.requests()
	if a, b := all[0].Header.Get("Idempotency-Key"), all[1].Header.Get("Idempotency-Key"); a == b || all[2].Header.Get("Idempotency-Key") != "mine" {
		t.Errorf("%q, %q", a, b)
	}
	if got := all[0].Header.Get("User-Agent"); got != "clawless-go" {
		t.Errorf("user agent %q", got)
	}
}

// TestPagesOfAServer reads more items than a page holds, in order and once each.
func TestPagesOfAServer(t *testing.T) {
	_, key := newKey(t, nil)
	c := connect(t, client.Options{BaseURL: under.URL, APIKey: key})
	var made []string
	for i := range 7 {
		s, err := c.CreateSession(t.Context(), sdk.CreateSessionRequest{Title: fmt.Sprint(i), Metadata: map[string]string{"n": fmt.Sprint(i)}})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, s.ID)
	}
	slices.Reverse(made)
	for _, limit := range []int64{0, 1, 2, 3, 7, 8} {
		var got []string
		for s, err := range c.ListSessionsAll(t.Context(), &sdk.ListSessionsParams{Limit: limit}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, s.ID)
		}
		if !slices.Equal(got, made) {
			t.Errorf("limit %d: %v, want %v", limit, got, made)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []client.Options{{}, {BaseURL: "127.0.0.1:8787"}, {BaseURL: "http://x", APIKey: "two words"}} {
		if _, err := client.New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	s := play(t, answer(200, `{"data":[],"object":"list"}`))
	c := connect(t, client.Options{BaseURL: s.srv.URL + "/below/", APIKey: "k", UserAgent: "mine/2", HTTPClient: s.srv.Client()})
	if _, err := c.SDK().ListModels(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := s.requests()[0]; r.URL.Path != "/below/v1/models" || r.Header.Get("User-Agent") != "mine/2" {
		t.Errorf("%s, %s", r.URL, r.Header)
	}
}
