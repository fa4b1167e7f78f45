package models

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
)

// shelf offers what a test puts on it, in the order in which the providers stand.
type shelf []llm.Model

func (s shelf) Models(context.Context) []llm.Model { return s }

// Authenticate implements api.Authenticator: the credential names the tenant.
func (shelf) Authenticate(_ context.Context, credential, _ string) (auth.Principal, error) {
	return auth.Principal{Kind: auth.Key, TenantID: credential, KeyID: "key_1", Scopes: []string{auth.ScopeModels}}, nil
}

var known = map[string]catalog.Info{
	"lab/think": {Class: catalog.Large, ContextWindow: 200_000, MaxOutput: 64_000, Priced: true, Price: catalog.Price{Input: 3_000_000, Output: 15_000_000, CacheRead: 300_000, CacheWrite: 3_750_000},
		Tools: true, Vision: true, Schema: true, Efforts: []llm.Effort{llm.EffortOff, llm.EffortHigh}},
	"lab/free":   {Priced: true, Embedding: true},
	"lab/secret": {Class: catalog.Small},
}

// serve serves the shelf; the tenant rich may use all of it and auto, any other only what is no secret.
func serve(t *testing.T, s shelf, alter func(*Routes)) func(tenant, path string) (int, string) {
	t.Helper()
	a := api.New(api.Options{Auth: s})
	r := Routes{Catalogue: s,
		Allowed: func(_ context.Context, tenant string) (func(string) bool, error) {
			if tenant == "broken" {
				return nil, fault.New(fault.StoreUnavailable, "the database is away")
			}
			return func(id string) bool { return tenant == "rich" || !strings.Contains(id, "secret") }, nil
		},
		Lookup: func(id string) (catalog.Info, bool) {
			i, ok := known[id]
			return i, ok
		},
		Version: func() string { return "2026-11.test" },
		Auto:    func(_ context.Context, tenant string) bool { return tenant == "rich" },
	}
	alter(&r)
	r.Register(a)
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return func(tenant, path string) (int, string) {
		req, _ := http.NewRequest("GET", srv.URL+path, nil)
		req.Header.Set("Authorization", "Bearer "+tenant)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, strings.TrimSpace(string(b))
	}
}

func ids(t *testing.T, body string) string {
	t.Helper()
	var list ModelListBody
	if err := json.Unmarshal([]byte(body), &list); err != nil || list.Object != "list" {
		t.Fatalf("%v in %s", err, body)
	}
	var out []string
	for _, m := range list.Data {
		out = append(out, m.ID)
	}
	return strings.Join(out, " ")
}

var offered = shelf{{ID: "lab/think", OwnedBy: "lab", Created: 7, ContextWindow: 100}, {ID: "lab/secret"}, {ID: "lab/free"}, {ID: "lab/odd", ContextWindow: 4096}, {ID: "lab/odd"},
	{ID: "auto", OwnedBy: "somebody"}, {ID: "@own"}}

// TestList: only what the tenant may use, by id and once, and auto where it means something and under no other meaning.
func TestList(t *testing.T) {
	get := serve(t, offered, func(*Routes) {})
	for tenant, want := range map[string]string{"rich": "@own auto lab/free lab/odd lab/secret lab/think", "poor": "@own lab/free lab/odd lab/think"} {
		status, body := get(tenant, "/v1/models")
		if got := ids(t, body); status != 200 || got != want {
			t.Errorf("%s sees %d %s, want %s", tenant, status, got, want)
		}
	}
	if status, body := serve(t, nil, func(*Routes) {})("poor", "/v1/models"); status != 200 || body != `{"object":"list","data":[]}` {
		t.Errorf("nothing offered: %d %s", status, body)
	}
	if status, _ := get("broken", "/v1/models"); status != 503 {
		t.Errorf("a store that fails: %d", status)
	}
}

// TestMetadata: what is known of a model stands beside OpenAI's fields, and what is not known is absent rather than zero.
func TestMetadata(t *testing.T) {
	get := serve(t, offered, func(*Routes) {})
	for id, want := range map[string]string{
		"lab/think": `{"id":"lab/think","object":"model","created":7,"owned_by":"lab","class":"large","context_window":200000,"max_output_tokens":64000,` +
			`"pricing":{"input":3000000,"output":15000000,"cache_read":300000,"cache_write":3750000},"price_version":"2026-11.test",` +
			`"capabilities":{"tools":true,"vision":true,"json_schema":true,"embedding":false,"thinking":["off","high"]}}`,
		"lab%2Ffree": `{"id":"lab/free","object":"model","created":0,"owned_by":"","pricing":{"input":0,"output":0,"cache_read":0,"cache_write":0},"price_version":"2026-11.test",` +
			`"capabilities":{"tools":false,"vision":false,"json_schema":false,"embedding":true,"thinking":[]}}`,
		"lab/secret": `{"id":"lab/secret","object":"model","created":0,"owned_by":"","class":"small",` +
			`"capabilities":{"tools":false,"vision":false,"json_schema":false,"embedding":false,"thinking":[]}}`,
		"lab/odd": `{"id":"lab/odd","object":"model","created":0,"owned_by":"","context_window":4096}`,
		"auto":    `{"id":"auto","object":"model","created":0,"owned_by":"clawless"}`,
	} {
		if status, body := get("rich", "/v1/models/"+id); status != 200 || body != want {
			t.Errorf("%s: %d\n%s, want\n%s", id, status, body, want)
		}
	}
	for _, id := range []string{"lab/secret", "auto", "lab/none"} {
		if status, body := get("poor", "/v1/models/"+id); status != 404 || !strings.Contains(body, "model_not_found") {
			t.Errorf("%s for who may not have it: %d %s", id, status, body)
		}
	}
}

// TestUnwired: a server that knows nothing of prices still lists its models.
func TestUnwired(t *testing.T) {
	get := serve(t, offered, func(r *Routes) { r.Lookup, r.Version, r.Auto = nil, nil, nil })
	if status, body := get("rich", "/v1/models/lab/think"); status != 200 || body != `{"id":"lab/think","object":"model","created":7,"owned_by":"lab","context_window":100}` {
		t.Errorf("%d %s", status, body)
	}
	if _, body := get("rich", "/v1/models"); strings.Contains(body, `"auto"`) {
		t.Errorf("auto is listed: %s", body)
	}
}

// TestDefault: the tenant's default stands among the models with what is known of the model behind it, and under no other meaning.
func TestDefault(t *testing.T) {
	behind := ""
	get := serve(t, append(shelf{{ID: "default", OwnedBy: "somebody"}}, offered...), func(r *Routes) { r.Default = func(context.Context, string) string { return behind } })
	const known = `"pricing":{"input":0,"output":0,"cache_read":0,"cache_write":0},"price_version":"2026-11.test","capabilities":{"tools":false,"vision":false,"json_schema":false,"embedding":true,"thinking":[]}`
	for id, want := range map[string]string{
		"lab/odd":  `{"id":"default","object":"model","created":0,"owned_by":"clawless","context_window":4096}`,
		"lab/free": `{"id":"default","object":"model","created":0,"owned_by":"clawless",` + known + `}`,
		"auto":     `{"id":"default","object":"model","created":0,"owned_by":"clawless"}`,
		"gone/far": `{"id":"default","object":"model","created":0,"owned_by":"clawless"}`,
	} {
		behind = id
		if status, body := get("rich", "/v1/models/default"); status != 200 || body != want {
			t.Errorf("behind it %s: %d\n%s, want\n%s", id, status, body, want)
		}
	}
	if _, body := get("poor", "/v1/models"); ids(t, body) != "@own default lab/free lab/odd lab/think" {
		t.Errorf("%s", ids(t, body))
	}
	behind = ""
	if status, body := get("rich", "/v1/models/default"); status != 404 {
		t.Errorf("nothing behind it: %d %s", status, body)
	}
}
