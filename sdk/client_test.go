package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// serve answers with handler and gives a client of it.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	c, err := New(Config{BaseURL: srv.URL + "/", APIKey: "clw_sk_test", UserAgent: "test/1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestRequests(t *testing.T) {
	var seen *http.Request
	var body string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen, body = r, string(b)
		w.Header().Set("ETag", `"7"`)
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		reply(w, http.StatusOK, `{"id":"x","name":"acme"}`)
	})
	ctx := t.Context()
	var header http.Header
	got, err := c.UpdateTenant(ctx, "acme", &UpdateTenantParams{IfMatch: `"6"`}, UpdateTenantRequest{Name: new("acme2")}, WithResponseHeader(&header), WithHeader("X-Trace", "1"))
	if err != nil || got.Name != "acme" || header.Get("ETag") != `"7"` {
		t.Fatalf("%+v, %v, %v", got, err, header)
	}
	if seen.Method != http.MethodPatch || seen.RequestURI != "/admin/tenants/acme" || body != `{"name":"acme2"}` {
		t.Errorf("%s %s %s", seen.Method, seen.RequestURI, body)
	}
	for name, want := range map[string]string{"Authorization": "Bearer clw_sk_test", "User-Agent": "test/1", "If-Match": `"6"`, "X-Trace": "1",
		"Content-Type": "application/json", "Accept": "application/json"} {
		if seen.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, seen.Header.Get(name), want)
		}
	}
	if err := c.DeleteSession(ctx, "ses_1"); err != nil || seen.Method != http.MethodDelete || seen.RequestURI != "/v1/sessions/ses_1" || body != "" {
		t.Errorf("%v: %s %s %q", err, seen.Method, seen.RequestURI, body)
	}
	if _, err := c.GetModel(ctx, "openai/gpt 4?"); err != nil || seen.RequestURI != "/v1/models/openai%2Fgpt%204%3F" {
		t.Errorf("%v: %s", err, seen.RequestURI)
	}
	if _, err := c.ListSessions(ctx, &ListSessionsParams{Limit: 7, User: "a&b=c"}); err != nil || seen.RequestURI != "/v1/sessions?limit=7&user=a%26b%3Dc" {
		t.Errorf("%v: %s", err, seen.RequestURI)
	}
	if _, err := c.CreateKey(ctx, CreateKeyRequest{}, WithIdempotencyKey("k1")); err != nil || seen.Header.Get("Idempotency-Key") != "k1" || body != "{}" {
		t.Errorf("%v: %v %s", err, seen.Header, body)
	}
}

// TestZeroIsSent: what may be absent and zero both must be sent when it is zero, and nothing else must.
func TestZeroIsSent(t *testing.T) {
	req := ChatRequest{Model: "m", Messages: []ChatMessage{{Role: MessageRoleUser, Content: Text("<hi> & \u2028")}, {Role: MessageRoleAssistant}}, Temperature: new(0.0),
		Seed: new(int64(0)), ParallelToolCalls: new(false), Stop: []string{"x"}, ToolChoice: "none"}
	settings := UpdateTenantRequest{Settings: &TenantSettingsInput{MonthlyTokens: new(int64(0)), SystemPrompt: new(""), AllowedTools: []string{}}}
	for _, c := range []struct {
		v    any
		want string
	}{
		{req, `{"model":"m","messages":[{"role":"user","content":"<hi> & ` + "\u2028" + `"},{"role":"assistant"}],"tool_choice":"none","parallel_tool_calls":false,"temperature":0,"stop":["x"],"seed":0}`},
		{settings, `{"settings":{"system_prompt":"","allowed_tools":[],"monthly_tokens":0}}`},
		{UpdateSessionRequest{Metadata: map[string]string{}}, `{"metadata":{}}`},
		{CreateTenantRequest{Name: "acme"}, `{"name":"acme"}`},
	} {
		b, err := json.Marshal(c.v)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if json.Unmarshal(b, &got) != nil || json.Unmarshal([]byte(c.want), &want) != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %s\nwant %s", b, c.want)
		}
	}
}

func TestWrongArguments(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	for _, id := range []string{"", ".", ".."} {
		if err := c.DeleteTenant(t.Context(), id); err == nil || !strings.Contains(err.Error(), "tenant") {
			t.Errorf("%q: %v", id, err)
		}
	}
	refused := errors.New("no")
	if _, err := c.GetUsage(t.Context(), nil, WithEditor(func(*http.Request) error { return refused })); !errors.Is(err, refused) {
		t.Error(err)
	}
	const secret = "clw_sk_oops"
	for _, cfg := range []Config{{}, {BaseURL: "localhost:8787"}, {BaseURL: "ftp://x"}, {BaseURL: "http://"}, {BaseURL: "http://me:" + secret + "@x"}, {BaseURL: "http://x?a"},
		{BaseURL: "http://x", APIKey: secret + "\n"}, {BaseURL: "http://x", APIKey: "a " + secret}, {BaseURL: "ht tp://" + secret + "@x"}} {
		if _, err := New(cfg); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestErrors(t *testing.T) {
	answers := map[string]func(http.ResponseWriter){
		"full": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "3")
			reply(w, 422, `{"error":{"message":"name: too long","type":"invalid_request_error","param":"name","code":"validation_failed","details":[{"field":"name","message":"too long"}],"request_id":"req_1"}}`)
		},
		"short": func(w http.ResponseWriter) {
			w.Header().Set("X-Request-Id", "req_2")
			reply(w, 404, `{"error":{"message":"no","type":"t","param":null,"code":null}}`)
		},
		"html": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<h1>secret host</h1>")
		},
		"page":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>hello") },
		"cut":   func(w http.ResponseWriter) { w.Header().Set("Content-Length", "100"); reply(w, 200, `{"data":[`) },
		"wrong": func(w http.ResponseWriter) { reply(w, 200, `{"data":7}`) },
		"late": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			reply(w, 503, `{}`)
		},
	}
	var now string
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { answers[now](w) })
	get := func(name string) (*Error, error) {
		now = name
		_, err := c.ListKeys(t.Context(), nil)
		var e *Error
		errors.As(err, &e)
		return e, err
	}
	if e, _ := get("full"); e == nil || fmt.Sprint(*e) != fmt.Sprint(Error{422, "validation_failed", "invalid_request_error", "name: too long", "name", []Detail{{"name", "too long"}}, "req_1", 3 * time.Second}) ||
		e.Error() != "422 validation_failed: name: too long" {
		t.Errorf("full: %+v", e)
	}
	if e, _ := get("short"); e == nil || e.Status != 404 || e.Message != "no" || e.RequestID != "req_2" || e.Param != "" || e.Code != "" {
		t.Errorf("short: %+v", e)
	}
	if e, _ := get("html"); e == nil || e.Status != 502 || strings.Contains(e.Message, "secret") || !strings.Contains(e.Message, "502 Bad Gateway") {
		t.Errorf("html: %+v", e)
	}
	if e, _ := get("page"); e == nil || e.Status != 200 || !strings.Contains(e.Message, "is it a Clawless server?") {
		t.Errorf("page: %+v", e)
	}
	if e, err := get("cut"); e != nil || !errors.Is(err, ErrBroken) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %v", err)
	}
	if e, err := get("wrong"); e != nil || !errors.Is(err, ErrMalformed) {
		t.Errorf("wrong: %v", err)
	}
	if e, _ := get("late"); e == nil || e.RetryAfter < 59*time.Minute || e.RetryAfter > time.Hour {
		t.Errorf("late: %+v", e)
	}
}

func TestPages(t *testing.T) {
	var cursors []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		at := r.URL.Query().Get("cursor")
		cursors = append(cursors, at+"/"+r.URL.Query().Get("limit"))
		switch at {
		case "":
			reply(w, 200, `{"data":[{"id":"1"},{"id":"2"}],"has_more":true,"next_cursor":"a"}`)
		case "a":
			reply(w, 200, `{"data":[],"has_more":true,"next_cursor":"b"}`)
		case "b":
			reply(w, 200, `{"data":[{"id":"3"}],"has_more":false,"next_cursor":null}`)
		case "broken":
			reply(w, 200, `{"data":[{"id":"4"}],"has_more":true,"next_cursor":"gone"}`)
		default:
			reply(w, 400, `{"error":{"message":"cursor","type":"t","param":"cursor","code":"invalid_request"}}`)
		}
	})
	read := func(params *ListTenantsParams, most int) (ids []string, err error) {
		for tenant, err := range c.ListTenantsAll(t.Context(), params) {
			if err != nil {
				return ids, err
			}
			if ids = append(ids, tenant.ID); len(ids) == most {
				break
			}
		}
		return ids, nil
	}
	params := &ListTenantsParams{Limit: 2}
	if ids, err := read(params, 0); err != nil || !slices.Equal(ids, []string{"1", "2", "3"}) || !slices.Equal(cursors, []string{"/2", "a/2", "b/2"}) || params.Cursor != "" {
		t.Errorf("%v, %v, %v", ids, err, cursors)
	}
	cursors = nil
	if ids, err := read(nil, 2); err != nil || len(ids) != 2 || len(cursors) != 1 {
		t.Errorf("a page was read for nobody: %v, %v, %v", ids, err, cursors)
	}
	if ids, err := read(&ListTenantsParams{Cursor: "b"}, 0); err != nil || !slices.Equal(ids, []string{"3"}) {
		t.Errorf("%v, %v", ids, err)
	}
	var failed *Error
	if ids, err := read(&ListTenantsParams{Cursor: "broken"}, 0); !errors.As(err, &failed) || failed.Param != "cursor" || len(ids) != 1 {
		t.Errorf("%v, %v", ids, err)
	}
}

func TestStreams(t *testing.T) {
	chunk := func(text string) string {
		return `{"choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}`
	}
	var body, kind string
	status := 200
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); r.Method == http.MethodPost && !strings.Contains(string(b), `"stream":true`) || r.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("asked with %s, accepts %s", b, r.Header.Get("Accept"))
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("X-Request-Id", "req_9")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	read := func() (text, id string, err error) {
		for chunk, err := range c.CreateChatCompletionStream(t.Context(), nil, ChatRequest{Model: "m"}, WithEventID(&id)) {
			if err != nil {
				return text, id, err
			}
			text += chunk.Choices[0].Delta.Content
		}
		return text, id, nil
	}
	kind = "text/event-stream; charset=utf-8"
	body = "retry: 1000\n\nid: 1\ndata: " + chunk("a") + "\n\nid: 2\ndata: " + chunk("b") + "\n\nid: 3\ndata: [DONE]\n\nid: 4\ndata: " + chunk("never") + "\n\n"
	if text, id, err := read(); text != "ab" || id != "2" || err != nil {
		t.Errorf("%q, %q, %v", text, id, err)
	}
	body = "data: " + chunk("a") + "\n\ndata: " + chunk("b")
	if text, _, err := read(); text != "a" || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, ErrBroken) {
		t.Errorf("%q, %v", text, err)
	}
	var failed *Error
	body = "data: " + chunk("a") + "\n\n" + `data: {"error":{"message":"lost it","type":"api_error","param":null,"code":"stream_broken"}}` + "\n\n"
	if text, _, err := read(); text != "a" || !errors.As(err, &failed) || failed.Code != "stream_broken" || failed.Status != 200 || failed.RequestID != "req_9" {
		t.Errorf("%q, %v", text, err)
	}
	body = "data: {\"choices\":\n\n"
	if _, _, err := read(); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	kind, body = "text/html", "<html>"
	if _, _, err := read(); !errors.As(err, &failed) || !strings.Contains(failed.Message, "is it a Clawless server?") {
		t.Error(err)
	}
	kind, status, body = "application/json", 429, `{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}`
	if _, _, err := read(); !errors.As(err, &failed) || failed.Status != 429 || failed.Code != "rate_limit_exceeded" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range c.StreamRun(ctx, "run_1", nil) {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func TestContent(t *testing.T) {
	strange := `[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{"data":"x"}},{"type":"text","text":7},{"type":"image_url","image_url":{"url":"data:,"}},{"type":"text","text":"b"}]`
	for in, text := range map[string]string{`"plain \u00fc"`: "plain ü", `null`: "", `[]`: "", strange: "ab"} {
		var m ChatMessage
		if err := json.Unmarshal([]byte(`{"role":"user","content":`+in+`}`), &m); err != nil {
			t.Fatal(in, err)
		}
		if m.Content.String() != text {
			t.Errorf("%s: %q", in, m.Content)
		}
		b, err := json.Marshal(m)
		if want := `{"role":"user","content":` + in + `}`; in != "null" && (err != nil || string(b) != want) {
			t.Errorf("%s, %v; want %s", b, err, want)
		}
	}
	for _, in := range []string{`7`, `{}`, `true`} {
		if json.Unmarshal([]byte(in), new(Content)) == nil {
			t.Error(in)
		}
	}
	var c Content
	if b, err := json.Marshal(c); string(b) != "null" || err != nil || !c.IsZero() || c.Parts() != nil {
		t.Errorf("%s, %v", b, err)
	}
	c = Parts(ContentPart{Type: "text", Text: "a<b"}, ContentPart{Type: "image_url", ImageURL: &ImageURL{URL: "https://x/y?a&b"}})
	if got := c.Parts(); len(got) != 2 || got[1].ImageURL.URL != "https://x/y?a&b" || c.String() != "a<b" {
		t.Errorf("%+v", got)
	}
	if got := Text("x").Parts(); len(got) != 1 || got[0].Text != "x" || Parts().IsZero() {
		t.Errorf("%+v", got)
	}
}
