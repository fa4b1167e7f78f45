package server

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/clawless/clawless/server/config"
)

// TestCompatRefusals: every refusal is the one envelope, whatever refused (wire contract, section 5).
func TestCompatRefusals(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.MaxBodyBytes = 64 << 10 })
	acme := r.tenant("acme", nil)
	_, narrow := r.key(acme, "models:read")
	r.s.api.Raw("GET /panic", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("kaboom " + canary[:0]) }))
	raw := func(body string, header ...string) request {
		q := post(acme.Key, body)
		q.Header = map[string]string{}
		for i := 0; i+1 < len(header); i += 2 {
			q.Header[header[i]] = header[i+1]
		}
		return q
	}
	r.play(t, []scenario{
		{"no key", request{Method: "POST", Path: "/v1/chat/completions", Body: "{}"}, 401, []string{`"code":"missing_api_key"`}, nil},
		{"garbage key", post("clw_sk_garbage", "{}"), 401, []string{`"code":"invalid_api_key"`}, []string{"garbage"}},
		{"quotes in the key", post("' OR '1'='1", "{}"), 401, []string{`"code":"invalid_api_key"`}, []string{"OR"}},
		{"basic", request{Method: "POST", Path: "/v1/chat/completions", Header: map[string]string{"Authorization": "Basic " + acme.Key}, Body: "{}"}, 401, []string{`"code":"invalid_api_key"`}, []string{acme.Key}},
		{"comma list", raw("{}", "Authorization", "Bearer a, Bearer b"), 401, []string{`"code":"invalid_api_key"`}, nil},
		{"two keys that differ", raw("{}", "X-Api-Key", "another"), 401, []string{`"code":"invalid_api_key"`}, nil},
		{"8 KiB key", post("clw_sk_"+strings.Repeat("x", 8<<10), "{}"), 401, nil, nil},
		{"scope missing", post(narrow, ask("lab/x", "hi", nil)), 403, []string{`"code":"scope_missing"`, "chat:write"}, nil},
		{"no route", request{Path: "/v1/nothing", Key: acme.Key}, 404, []string{`"code":"route_not_found"`}, nil},
		{"no route outside /v1", request{Path: "/nothing"}, 404, []string{`"code":"route_not_found"`}, nil},
		{"trailing slash", request{Path: "/v1/models/", Key: acme.Key}, 404, nil, nil},
		{"double slash", request{Path: "//v1/models", Key: acme.Key}, 404, nil, nil},
		{"dots", request{Path: "/v1/%2e%2e/admin/tenants", Key: acme.Key}, 404, nil, nil},
		{"capitals", request{Path: "/V1/Models", Key: acme.Key}, 404, nil, nil},
		{"wrong method", request{Method: "DELETE", Path: "/v1/chat/completions", Key: acme.Key}, 405, []string{`"code":"method_not_allowed"`, "POST"}, nil},
		{"wrong method without a body", request{Method: "PUT", Path: "/v1/models", Key: acme.Key}, 405, []string{"GET"}, nil},
		{"method override", request{Method: "POST", Path: "/v1/models", Key: acme.Key, Header: map[string]string{"X-HTTP-Method-Override": "GET"}, Body: "{}"}, 405, nil, nil},
		{"too large", raw(`{"model":"x","messages":[{"role":"user","content":"` + strings.Repeat("x", 64<<10) + `"}]}`), 413, []string{`"code":"body_too_large"`}, nil},
		{"wrong type", raw(`{}`, "Content-Type", "text/plain"), 415, []string{`"code":"unsupported_media_type"`}, nil},
		{"form", raw(`a=b`, "Content-Type", "application/x-www-form-urlencoded"), 415, []string{`"code":"unsupported_media_type"`}, nil},
		{"compressed", raw(`x`, "Content-Encoding", "gzip"), 415, []string{`"code":"unsupported_media_type"`}, nil},
		{"panic", request{Path: "/panic"}, 500, []string{`"code":"internal_error"`}, []string{"kaboom"}},
		{"alive after the panic", request{Path: "/healthz"}, 200, nil, nil},
		{"Accept that nobody serves", raw(`{`, "Accept", "application/xml"), 400, []string{`"code":"invalid_json"`}, nil},
	})
	two, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/v1/models", nil)
	if err != nil {
		t.Fatal(err)
	}
	two.Header["Authorization"] = []string{"Bearer " + acme.Key, "Bearer " + acme.Key}
	res, err := r.http.Do(two)
	if err != nil || res.StatusCode != 401 {
		t.Errorf("two Authorization headers: %v, %v", res.StatusCode, err)
	}
	_ = res.Body.Close()
}

const secretHost = "10.11.12.13"

// upstreamFailures are what providers answer and what the tenant then sees (section 5's table).
var upstreamFailures = []struct {
	name   string
	script func(*upcall)
	status int
	code   string
	has    []string
	retry  string
	calls  int // of the provider; what may pass is tried three times
}{
	{"400 keeps the words", refuse(400, "application/json", `{"error":{"message":"bad schema","type":"invalid_request_error","param":"tools[0]","code":"invalid_function"}}`), 400, "invalid_function", []string{"bad schema", `"param":"tools[0]"`}, "", 1},
	{"context length", refuse(400, "application/json", `{"error":{"message":"This model's maximum context length is 8192 tokens","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`), 400, "context_length_exceeded", []string{"maximum context length"}, "", 1},
	{"413", refuse(413, "application/json", `{"error":{"message":"too big","type":"invalid_request_error"}}`), 413, "invalid_request", []string{"too big"}, "", 1},
	{"422", refuse(422, "application/json", `{"detail":"no such parameter"}`), 422, "invalid_request", []string{"no such parameter"}, "", 1},
	{"401 is ours", refuse(401, "application/json", `{"error":{"message":"Incorrect API key provided: `+labKey+`","code":"invalid_api_key"}}`), 502, "provider_error", []string{"lab"}, "", 1},
	{"403 is ours", refuse(403, "application/json", `{"error":{"message":"org `+secretHost+` is not allowed"}}`), 502, "provider_error", []string{"lab"}, "", 1},
	{"402", refuse(402, "application/json", `{"error":{"message":"no credits at `+secretHost+`"}}`), 502, "provider_error", nil, "", 1},
	{"404", refuse(404, "application/json", `{"error":{"message":"model gone","code":"model_not_found"}}`), 404, "model_not_found", []string{`"param":"model"`}, "", 1},
	{"429 with a long wait", refuse(429, "application/json", `{"error":{"message":"slow down `+secretHost+`"}}`, "Retry-After", "75"), 429, "rate_limit_exceeded", nil, "75", 1},
	{"429 that lasts", refuse(429, "application/json", `{"error":{"message":"slow down `+secretHost+`"}}`, "Retry-After", "0"), 429, "rate_limit_exceeded", nil, "", 3},
	{"429 of money is not the tenant's", refuse(429, "application/json", `{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}`), 502, "provider_error", nil, "", 1},
	{"500 in HTML", refuse(500, "text/html", "<html>"+secretHost+"</html>"), 502, "provider_error", nil, "", 3},
	{"503", refuse(503, "text/plain", secretHost), 503, "provider_overloaded", nil, "", 3},
	{"529", refuse(529, "application/json", `{"type":"error","error":{"type":"overloaded_error","message":"`+secretHost+`"}}`), 503, "provider_overloaded", nil, "", 3},
	{"a redirect", refuse(302, "text/html", secretHost, "Location", "http://"+secretHost+"/"), 502, "provider_unreachable", nil, "", 1},
	{"200 in HTML", refuse(200, "text/html", "<html>"+secretHost), 502, "stream_broken", nil, "", 3},
	{"200 and cut JSON", refuse(200, "application/json", `{"choices":[{"mess`), 502, "stream_broken", nil, "", 3},
	{"200 without choices", refuse(200, "application/json", `{"object":"chat.completion","choices":[]}`), 502, "stream_broken", nil, "", 3},
	{"200 with an error", refuse(200, "application/json", `{"error":{"message":"overloaded `+secretHost+`","type":"server_error"}}`), 502, "provider_error", nil, "", 3},
	{"an empty 200", refuse(200, "application/json", ``), 502, "stream_broken", nil, "", 3},
}

func TestCompatUpstreamFailures(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, c := range upstreamFailures {
		for _, stream := range []bool{false, true} {
			r.beside(&wg, fmt.Sprintf("%s, stream %v", c.name, stream), func(r *rig) {
				t := r.t
				model := r.up.on(fmt.Sprint("fail", i, stream), c.script)
				a := r.do(post(acme.Key, ask(model, "hi "+canary, map[string]any{"stream": stream})))
				a.envelope(t)
				if a.status != c.status || a.problem(t).Code != c.code {
					t.Errorf("status %d, code %s, want %d and %s: %s", a.status, a.problem(t).Code, c.status, c.code, a.body)
				}
				if got := a.header.Get("Retry-After"); got != c.retry {
					t.Errorf("Retry-After %q, want %q", got, c.retry)
				}
				for _, s := range c.has {
					if !strings.Contains(string(a.body), s) {
						t.Errorf("lacks %s: %s", s, a.body)
					}
				}
				for _, s := range []string{secretHost, labKey, r.up.url, "goroutine", canary} {
					if strings.Contains(string(a.body), s) {
						t.Errorf("tells %s: %s", s, a.body)
					}
				}
				if n := len(r.up.calls(model)); n != c.calls {
					t.Errorf("%d calls of the provider, want %d", n, c.calls)
				}
			})
		}
	}
	t.Run("unreachable", func(t *testing.T) {
		dead := lite(t, func(c *config.Settings) {
			c.Providers["gone"] = config.Provider{Driver: "openai", BaseURL: "http://127.0.0.1:1/v1"}
		})
		a := dead.do(post(dead.tenant("acme", nil).Key, ask("gone/x", "hi", nil)))
		if a.envelope(t); a.status != 502 || a.problem(t).Code != "provider_unreachable" || !strings.Contains(string(a.body), "gone") || strings.Contains(string(a.body), "127.0.0.1") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// breaks are streams that end in the middle: each must end in one error frame, with neither a finish reason nor [DONE].
var breaks = []struct {
	name   string
	script func(*upcall)
	code   string
}{
	{"reset", func(c *upcall) { c.text("some "); panic(http.ErrAbortHandler) }, "stream_broken"},
	{"early end", func(c *upcall) { c.text("some ") }, "stream_broken"},
	{"DONE without a finish reason", func(c *upcall) { c.text("some "); c.frame("[DONE]") }, "stream_broken"},
	{"an error event", func(c *upcall) {
		c.text("some ")
		c.frame(`{"error":{"message":"overloaded ` + secretHost + `","type":"overloaded_error"}}`)
	}, "provider_overloaded"},
	{"a frame that is not JSON", func(c *upcall) { c.text("some "); c.frame(`{"choices":[{"del`); c.finish("stop", 1, 1) }, "stream_broken"},
	{"finish reason error", func(c *upcall) { c.text("some "); c.finish("error", 1, 1) }, "provider_error"},
}

func TestCompatBrokenStreams(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	for i, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			model := r.up.on(fmt.Sprint("break", i), b.script)
			f := r.stream(post(acme.Key, ask(model, "hi", map[string]any{"stream": true, "stream_options": map[string]any{"include_usage": true}})))
			events := f.rest()
			said, failed, done := collect(t, events)
			if said != "some " || failed == nil || done {
				t.Fatalf("%q, error %+v, done %v", said, failed, done)
			}
			if failed.Code != b.code || failed.Param != nil || failed.RequestID != f.res.Header.Get("X-Request-Id") || strings.Contains(events[len(events)-1].Data, secretHost) {
				t.Errorf("error frame: %s", events[len(events)-1].Data)
			}
			for _, e := range events[:len(events)-1] {
				if c := parseChunk(t, e.Data); c.Choices[0].FinishReason != nil || c.Usage != nil {
					t.Errorf("a broken answer has an end: %s", e.Data)
				}
			}
		})
	}
	for _, p := range r.periods() {
		if want := int64(len(breaks)); p.Requests != want {
			t.Errorf("%d lines of the ledger, want %d", p.Requests, want)
		}
	}
}

func TestCompatBrowsers(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.CORSOrigins = []string{"https://app.example.com"} })
	acme := r.tenant("acme", nil)
	model := r.up.on("cors", answer("ok"))
	preflight := func(origin string) http.Header {
		a := r.want(204, request{Method: "OPTIONS", Path: "/v1/chat/completions", Header: map[string]string{"Origin": origin, "Access-Control-Request-Method": "POST",
			"Access-Control-Request-Headers": "authorization,content-type,openai-beta,x-stainless-lang"}}, nil)
		return a.header
	}
	h := preflight("https://app.example.com")
	for k, want := range map[string]string{"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Headers": "authorization,content-type,openai-beta,x-stainless-lang", "Access-Control-Max-Age": "600"} {
		if h.Get(k) != want {
			t.Errorf("%s: %q", k, h.Get(k))
		}
	}
	if !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
		t.Errorf("preflight: %v", h)
	}
	for _, origin := range []string{"https://evil.example.net", "null", "https://app.example.com.evil.test", "http://app.example.com", "https://app.example.com:8443"} {
		if got := preflight(origin).Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("origin %s is allowed: %q", origin, got)
		}
	}
	origin := map[string]string{"Origin": "https://app.example.com"}
	good := post(acme.Key, ask(model, "hi", map[string]any{"stream": true}))
	bad := post(acme.Key, "{")
	nowhere := request{Path: "/v1/none"}
	for _, q := range []request{good, bad, nowhere} {
		q.Header = origin
		a := r.do(q)
		if a.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" || !strings.Contains(strings.ToLower(a.header.Get("Access-Control-Expose-Headers")), "x-request-id") ||
			a.header.Get("Vary") == "" {
			t.Errorf("%s %d: %v", q.Path, a.status, a.header)
		}
	}
}

func TestCompatRequestIDs(t *testing.T) {
	r := lite(t, nil)
	seen := map[string]bool{}
	for i := range 200 {
		path := []string{"/healthz", "/v1/none", "/v1/models", "/docs"}[i%4]
		id := r.do(request{Path: path, Header: map[string]string{"X-Request-Id": "mine"}}).header.Get("X-Request-Id")
		if seen[id] || !strings.HasPrefix(id, "req_") {
			t.Fatalf("request id %q", id)
		}
		seen[id] = true
	}
}
