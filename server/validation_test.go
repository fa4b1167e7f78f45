package server

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/config"
)

// TestEveryBadFieldAtOnce: one answer names all that is wrong, on the dialect's route with 400 and on ours with 422.
func TestEveryBadFieldAtOnce(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	for _, c := range []struct {
		name   string
		req    request
		status int
		fields []string
	}{
		{"chat", post(acme.Key, `{"messages":[{"role":"nobody","content":7},{"role":"tool","content":"x"},{"role":"user"},{"role":"assistant","tool_calls":[{"function":{"arguments":{}}}]},5,{"role":"user","content":[{"text":"x"}]}],
			"temperature":9,"top_p":"x","n":3,"max_tokens":-1,"stop":[1],"stream":"yes","tools":[{"type":"x"},{"type":"function","function":{"parameters":[]}}],"user":{},"functions":[],"stream_options":{"include_usage":1}}`), 400, []string{
			"functions", "max_tokens", "messages[0].content", "messages[0].role", "messages[1].tool_call_id", "messages[2].content", "messages[3].tool_calls[0].function.arguments",
			"messages[3].tool_calls[0].function.name", "messages[3].tool_calls[0].id", "messages[4]", "messages[5].content[0].type", "n", "stop", "stream", "stream_options.include_usage",
			"temperature", "tools[0].function", "tools[0].type", "tools[1].function.name", "tools[1].function.parameters", "top_p", "user"}},
		{"chat without anything", post(acme.Key, `{}`), 400, []string{"messages"}},
		{"chat without a model", post(acme.Key, `{"messages":[{"role":"user","content":"x"}]}`), 400, []string{"model"}},
		{"tenant", request{Method: "POST", Path: "/admin/tenants", Key: r.admin, Body: `{"name":"","tier":"gold","settings":{"monthly_tokens":-1,"default_model":7,"monthly_token":1},"nmae":"x"}`}, 422,
			[]string{"name", "nmae", "settings.default_model", "settings.monthly_token", "settings.monthly_tokens", "tier"}},
		{"key", request{Method: "POST", Path: "/v1/keys", Key: acme.Key, Body: `{"scopes":["chat:read","all"],"expires_at":"2001-01-01T00:00:00Z"}`}, 422, []string{"expires_at", "scopes[0]", "scopes[1]"}},
		{"widget", request{Method: "POST", Path: "/admin/tenants/acme/widgets", Key: r.admin, Body: `{"origins":["http://example.com","https://a.com/path"],"settings":{"color":"#12345"}}`}, 422, []string{"settings.color"}},
		{"session", request{Method: "POST", Path: "/v1/sessions", Key: acme.Key, Body: `{"titel":"x","metadata":{"a":1},"model":false}`}, 422, []string{"metadata.a", "model", "titel"}},
		{"query", request{Path: "/v1/sessions?limit=0&cursor=x", Key: acme.Key}, 422, []string{"limit"}},
		{"unknown query", request{Path: "/v1/sessions?limti=3", Key: acme.Key}, 422, []string{"limti"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := r.want(c.status, c.req, nil)
			a.envelope(t)
			p := a.problem(t)
			var got []string
			for _, d := range p.Details {
				got = append(got, d.Field)
				if d.Message == "" {
					t.Errorf("%s without a reason", d.Field)
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != strings.Join(c.fields, " ") {
				t.Errorf("fields\n got %q\nwant %q", got, c.fields)
			}
			if p.Param == nil || !slices.Contains(c.fields, *p.Param) {
				t.Errorf("param: %v", p.Param)
			}
		})
	}
}

// TestMalformed: what no parser should accept is 400 on every operation that takes a body, and never more than a moment's work.
func TestMalformed(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	ses := r.session(acme.Key, nil)
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	bodies := []struct {
		name, body, has string
		status          int
	}{
		{"cut", `{"title":"x`, "JSON", 400},
		{"two values", `{"title":"x"}{}`, "JSON", 400},
		{"trailing text", `{"title":"x"} x`, "JSON", 400},
		{"the same field twice", `{"title":"x","title":"y"}`, "twice", 400},
		{"the same field twice, one escaped", `{"title":"x","\u0074itle":"y"}`, "twice", 400},
		{"twice further down", `{"metadata":{"a":"1","b":"2","a":"3"}}`, "twice", 400},
		{"nested deep", strings.Repeat("[", 250) + strings.Repeat("]", 250), "deep", 400},
		{"nested very deep", deep, "JSON", 400},
		{"400,000 elements", `[` + strings.Repeat("1,", 400_000) + `1]`, "", 422},
		{"a million elements", `[` + strings.Repeat("1,", 1_000_000) + `1]`, "", 413},
		{"NaN", `{"title":NaN}`, "JSON", 400},
		{"a lone surrogate", `{"title":"\ud800"}`, "", 200},
		{"a zero byte", `{"title":"a\u0000b"}`, "zero byte", 400},
		{"broken UTF-8", "{\"title\":\"\xff\"}", "", 200},
	}
	for _, b := range bodies {
		t.Run(b.name, func(t *testing.T) {
			start := time.Now()
			a := r.do(request{Method: "PATCH", Path: "/v1/sessions/" + ses, Key: acme.Key, Body: b.body})
			if a.status != b.status || !strings.Contains(string(a.body), b.has) {
				t.Errorf("status %d, want %d: %.300s", a.status, b.status, a.body)
			}
			if took := time.Since(start); took > 10*time.Second { // milliseconds on an idle machine
				t.Errorf("took %s", took)
			}
			if a.status == 200 && !json.Valid(a.body) {
				t.Errorf("answer is not JSON: %s", a.body)
			}
		})
		t.Run(b.name+" in chat", func(t *testing.T) {
			want := 400
			if a := r.do(post(acme.Key, b.body)); a.status != want {
				t.Errorf("status %d: %.300s", a.status, a.body)
			}
		})
	}
}

// TestUnknownField: our own operations refuse it and name the nearest, also after the description has been published.
func TestUnknownField(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	for range 2 {
		for _, c := range []struct{ path, body, near string }{
			{"/v1/sessions", `{"titel":"x"}`, "title"},
			{"/v1/sessions", `{"sytem_prompt":"x"}`, "system_prompt"},
			{"/v1/keys", `{"scope":[]}`, "scopes"},
			{"/v1/keys", `{"expires":"x"}`, ""},
		} {
			p := r.want(422, request{Method: "POST", Path: c.path, Key: acme.Key, Body: c.body}, nil).problem(t)
			if p.Code != "validation_failed" || len(p.Details) != 1 || !strings.HasPrefix(p.Details[0].Message, "unknown field") ||
				c.near != "" && !strings.HasSuffix(p.Details[0].Message, "did you mean "+c.near+"?") {
				t.Errorf("%s: %+v", c.body, p)
			}
		}
		r.want(200, request{Path: "/openapi.json"}, nil)
		r.want(200, request{Path: "/openapi.yaml"}, nil)
	}
}

// TestEveryOperationWithOddBodies: no body, null, a list, a text and an empty object never make a 500, on any operation.
func TestEveryOperationWithOddBodies(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	for _, op := range r.s.api.Operations() {
		path := fillPath(op.Path, map[string]string{"tenant": acme.ID, "session": "ses_x", "run": "run_x", "key": "key_x", "widget": "wgt_x", "model": "lab/x"})
		key := acme.Key
		if strings.HasPrefix(path, "/admin") {
			key = r.admin
		}
		for _, body := range []any{nil, "", "null", "[]", `"x"`, "{}", "0", `{"a":null}`} {
			a := r.do(request{Method: op.Method, Path: path, Key: key, Body: body, Header: map[string]string{"Idempotency-Key": fmt.Sprint(op.OperationID, body)}})
			if a.status >= 500 {
				t.Errorf("%s %s with %v: %d %s", op.Method, path, body, a.status, a.body)
			}
			if a.status >= 400 {
				a.envelope(t)
			}
		}
		if op.Method == "DELETE" && strings.HasSuffix(path, acme.ID) {
			acme = r.tenant("acme", nil) // it is gone now
		}
	}
}

// fillPath puts values for the names in a path pattern.
func fillPath(path string, values map[string]string) string {
	for name, v := range values {
		path = strings.NewReplacer("{"+name+"}", v, "{"+name+"...}", v).Replace(path)
	}
	return path
}

// TestNumbers: token limits that are no sensible whole number are refused and never cost anything.
func TestNumbers(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", map[string]any{"monthly_tokens": 1000})
	for _, n := range []string{"-1", "0", "1e18", "9223372036854775808", "1.5", `"100"`, "true", "1e400", "-9223372036854775808", "[1]"} {
		for _, field := range []string{"max_tokens", "max_completion_tokens"} {
			a := r.do(post(acme.Key, fmt.Sprintf(`{"model":"lab/x","messages":[{"role":"user","content":"x"}],%q:%s}`, field, n)))
			if a.status != 400 {
				t.Errorf("%s %s: %d %s", field, n, a.status, a.body)
			}
		}
		if a := r.do(request{Method: "PATCH", Path: "/admin/tenants/acme", Key: r.admin, Body: `{"settings":{"monthly_tokens":` + n + `}}`}); a.status >= 500 || a.status == 200 && n != "0" && n != "1e18" {
			t.Errorf("monthly_tokens %s: %d %s", n, a.status, a.body)
		}
	}
	for _, p := range r.periods() {
		if p.Used != 0 || p.Reserved != 0 {
			t.Errorf("refused requests cost %+v", p)
		}
	}
}

// TestEndlessBody: a body without an end is cut at the limit, and one that says another length than it has is no way around it.
func TestEndlessBody(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.MaxBodyBytes = 1 << 20 })
	acme := r.tenant("acme", nil)
	for _, key := range []string{"", "again"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nIdempotency-Key: %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", acme.Key, key)
		answered := make(chan string, 1)
		go func() {
			b := make([]byte, 4096)
			n, _ := conn.Read(b)
			answered <- string(b[:n])
		}()
		chunk := fmt.Sprintf("10000\r\n%s\r\n", strings.Repeat(" ", 0x10000))
		sent := 0
		for _, err = conn.Write([]byte(chunk)); err == nil && sent < 64<<20; _, err = conn.Write([]byte(chunk)) {
			sent += 0x10000
			if len(answered) > 0 {
				break
			}
		}
		if got := await(t, "an answer", answered); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
			t.Errorf("key %q: after %d bytes: %.200s", key, sent, got)
		}
	}
}
