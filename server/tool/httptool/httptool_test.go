package httptool

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
)

const secret = "s3cr3t-of-the-tenant-0042"

func loopback(a netip.Addr) bool { return a.IsLoopback() }

// seen is what an endpoint got.
type seen struct {
	method, uri, body string
	header            http.Header
}

// endpoint is a real server that keeps what it got and answers with the function.
func endpoint(t *testing.T, answer http.HandlerFunc) (base string, got *[]seen) {
	t.Helper()
	got = &[]seen{}
	var mu sync.Mutex // a request that was cut off is repeated before the first one has ended
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		*got = append(*got, seen{r.Method, r.RequestURI, string(b), r.Header.Clone()})
		mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"fine":true}`)
}

const twoArguments = `{"type":"object","properties":{"id":{"type":"string"},"note":{"type":"string"}},"required":["id"]}`

func define(method, url string) Definition {
	return Definition{Name: "orders", Description: "d", Parameters: json.RawMessage(twoArguments), Effect: tool.Sends, Method: method, URL: url, Timeout: 5 * time.Second, MaxBytes: 4096}
}

func tooled(t *testing.T, d Definition, c credential.Credential) *Tool {
	t.Helper()
	if field, message := d.Check(loopback, c); field != "" {
		t.Fatalf("%s %s", field, message)
	}
	made, err := New(d, c, testClient(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func call(arguments string) tool.Call {
	return tool.Call{ID: "call_1", RunID: "run_1", TenantID: "ten_1", Arguments: json.RawMessage(arguments)}
}

// TestWhereArgumentsGo: into the path, then into the query of GET and DELETE or the JSON body of the others, with an idempotency key where something may be done.
func TestWhereArgumentsGo(t *testing.T) {
	base, got := endpoint(t, ok)
	for _, c := range []struct{ method, url, arguments, uri, body, key string }{
		{"GET", "/orders/{id}", `{"id":"7"}`, "/orders/7", "", ""},
		{"GET", "/orders/{id}?lang=de", `{"id":"7","note":"a&b=c d"}`, "/orders/7?lang=de&note=a%26b%3Dc+d", "", ""},
		{"GET", "/orders/{id}", `{"id":"a/b?c#d;e%2f ü"}`, "/orders/a%2Fb%3Fc%23d%3Be%252f%20%C3%BC", "", ""},
		{"GET", "/orders/{id}", `{"id":"1","note":["x","y"],"more":{"a":1},"none":null}`, "/orders/1?more=%7B%22a%22%3A1%7D&note=x&note=y", "", ""},
		{"GET", "/v{id}/x-{id}.json", `{"id":"..a"}`, "/v..a/x-..a.json", "", ""},
		{"DELETE", "/orders/{id}", `{"id":"7","note":"x"}`, "/orders/7?note=x", "", "run_1/call_1"},
		{"POST", "/orders", `{"id":"7","note":"x"}`, "/orders", `{"id":"7","note":"x"}`, "run_1/call_1"},
		{"PUT", "/orders/{id}", `{"id":9007199254740993,"note":"x"}`, "/orders/9007199254740993", `{"note":"x"}`, "run_1/call_1"},
		{"PATCH", "/orders/{id}?x=1", `{"id":"7","big":9007199254740993}`, "/orders/7?x=1", `{"big":9007199254740993}`, "run_1/call_1"},
		{"GET", "", `{"id":"7"}`, "/?id=7", "", ""},
	} {
		*got = nil
		res, err := tooled(t, define(c.method, base+c.url), credential.Credential{Kind: credential.None}).Call(t.Context(), call(c.arguments))
		if err != nil || !strings.Contains(res.Text, `HTTP 200 OK`) || !strings.Contains(res.Text, `{"fine":true}`) {
			t.Errorf("%s %s: %v %v", c.method, c.url, res, err)
			continue
		}
		g := (*got)[0]
		if g.method != c.method || g.uri != c.uri || g.body != c.body || g.header.Get("Idempotency-Key") != c.key {
			t.Errorf("%s %s %s: got %s %s %q, key %q", c.method, c.url, c.arguments, g.method, g.uri, g.body, g.header.Get("Idempotency-Key"))
		}
		if len(res.Taints) != 1 || res.Taints[0] != (tool.Taint{Kind: tool.FromWebhook, Source: "orders"}) {
			t.Errorf("taints: %v", res.Taints)
		}
	}
}

// TestNoWayOutOfThePath: no value of an argument leads to another path, host or query, whatever the endpoint decodes.
func TestNoWayOutOfThePath(t *testing.T) {
	base, got := endpoint(t, ok)
	made := tooled(t, define("GET", base+"/orders/{id}/items"), credential.Credential{Kind: credential.None})
	for _, v := range []string{`".."`, `"."`, `"../admin"`, `"..\\admin"`, `"a/../../admin"`, `"%2e%2e"`, `"%2e%2e%2fadmin"`, `"%252e%252e%252fadmin"`, `"..;/admin"`, `"..;x"`, `""`,
		`"a\u0000b"`, `"a\nb"`, `"a\r\nHost: evil"`, `null`, `{"a":1}`, `[".."]`, `"` + strings.Repeat("x", 2_000) + `"`} {
		if res, err := made.Call(t.Context(), call(`{"id":`+v+`}`)); err == nil {
			t.Errorf("%s was sent: %v", v, res)
		}
	}
	if len(*got) != 0 {
		t.Fatalf("the endpoint got %v", *got)
	}
	for _, v := range []string{`"@evil.example"`, `"//evil.example"`, `"http://evil.example/"`, `"?a=b"`, `"#f"`, `":80"`, `"…"`, `true`, `-1.5e3`, `"...x"`, `" "`} {
		*got = nil
		if _, err := made.Call(t.Context(), call(`{"id":`+v+`}`)); err != nil {
			t.Errorf("%s: %v", v, err)
			continue
		}
		if u := (*got)[0].uri; !strings.HasPrefix(u, "/orders/") || !strings.HasSuffix(u, "/items") || strings.Count(u, "/") != 3 || strings.ContainsAny(u, "?#") {
			t.Errorf("%s became %s", v, u)
		}
	}
	two := define("GET", base+"/x/{id}{note}")
	two.Parameters = json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"},"note":{"type":"string"}},"required":["id","note"]}`)
	if _, err := tooled(t, two, credential.Credential{Kind: credential.None}).Call(t.Context(), call(`{"id":"a.","note":"b"}`)); err != nil {
		t.Error(err)
	}
	two.URL = base + "/x/.{id}"
	two.Parameters = json.RawMessage(twoArguments)
	if _, err := tooled(t, two, credential.Credential{Kind: credential.None}).Call(t.Context(), call(`{"id":".x"}`)); err != nil {
		t.Error(err)
	}
	for _, v := range []string{`"."`, `"./.."`, `".;a"`} {
		if _, err := tooled(t, two, credential.Credential{Kind: credential.None}).Call(t.Context(), call(`{"id":`+v+`}`)); err == nil {
			t.Errorf(".%s climbs", v)
		}
	}
}

// TestFixedParameters: the model cannot send a parameter that the tenant fixed, or the secret's.
func TestFixedParameters(t *testing.T) {
	base, got := endpoint(t, ok)
	d := define("GET", base+"/orders/{id}?account=5")
	made := tooled(t, d, credential.Credential{Kind: credential.Query, Name: "key", Secret: secret})
	for _, a := range []string{`{"id":"1","account":"6"}`, `{"id":"1","key":"x"}`} {
		if _, err := made.Call(t.Context(), call(a)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", a, err)
		}
	}
	if _, err := made.Call(t.Context(), call(`{"id":"1"}`)); err != nil || len(*got) != 1 || (*got)[0].uri != "/orders/1?account=5&key="+secret {
		t.Errorf("%v %v", *got, err)
	}
	d.Parameters = json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"},"account":{"type":"string"}},"required":["id"]}`)
	if field, _ := d.Check(loopback, credential.Credential{Kind: credential.None}); field != "parameters" {
		t.Error("a schema may name what the URL fixes")
	}
}

// TestSecret: each kind is sent as it should be, to the endpoint's host alone, and shows up nowhere in what the model gets.
func TestSecret(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, r.RequestURI+" "+r.Header.Get("Authorization")+" "+r.Header.Get("X-Key"))
	}
	base, got := endpoint(t, echo)
	for _, c := range []struct {
		credential credential.Credential
		sent       func(seen) string
		want       string
	}{
		{credential.Credential{Kind: credential.Bearer, Secret: secret}, func(s seen) string { return s.header.Get("Authorization") }, "Bearer " + secret},
		{credential.Credential{Kind: credential.Header, Name: "X-Key", Secret: secret}, func(s seen) string { return s.header.Get("X-Key") }, secret},
		{credential.Credential{Kind: credential.Query, Name: "key", Secret: secret}, func(s seen) string { return s.uri }, "/orders/1?key=" + secret},
		{credential.Credential{Kind: credential.Basic, Secret: "anna:" + secret}, func(s seen) string { return s.header.Get("Authorization") }, "Basic YW5uYTpzM2NyM3Qtb2YtdGhlLXRlbmFudC0wMDQy"},
	} {
		*got = nil
		res, err := tooled(t, define("GET", base+"/orders/{id}"), c.credential).Call(t.Context(), call(`{"id":"1"}`))
		if err != nil || c.sent((*got)[0]) != c.want {
			t.Errorf("%s: sent %q, %v", c.credential.Kind, c.sent((*got)[0]), err)
		}
		if strings.Contains(res.Text, secret) || strings.Contains(res.Text, "YW5uYTpz") || !strings.Contains(res.Text, "[secret]") {
			t.Errorf("%s: the model reads %s", c.credential.Kind, res.Text)
		}
	}
}

// TestRedirects: within the host they are followed with the secret, off it the call is refused and the other host never sees the secret.
func TestRedirects(t *testing.T) {
	elsewhere, stolen := endpoint(t, ok)
	var to string
	base, got := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/orders/") {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		ok(w, r)
	})
	c := credential.Credential{Kind: credential.Bearer, Secret: secret}
	made := tooled(t, define("POST", base+"/orders/{id}"), c)
	to = "/new"
	if _, err := made.Call(t.Context(), call(`{"id":"1"}`)); err != nil || len(*got) != 2 || (*got)[1].header.Get("Authorization") == "" {
		t.Errorf("within the host: %v %v", *got, err)
	}
	for _, to = range []string{elsewhere + "/x?token=zzz", strings.Replace(base, "http:", "https:", 1) + "/x", strings.Replace(base, "127.0.0.1", "localhost", 1) + "/x", "//" + strings.TrimPrefix(elsewhere, "http://")} {
		_, err := made.Call(t.Context(), call(`{"id":"1"}`))
		var refused *Refused
		if !errors.As(err, &refused) || strings.Contains(err.Error(), "zzz") || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if len(*stolen) != 0 {
		t.Errorf("the other host got %v", *stolen)
	}
	to = "/orders/1"
	if _, err := made.Call(t.Context(), call(`{"id":"1"}`)); err == nil || !strings.Contains(err.Error(), "redirects too often") {
		t.Errorf("a circle: %v", err)
	}
}

// TestAnswers: the model reads the status with a text; HTML without its marks, what is no text by name, and of what is endless a piece.
func TestAnswers(t *testing.T) {
	var kind, body string
	status := 200
	base, _ := endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	made := tooled(t, define("GET", base+"/orders/{id}"), credential.Credential{Kind: credential.None})
	for _, c := range []struct {
		status               int
		kind, body, has, not string
	}{
		{200, "application/problem+json", `{"a":1}`, `{"a":1}`, ""},
		{404, "application/json", `{"error":"no such order"}`, "HTTP 404 Not Found\n\n{\"error\":\"no such order\"}", ""},
		{500, "text/plain; charset=utf-8", "broken \xff", "HTTP 500 Internal Server Error\n\nbroken \uFFFD", ""},
		{200, "text/html; charset=utf-8", "<html><head><script>alert(1)</script><style>x</style></head><body><h1>Title</h1><p>Some <b>bold</b> text</p></body></html>", "# Title", "alert(1)"},
		{200, "text/plain; charset=ISO-8859-1", "gr\xfc\xdfe", "grüße", ""},
		{200, "image/png", "\x89PNG\r\n", "[the body is image/png, 6 bytes, which is not text]", "PNG\r"},
		{200, "", "just words", "just words", ""},
		{204, "text/plain", "", "HTTP 204 No Content\n\n[no body]", ""},
		{200, "text/plain", strings.Repeat("x", maxRead+10), "its end is left out", ""},
	} {
		status, kind, body = c.status, c.kind, c.body
		res, err := made.Call(t.Context(), call(`{"id":"1"}`))
		if err != nil || !strings.Contains(res.Text, c.has) || c.not != "" && strings.Contains(res.Text, c.not) || len(res.Text) > maxRead+200 {
			t.Errorf("%d %s: %.300s %v", c.status, c.kind, res.Text, err)
		}
	}
}

// TestFailures are told in words for the model, which hold neither the address nor the secret.
func TestFailures(t *testing.T) {
	hang := make(chan struct{})
	base, _ := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") == "" {
			panic(http.ErrAbortHandler)
		}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	defer close(hang)
	dead := httptest.NewServer(http.HandlerFunc(ok))
	dead.Close()
	c := credential.Credential{Kind: credential.Query, Name: "key", Secret: secret}
	check := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
			return
		}
		for _, bad := range []string{secret, "127.0.0.1", "?", "http:"} {
			if strings.Contains(err.Error(), bad) {
				t.Errorf("%s: %v holds %s", what, err, bad)
			}
		}
	}
	_, err := tooled(t, define("GET", base+"/{id}"), c).Call(t.Context(), call(`{"id":"1"}`))
	check("cut off", err, "could not be reached")
	_, err = tooled(t, define("GET", dead.URL+"/{id}"), c).Call(t.Context(), call(`{"id":"1"}`))
	check("nobody there", err, "no connection")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = tooled(t, define("POST", base+"/{id}"), c).Call(ctx, call(`{"id":"1"}`))
	check("too slow", err, "did not answer in time")
	made, err := New(define("GET", base+"/{id}"), c, testClient(t), func(context.Context) error { return errors.New("not any more") })
	if err != nil {
		t.Fatal(err)
	}
	_, err = made.Call(t.Context(), call(`{"id":"1"}`))
	check("refused before", err, "not any more")
	_, err = tooled(t, define("GET", base+"/{id}"), c).Call(t.Context(), call(`[1]`))
	check("no object", err, "not a JSON object")
}

// TestCheck: definitions that could lead elsewhere are refused with the field at fault.
func TestCheck(t *testing.T) {
	none := credential.Credential{Kind: credential.None}
	for url, want := range map[string]string{
		"https://api.example.com/orders/{id}":  "",
		"https://api.example.com:8443/{id}?a=": "",
		"http://127.0.0.1:80/{id}":             "",
		"http://[::1]/{id}":                    "",
		"http://10.0.0.1/{id}":                 "url", // not allowed in this test
		"http://localhost/{id}":                "url", // a name, which may lead elsewhere tomorrow
		"http://api.example.com/{id}":          "url",
		"ftp://api.example.com/{id}":           "url",
		"https://{id}.example.com/":            "url",
		"https://{id}/":                        "url",
		"https://api.example.com{id}/":         "url",
		"https://api.example.com:{id}/":        "url",
		"{id}://api.example.com/":              "url",
		"https://api.example.com/?q={id}":      "url",
		"https://api.example.com/#{id}":        "url",
		"https://api.example.com/{id}#x":       "url",
		"https://anna:pw@api.example.com/{id}": "url",
		"https://anna@api.example.com/{id}":    "url",
		"https://api.example.com/../{id}":      "url",
		"https://api.example.com/%2e%2e/{id}":  "url",
		"https://api.example.com/a\\b/{id}":    "url",
		"https://api.example.com/a b/{id}":     "url",
		"https://api.example.com/{id":          "url",
		"https://api.example.com/{}":           "url",
		"https:///{id}":                        "url",
		"api.example.com/{id}":                 "url",
		"":                                     "url",
		"https://api.example.com/{note}":       "parameters", // not required
		"https://api.example.com/{other}":      "parameters",
	} {
		if field, message := define("GET", url).Check(loopback, none); field != want {
			t.Errorf("%s: %s %s", url, field, message)
		}
	}
	d := define("TRACE", "https://api.example.com/{id}")
	if field, _ := d.Check(loopback, none); field != "method" {
		t.Errorf("TRACE: %s", field)
	}
	d = define("GET", "http://127.0.0.1/{id}")
	if field, _ := d.Check(nil, none); field != "url" {
		t.Errorf("http where nothing private is allowed: %s", field)
	}
	d = define("GET", "https://api.example.com/{id}")
	d.Parameters = json.RawMessage(`{"type":"object","properties":{"id":{"type":"object"}},"required":["id"]}`)
	if field, _ := d.Check(nil, none); field != "parameters" {
		t.Errorf("an object in the path: %s", field)
	}
}
