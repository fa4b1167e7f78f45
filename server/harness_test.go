package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm/mock"
)

const (
	canary   = "quilted-zebra-7731" // stands in prompts, and nowhere in logs
	labKey   = "provider-secret-55aa-0192"
	patience = 20 * time.Second // for what is waited for; a busy machine is slow
)

// rig is one wired server on loopback, with a database of its own and an upstream that does what a test says.
type rig struct {
	t     testing.TB
	s     *Server
	db    *db.DB
	url   string
	admin string
	up    *upstream
	log   *logbook
	cfg   config.Settings
	http  *http.Client
	dirty bool // the test has made rows that no server settles

	mcp      string // the URL of an MCP server with one tool; empty until somebody needs it
	refusals int    // of providers, that the test has waited for
}

// each runs a test on a fresh rig over SQLite and, where there is one, over Postgres. adjust may be nil.
func each(t *testing.T, adjust func(*config.Settings), test func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { test(t, newRig(t, d, adjust)) })
}

// lite runs a test on SQLite alone, for what cannot differ between the engines.
func lite(t *testing.T, adjust func(*config.Settings)) *rig {
	t.Helper()
	t.Parallel()
	return newRig(t, dbtest.New(t), adjust)
}

func newRig(t testing.TB, d *db.DB, adjust func(*config.Settings)) *rig {
	t.Helper()
	r := &rig{t: t, db: d, up: newUpstream(t), log: &logbook{}, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	r.cfg = config.Default()
	r.cfg.Addr, r.cfg.DataDir, r.cfg.DiscoverOllama = "127.0.0.1:0", t.TempDir(), false
	r.cfg.Providers = map[string]config.Provider{"lab": {Driver: "openai", BaseURL: r.up.url + "/v1", APIKey: labKey}}
	r.cfg.AutoWeak, r.cfg.AutoStrong = "mock/small", "mock/large"
	r.cfg.ToolsAllowPrivate = []string{"127.0.0.0/8"}
	if adjust != nil {
		adjust(&r.cfg)
	}
	r.admin = r.log.secret(ids.NewSecret(ids.AdminKey))
	r.log.secret(labKey)
	r.log.secret(canary)
	t.Cleanup(r.check) // after every server has drained
	r.s, r.url = r.serve()
	if _, err := r.s.EnsureAdmin(t.Context(), r.admin); err != nil {
		t.Fatal(err)
	}
	return r
}

// serve wires a server over the rig's database and listens. Further ones are replicas.
func (r *rig) serve() (*Server, string) {
	r.t.Helper()
	s, err := New(r.cfg, r.db, "0.0.0-test", slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		r.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	srv := s.httpServer(s.api)
	go func() { _ = srv.Serve(ln) }()
	r.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // no patience: what still runs is ended
		s.cfg.DrainTimeout = 0
		s.drain(ctx, []*http.Server{srv})
	})
	return s, "http://" + ln.Addr().String()
}

// replica is a second server over the same database, seen by a client of its own.
func (r *rig) replica() *rig {
	own := *r
	own.s, own.url = r.serve()
	return &own
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
	path   string // that was asked for
}

// request describes one call. Key is a bearer credential; Body may be a string, raw bytes or anything that marshals.
type request struct {
	Method, Path, Key string
	Header            map[string]string
	Body              any
}

func (q request) make(ctx context.Context, t testing.TB, base string) *http.Request {
	t.Helper()
	var body io.Reader
	switch b := q.Body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	case []byte:
		body = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	method := q.Method
	if method == "" {
		method = "GET"
	}
	req, err := http.NewRequestWithContext(ctx, method, base+q.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if q.Key != "" {
		req.Header.Set("Authorization", "Bearer "+q.Key)
	}
	for k, v := range q.Header {
		if v == "" {
			req.Header.Del(k)
			continue
		}
		req.Header.Set(k, v)
	}
	return req
}

// do carries out a call and reads its answer.
func (r *rig) do(q request) reply {
	r.t.Helper()
	res, err := r.http.Do(q.make(r.t.Context(), r.t, r.url))
	if err != nil {
		r.t.Fatalf("%s %s: %v", q.Method, q.Path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatalf("%s %s: read: %v", q.Method, q.Path, err)
	}
	return reply{res.StatusCode, res.Header, body, q.Path}
}

// want carries out a call, demands its status and reads the answer into v unless that is nil.
func (r *rig) want(status int, q request, v any) reply {
	r.t.Helper()
	a := r.do(q)
	if a.status != status {
		r.t.Fatalf("%s %s: status %d, want %d: %s", q.Method, q.Path, a.status, status, a.body)
	}
	if v != nil {
		a.read(r.t, v)
	}
	return a
}

func (a reply) read(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("answer is not the expected JSON: %v: %s", err, a.body)
	}
}

// problem is the error envelope.
type problem struct {
	Message   string  `json:"message"`
	Type      string  `json:"type"`
	Param     *string `json:"param"`
	Code      string  `json:"code"`
	RequestID string  `json:"request_id"`
	Details   []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"details"`
}

func (a reply) problem(t testing.TB) problem {
	t.Helper()
	var e struct {
		Error *problem `json:"error"`
	}
	a.read(t, &e)
	if e.Error == nil {
		t.Fatalf("no error envelope: %d %s", a.status, a.body)
	}
	return *e.Error
}

// scenario is one literal call with what its answer must and must not hold.
type scenario struct {
	name   string
	req    request
	status int
	has    []string
	hasNot []string
}

func (r *rig) play(t *testing.T, list []scenario) {
	t.Helper()
	for _, sc := range list {
		t.Run(sc.name, func(t *testing.T) {
			own := *r
			own.t = t
			a := own.do(sc.req)
			if a.status != sc.status {
				t.Errorf("status %d, want %d: %s", a.status, sc.status, a.body)
			}
			for _, s := range sc.has {
				if !bytes.Contains(a.body, []byte(s)) {
					t.Errorf("answer lacks %q: %s", s, a.body)
				}
			}
			for _, s := range sc.hasNot {
				if bytes.Contains(a.body, []byte(s)) {
					t.Errorf("answer holds %q: %s", s, a.body)
				}
			}
			if a.status >= 400 {
				a.envelope(t)
			}
		})
	}
}

// envelope demands the four keys of OpenAI's error and our two, and the same request id in the header. Where Anthropic's dialect is spoken its two keys are around them.
func (a reply) envelope(t testing.TB) {
	t.Helper()
	var e struct {
		Type      string                     `json:"type"`
		Error     map[string]json.RawMessage `json:"error"`
		RequestID string                     `json:"request_id"`
	}
	a.read(t, &e)
	if path, _, _ := strings.Cut(a.path, "?"); path == "/v1/messages" || strings.HasPrefix(path, "/v1/messages/") {
		if e.Type != "error" || e.RequestID != a.header.Get("X-Request-Id") || !strings.HasSuffix(a.problem(t).Type, "_error") && a.status != 413 {
			t.Errorf("not a failure in Anthropic's form: %s", a.body)
		}
	} else if e.Type != "" || e.RequestID != "" {
		t.Errorf("a failure in Anthropic's form at %s: %s", path, a.body)
	}
	for _, k := range []string{"message", "type", "param", "code", "details", "request_id"} {
		if _, ok := e.Error[k]; !ok {
			t.Errorf("error envelope lacks %s: %s", k, a.body)
		}
	}
	if len(e.Error) != 6 {
		t.Errorf("error envelope has other keys: %s", a.body)
	}
	if got := a.problem(t); got.RequestID == "" || got.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("request id %q in the body, %q in the header", got.RequestID, a.header.Get("X-Request-Id"))
	}
	if ct := a.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("error has Content-Type %q", ct)
	}
}

// customer is a tenant with a key of all scopes.
type customer struct {
	ID, Name, Key, KeyID string
}

var allScopes = auth.Scopes

// tenant makes a tenant; settings may be nil.
func (r *rig) tenant(name string, settings map[string]any) customer {
	r.t.Helper()
	body := map[string]any{"name": name, "tier": "enterprise"}
	if settings != nil {
		body["settings"] = settings
	}
	c := customer{}
	r.want(201, request{Method: "POST", Path: "/admin/tenants", Key: r.admin, Body: body}, &c)
	c.KeyID, c.Key = r.key(c, allScopes...)
	return c
}

// key makes a key for the tenant with the scopes, or with the default ones.
func (r *rig) key(c customer, scopes ...string) (id, secret string) {
	r.t.Helper()
	var k struct{ ID, Key string }
	r.want(201, request{Method: "POST", Path: "/admin/tenants/" + c.ID + "/keys", Key: r.admin, Body: map[string]any{"scopes": scopes}}, &k)
	return k.ID, r.log.secret(k.Key)
}

// session makes a session with the tenant's key.
func (r *rig) session(key string, fields map[string]any) string {
	r.t.Helper()
	var s struct{ ID string }
	r.want(201, request{Method: "POST", Path: "/v1/sessions", Key: key, Body: mapOr(fields)}, &s)
	return s.ID
}

func mapOr(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// ask is the body of a chat call with one user message.
func ask(model, text string, more map[string]any) map[string]any {
	body := map[string]any{"model": model, "messages": []any{map[string]any{"role": "user", "content": text}}}
	maps.Copy(body, more)
	return body
}

func post(key string, body any) request {
	return request{Method: "POST", Path: "/v1/chat/completions", Key: key, Body: body}
}

// fast takes the waits out of the mock models.
func (r *rig) fast() {
	for _, p := range r.s.providers {
		if m, ok := p.(*mock.Provider); ok {
			m.Pace, m.SlowPace = 0, time.Millisecond
		}
	}
}

// eventually polls until ok holds and fails the test when that takes longer than limit.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, limit)
		case <-tick.C:
		}
	}
}

// await waits for a channel to be closed or to give something.
func await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		t.Fatalf("%s: nothing within %s", what, patience)
		panic("unreachable")
	}
}

// logbook keeps what the server logs and knows what must not be in it.
type logbook struct {
	mu      sync.Mutex
	text    bytes.Buffer
	secrets []string
}

// Write implements io.Writer.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// secret remembers a text that no log may hold, and returns it.
func (l *logbook) secret(s string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secrets = append(l.secrets, s)
	return s
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func sharedDB(t testing.TB) *db.DB { return dbtest.New(t) }
