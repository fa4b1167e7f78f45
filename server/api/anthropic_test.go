package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
)

// oneKey knows one key.
type oneKey struct{}

func (oneKey) Authenticate(_ context.Context, credential, _ string) (auth.Principal, error) {
	if credential != "good" {
		return auth.Principal{}, fault.New(fault.InvalidKey, "this key is unknown")
	}
	return everybody{}.Authenticate(context.Background(), "", "")
}

// failures are requests that go wrong, and how each is told. An empty kind is our own form.
var failures = []struct {
	method, path, key, body string
	status                  int
	kind, code              string
}{
	{"POST", "/v1/ask", "good", `"validation_failed"`, 400, "invalid_request_error", "validation_failed"},
	{"POST", "/v1/ask", "good", `"model_not_found"`, 404, "not_found_error", "model_not_found"},
	{"POST", "/v1/ask", "good", `"model_not_allowed"`, 403, "permission_error", "model_not_allowed"},
	{"POST", "/v1/ask", "good", `"rate_limit_exceeded"`, 429, "rate_limit_error", "rate_limit_exceeded"},
	{"POST", "/v1/ask", "good", `"provider_overloaded"`, 503, "overloaded_error", "provider_overloaded"},
	{"POST", "/v1/ask", "good", `"provider_error"`, 502, "api_error", "provider_error"},
	{"POST", "/v1/ask", "good", `"timeout"`, 504, "timeout_error", "timeout"},
	{"POST", "/v1/ask", "good", `"bug"`, 500, "api_error", "internal_error"},
	{"POST", "/v1/ask", "good", `"panic"`, 500, "api_error", "internal_error"},
	{"POST", "/v1/ask", "good", strings.Repeat("x", 2000), 413, "request_too_large", "body_too_large"},
	{"POST", "/v1/ask", "good", "", 400, "invalid_request_error", "invalid_json"},
	{"POST", "/v1/ask", "bad", `"x"`, 401, "authentication_error", "invalid_api_key"},
	{"POST", "/v1/ask", "", `"x"`, 401, "authentication_error", "missing_api_key"},
	{"GET", "/v1/ask", "good", "", 405, "invalid_request_error", "method_not_allowed"},
	{"POST", "/v1/ask/batches", "good", "", 404, "not_found_error", "route_not_found"},
	{"POST", "/v1/ask/", "good", "", 404, "not_found_error", "route_not_found"},
	{"POST", "/v1/asking", "good", "", 404, "", "route_not_found"},
}

// TestAnthropicFailures: whatever goes wrong below the path of an Anthropic operation, and wherever, the body is Anthropic's; elsewhere it is not.
func TestAnthropicFailures(t *testing.T) {
	a := New(Options{Auth: oneKey{}, MaxBody: 1000})
	Handle(a, KeyWith(auth.ScopeChat), Anthropic(huma.Operation{OperationID: "ask", Method: "POST", Path: "/v1/ask", SkipValidateBody: true}), func(_ context.Context, in *struct {
		RawBody []byte `contentType:"application/json"`
	}) (*noteOut, error) {
		switch string(in.RawBody) {
		case `"panic"`:
			panic("kaboom")
		case `"bug"`:
			return nil, errors.New("secret")
		}
		f := fault.New(fault.Code(strings.Trim(string(in.RawBody), `"`)), "no <such>")
		f.Details = []fault.Detail{{Field: "a", Message: "is wrong"}}
		return nil, f.WithParam("a")
	})
	srv := httptest.NewServer(a)
	defer srv.Close()
	for _, c := range failures {
		req, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.key != "" {
			req.Header.Set("X-Api-Key", c.key)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		var got AnthropicError
		if err := json.Unmarshal(b, &got); err != nil || res.StatusCode != c.status || got.Error.Code != c.code || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%+v: %d %s", c, res.StatusCode, b)
		}
		id := res.Header.Get("X-Request-Id")
		if c.kind == "" {
			if got.Type != "" || got.RequestID != "" || !strings.HasPrefix(string(b), `{"error":`) {
				t.Errorf("%s has Anthropic's form: %s", c.path, b)
			}
			continue
		}
		if got.Type != "error" || got.Error.Type != c.kind || got.Error.Message == "" || got.RequestID != id || res.Header.Get("Request-Id") != id || strings.Contains(string(b), "secret") {
			t.Errorf("%+v: %s", c, b)
		}
		if c.kind == "not_found_error" && c.code == "model_not_found" && (!strings.Contains(string(b), "no <such>") || got.Error.Param == nil || *got.Error.Param != "a" || len(got.Error.Details) != 1) {
			t.Errorf("%s", b)
		}
	}
}
