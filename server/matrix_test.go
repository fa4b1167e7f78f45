package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/runs"
	tools "github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/mcp/mcptest"
	"github.com/clawless/clawless/server/tools/approvals"
)

// entrance says who may pass an operation. The matrix is made of it: every operation times every kind of caller. An operation without a row fails the test.
type entrance struct {
	who     string // operator, key, or page for those that check a publishable key themselves
	scope   string // that a key needs
	visitor bool   // whether a visitor may pass
	body    string // with %(name) for the ids of the world
	ok      int    // status for those who may
	inBody  bool   // the body names a tenant's own object
	instead string // the id of the world that stands for {session} or {run} here
}

var doors = map[string]entrance{
	"create-tenant":          {who: "operator", body: `{"name":"fresh"}`, ok: 201},
	"list-tenants":           {who: "operator", ok: 200},
	"get-tenant":             {who: "operator", ok: 200},
	"update-tenant":          {who: "operator", body: `{"tier":"pro"}`, ok: 200},
	"delete-tenant":          {who: "operator", ok: 204},
	"suspend-tenant":         {who: "operator", ok: 200},
	"activate-tenant":        {who: "operator", ok: 200},
	"create-tenant-key":      {who: "operator", body: `{}`, ok: 201},
	"list-tenant-keys":       {who: "operator", ok: 200},
	"revoke-tenant-key":      {who: "operator", ok: 204},
	"rotate-tenant-key":      {who: "operator", ok: 201},
	"create-widget":          {who: "operator", body: `{"origins":["https://a.example.com"]}`, ok: 201},
	"list-widgets":           {who: "operator", ok: 200},
	"delete-widget":          {who: "operator", ok: 204},
	"get-tenant-usage":       {who: "operator", ok: 200},
	"list-audit":             {who: "operator", ok: 200},
	"list-providers":         {who: "operator", ok: 200},
	"get-own-tenant":         {who: "key", scope: "tenant:read", ok: 200},
	"list-usage":             {who: "operator", ok: 200},
	"get-usage":              {who: "key", scope: "usage:read", ok: 200},
	"list-models":            {who: "key", scope: "models:read", ok: 200},
	"get-model":              {who: "key", scope: "models:read", ok: 200},
	"create-key":             {who: "key", scope: "keys:write", body: `{"scopes":["keys:write"]}`, ok: 201},
	"list-keys":              {who: "key", scope: "keys:read", ok: 200},
	"revoke-key":             {who: "key", scope: "keys:write", ok: 204},
	"rotate-key":             {who: "key", scope: "keys:write", ok: 201},
	"create-session":         {who: "key", scope: "sessions:write", visitor: true, ok: 201},
	"list-sessions":          {who: "key", scope: "sessions:read", visitor: true, ok: 200},
	"get-session":            {who: "key", scope: "sessions:read", visitor: true, ok: 200},
	"update-session":         {who: "key", scope: "sessions:write", visitor: true, body: `{"title":"t"}`, ok: 200},
	"delete-session":         {who: "key", scope: "sessions:write", visitor: true, ok: 204},
	"reset-session":          {who: "key", scope: "sessions:write", visitor: true, ok: 200},
	"list-messages":          {who: "key", scope: "sessions:read", visitor: true, ok: 200},
	"create-chat-completion": {who: "key", scope: "chat:write", visitor: true, body: `{"session_id":"%(session)","messages":[{"role":"user","content":"x"}]}`, ok: 200, inBody: true},
	"create-message":         {who: "key", scope: "chat:write", body: `{"model":"mock/echo","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, ok: 200},
	"count-message-tokens":   {who: "key", scope: "chat:write", body: `{"model":"mock/echo","messages":[{"role":"user","content":"x"}]}`, ok: 200},
	"create-response":        {who: "key", scope: "chat:write", body: `{"model":"mock/echo","input":"x"}`, ok: 200},
	"create-embedding":       {who: "key", scope: "chat:write", body: `{"model":"mock/embed","input":"x"}`, ok: 200},
	"explain-route":          {who: "key", scope: "chat:write", body: `{"model":"auto","session_id":"%(session)","messages":[{"role":"user","content":"x"}]}`, ok: 200, inBody: true},
	"replay-routes":          {who: "operator", body: `{"tenant":"%(tenant)","policy":{"weak_model":"mock/small","strong_model":"mock/large","strong_share":0.5}}`, ok: 200},
	"get-run":                {who: "key", scope: "chat:write", visitor: true, ok: 200},
	"stream-run":             {who: "key", scope: "chat:write", visitor: true, ok: 200},
	"cancel-run":             {who: "key", scope: "chat:write", visitor: true, ok: 200},
	"approve-run":            {who: "key", scope: "chat:write", visitor: true, body: `{"approval_id":"%(approval)","decision":"deny"}`, ok: 200, instead: "waiting"},
	"list-run-approvals":     {who: "key", scope: "chat:write", visitor: true, ok: 200, instead: "waiting"},
	"compare-models":         {who: "key", scope: "chat:write", body: `{"models":["mock/echo","mock/lorem"],"content":"x"}`, ok: 200},
	"undo-session":           {who: "key", scope: "sessions:write", visitor: true, ok: 200, instead: "renewed"},
	"fork-session":           {who: "key", scope: "sessions:write", visitor: true, ok: 201},
	"select-message":         {who: "key", scope: "sessions:write", visitor: true, ok: 200},
	"list-session-epochs":    {who: "key", scope: "sessions:read", visitor: true, ok: 200},
	"list-session-summaries": {who: "key", scope: "sessions:read", visitor: true, ok: 200},
	"export-session":         {who: "key", scope: "sessions:read", visitor: true, ok: 200},
	"import-session":         {who: "key", scope: "sessions:write", body: `%(export)`, ok: 201},
	"export-user":            {who: "key", scope: "sessions:read", ok: 200},
	"export-sessions":        {who: "key", scope: "sessions:read", ok: 200},
	"erase-user":             {who: "key", scope: "sessions:write", ok: 200},
	"erase-sessions":         {who: "key", scope: "sessions:write", ok: 200},
	"export-tenant":          {who: "operator", ok: 200},
	"erase-tenant":           {who: "operator", body: `{"confirm":"%(tenant_name)"}`, ok: 200},
	"get-retention":          {who: "key", scope: "sessions:read", ok: 200},
	"run-retention":          {who: "key", scope: "sessions:write", body: `{}`, ok: 200},
	"list-tools":             {who: "key", scope: "tools:read", ok: 200},
	"get-tool":               {who: "key", scope: "tools:read", ok: 200},
	"create-tool":            {who: "key", scope: "tools:write", body: `{"name":"fresh","description":"d","url":"https://example.com/"}`, ok: 201},
	"update-tool":            {who: "key", scope: "tools:write", body: `{"description":"x"}`, ok: 200},
	"delete-tool":            {who: "key", scope: "tools:write", ok: 204},
	"test-tool":              {who: "key", scope: "tools:write", body: `{}`, ok: 200},
	"list-tool-executions":   {who: "key", scope: "tools:read", ok: 200},
	"create-mcp-server":      {who: "key", scope: "tools:write", body: `{"name":"fresh","url":"https://127.0.0.1:1/"}`, ok: 201},
	"list-mcp-servers":       {who: "key", scope: "tools:read", ok: 200},
	"get-mcp-server":         {who: "key", scope: "tools:read", ok: 200},
	"delete-mcp-server":      {who: "key", scope: "tools:write", ok: 204},
	"refresh-mcp-server":     {who: "key", scope: "tools:write", ok: 200},
	"list-mcp-tools":         {who: "key", scope: "tools:read", ok: 200},
	"approve-mcp-tool":       {who: "key", scope: "tools:write", body: `{"hash":"%(hash)"}`, ok: 200},
	"disable-mcp-tool":       {who: "key", scope: "tools:write", ok: 200},
	"get-widget-config":      {who: "page", ok: 200},
	"create-widget-session":  {who: "page", ok: 200},
}

// world is a tenant with one of everything.
type world struct {
	customer
	page  page
	guest guest // owns the session and the run
	other guest // of the same tenant
	ids   map[string]string
}

func (r *rig) world(name string) world {
	r.t.Helper()
	w := world{customer: r.tenant(name, map[string]any{"default_model": "mock/echo"})}
	w.page = r.widget(w.customer)
	w.guest, w.other = r.visitor(w.page, nil), r.visitor(w.page, nil)
	var s struct{ ID string }
	r.want(201, w.guest.as(request{Method: "POST", Path: "/v1/sessions"}), &s)
	run := r.want(200, w.guest.as(request{Method: "POST", Path: "/v1/chat/completions", Body: `{"session_id":"` + s.ID + `","messages":[{"role":"user","content":"mine ` + canary + `"}]}`}), nil).header.Get("Clawless-Run-Id")
	w.ids = map[string]string{"tenant": w.ID, "session": s.ID, "run": run, "key": w.KeyID, "widget": w.page.ID, "model": "mock/echo", "user": w.guest.ID, "tenant_name": name}
	r.furnish(w)
	return w
}

// furnish adds a session that was reset, a run that waits for an approval, a tool and an MCP server with one tool.
func (r *rig) furnish(w world) {
	r.t.Helper()
	var renewed struct{ ID string }
	r.want(201, w.guest.as(request{Method: "POST", Path: "/v1/sessions"}), &renewed)
	r.want(200, w.guest.as(request{Method: "POST", Path: "/v1/sessions/" + renewed.ID + "/reset"}), nil)
	w.ids["renewed"], w.ids["message"] = renewed.ID, r.messages(w.Key, w.ids["session"], 10)[0].ID
	var tool, server struct{ ID string }
	r.want(201, request{Method: "POST", Path: "/v1/tools", Key: w.Key, Body: `{"name":"shop","description":"finds","url":"https://example.com/"}`}, &tool)
	if r.mcp == "" {
		r.mcp = mcptest.New(r.t, mcptest.Options{}, mcptest.Tool{Name: "find", Description: "finds"}).URL
	}
	w.ids["export"] = string(r.want(200, request{Path: "/v1/sessions/" + w.ids["session"] + "/export", Key: w.Key}, nil).body)
	r.want(201, request{Method: "POST", Path: "/v1/mcp-servers", Key: w.Key, Body: map[string]any{"name": "docs", "url": r.mcp}}, &server)
	var list struct {
		Data []struct{ Name, Hash string }
	}
	r.want(200, request{Path: "/v1/mcp-servers/" + server.ID + "/tools", Key: w.Key}, &list)
	if len(list.Data) != 1 {
		r.t.Fatalf("the MCP server's tools: %+v", list)
	}
	w.ids["tool"], w.ids["server"], w.ids["name"], w.ids["hash"] = tool.ID, server.ID, list.Data[0].Name, list.Data[0].Hash
	now := time.Now()
	run := runs.Run{ID: ids.New(ids.Run), TenantID: w.ID, SessionID: renewed.ID, EndUser: w.guest.ID, RequestID: ids.New(ids.Request), StartedAt: db.At(now)}
	a, err := approvals.New(tools.Call{TenantID: w.ID, SessionID: renewed.ID, RunID: run.ID, EndUser: w.guest.ID, ID: "call_1", Arguments: json.RawMessage("{}")}, "shop", nil, now, time.Hour)
	if err != nil {
		r.t.Fatal(err)
	}
	r.dirty = true
	r.write(func(ctx context.Context, q db.Querier) error {
		return errors.Join(runs.Insert(ctx, q, run, "node_of_nobody"), approvals.Ask(ctx, q, a))
	})
	w.ids["waiting"], w.ids["approval"] = run.ID, a.ID
}

// missing are well-formed ids of nothing.
func missing() map[string]string {
	return map[string]string{"tenant": ids.New(ids.Tenant), "session": ids.New(ids.Session), "run": ids.New(ids.Run), "key": ids.New(ids.Key), "widget": ids.New(ids.Widget), "model": "mock/echo",
		"message": ids.New(ids.Message), "tool": ids.New(ids.Tool), "server": ids.New(ids.MCP), "name": "find", "hash": strings.Repeat("0", 64), "user": "nobody", "approval": ids.New(ids.Approval),
		"export": "{}", "tenant_name": "nobody", "renewed": ids.New(ids.Session), "waiting": ids.New(ids.Run)}
}

func fillBody(body string, values map[string]string) any {
	if body == "" {
		return nil
	}
	for name, v := range values {
		body = strings.ReplaceAll(body, "%("+name+")", v)
	}
	return body
}

func TestMatrix(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		list := r.s.api.Operations()
		if len(list) != len(doors) {
			t.Errorf("%d operations, %d rows", len(list), len(doors))
		}
		for _, op := range list {
			d, ok := doors[op.OperationID]
			if !ok {
				t.Errorf("%s %s (%s) has no row in the matrix", op.Method, op.Path, op.OperationID)
				continue
			}
			m := matrix{r: r, entrance: d, method: op.Method, path: op.Path, name: op.OperationID}
			t.Run(op.OperationID, m.run)
		}
	})
}

// matrix is one operation under test.
type matrix struct {
	r *rig
	entrance
	method, path, name string
}

func (m matrix) call(key string, values map[string]string) request {
	if m.instead != "" {
		values = maps.Clone(values)
		values["session"], values["run"] = values[m.instead], values[m.instead]
	}
	path := fillPath(m.path, values)
	if m.name == "erase-sessions" {
		path += "?confirm=" + values["tenant_name"]
	}
	return request{Method: m.method, Path: path, Key: key, Body: fillBody(m.body, values)}
}

// names reports whether the operation names an object that belongs to somebody, apart from the tenant itself.
func (m matrix) names() bool {
	return m.inBody || strings.Contains(m.path, "{session}") || strings.Contains(m.path, "{run}") || strings.Contains(m.path, "{key}") || strings.Contains(m.path, "{widget}") ||
		strings.Contains(m.path, "{tool}") || strings.Contains(m.path, "{server}")
}

func (m matrix) run(t *testing.T) {
	r := *m.r
	r.t = t
	m.r = &r
	a, b := r.world("a-"+m.name), r.world("b-"+m.name)
	m.strangers(t, a)
	switch m.who {
	case "operator":
		m.operator(t, a, b)
	case "key":
		m.key(t, a, b)
	case "page":
		m.page(t, a)
	}
	if m.name != "delete-tenant" { // what others tried has changed nothing
		q := m.call(m.owner(a), a.ids)
		if m.who == "page" {
			q.Header = a.page.origin()
		}
		r.want(m.ok, q, nil)
		r.want(200, request{Path: "/admin/tenants/" + b.ID, Key: r.admin}, nil)
	}
	for _, w := range []world{a, b} {
		r.do(request{Method: "DELETE", Path: "/admin/tenants/" + w.ID, Key: r.admin})
	}
	r.do(request{Method: "DELETE", Path: "/admin/tenants/fresh", Key: r.admin})
}

// owner is the credential that may pass.
func (m matrix) owner(w world) string {
	switch m.who {
	case "operator":
		return m.r.admin
	case "page":
		return w.page.Key
	}
	return w.Key
}

// expect demands a status, and of a refusal the envelope.
func (m matrix) expect(t *testing.T, who string, status int, q request) reply {
	t.Helper()
	a := m.r.do(q)
	if a.status != status {
		t.Errorf("%s: status %d, want %d: %s", who, a.status, status, a.body)
	}
	if a.status >= 400 {
		a.envelope(t)
	}
	if bytes.Contains(a.body, []byte(canary)) {
		t.Errorf("%s is shown another's words: %s", who, a.body)
	}
	return a
}

// strangers are those who may pass nowhere, or nowhere here.
func (m matrix) strangers(t *testing.T, a world) {
	m.expect(t, "nobody", 401, m.call("", a.ids))
	m.expect(t, "garbage", 401, m.call("clw_sk_"+strings.Repeat("0", 59), a.ids))
	secret := 401 // the doors of pages tell a secret key in a page, before they would look it up
	if m.who == "page" {
		secret = 403
	}
	m.expect(t, "a key that was never issued", secret, m.call(ids.NewSecret(ids.SecretKey), a.ids))
	m.expect(t, "an admin key that was never issued", secret, m.call(ids.NewSecret(ids.AdminKey), a.ids))
	m.expect(t, "a token that nobody signed", 401, m.call("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ2aXNfMSJ9.", a.ids))
	id, revoked := m.r.key(a.customer)
	m.r.want(204, request{Method: "DELETE", Path: "/admin/tenants/" + a.ID + "/keys/" + id, Key: m.r.admin}, nil)
	m.expect(t, "a revoked key", secret, m.call(revoked, a.ids))
	if m.who != "page" {
		m.expect(t, "a publishable key", 403, m.call(a.page.Key, a.ids))
	}
	if m.who != "key" {
		return
	}
	m.expect(t, "the operator", 403, m.call(m.r.admin, a.ids))
	c := m.r.tenant("c-"+m.name, nil)
	m.r.want(200, request{Method: "POST", Path: "/admin/tenants/" + c.ID + "/suspend", Key: m.r.admin}, nil)
	m.expect(t, "a suspended tenant", 403, m.call(c.Key, a.ids))
	m.r.want(204, request{Method: "DELETE", Path: "/admin/tenants/" + c.ID, Key: m.r.admin}, nil)
	m.expect(t, "a deleted tenant", 401, m.call(c.Key, a.ids))
}

func (m matrix) operator(t *testing.T, a, b world) {
	m.expect(t, "a tenant", 403, m.call(a.Key, a.ids))
	m.expect(t, "a visitor", 403, a.guest.as(m.call("", a.ids)))
	if strings.Contains(m.path, "{tenant}") {
		m.same(t, "a missing tenant", m.call(m.r.admin, missing()), m.call(m.r.admin, missing()))
	}
	if m.names() { // one tenant's object under another tenant's path
		mixed := map[string]string{}
		for k, v := range a.ids {
			mixed[k] = v
		}
		mixed["tenant"] = b.ID
		gone := missing()
		gone["tenant"] = b.ID
		m.same(t, "another tenant's object", m.call(m.r.admin, mixed), m.call(m.r.admin, gone))
	}
	if m.name == "delete-tenant" {
		m.expect(t, "the operator", m.ok, m.call(m.r.admin, a.ids))
	}
}

func (m matrix) key(t *testing.T, a, b world) {
	var others []string
	for _, s := range allScopes {
		if s != m.scope {
			others = append(others, s)
		}
	}
	_, narrow := m.r.key(a.customer, others...)
	got := m.expect(t, "a key without the scope", 403, m.call(narrow, a.ids))
	if !bytes.Contains(got.body, []byte(m.scope)) {
		t.Errorf("the refusal does not name %s: %s", m.scope, got.body)
	}
	if m.names() {
		m.same(t, "another tenant's key", m.call(b.Key, a.ids), m.call(b.Key, missing()))
	}
	if !m.visitor {
		m.expect(t, "a visitor", 403, a.guest.as(m.call("", a.ids)))
		return
	}
	if m.names() {
		m.same(t, "another tenant's visitor", b.guest.as(m.call("", a.ids)), b.guest.as(m.call("", missing())))
		m.same(t, "another visitor", a.other.as(m.call("", a.ids)), a.other.as(m.call("", missing())))
	}
	elsewhere := a.guest.as(m.call("", a.ids))
	elsewhere.Header = map[string]string{"Origin": "https://elsewhere.example.com"}
	m.expect(t, "a visitor of another origin", 403, elsewhere)
	elsewhere.Header = nil
	m.expect(t, "a visitor without an origin", 403, elsewhere)
	if m.method == "GET" {
		m.r.want(m.ok, a.guest.as(m.call("", a.ids)), nil)
	}
}

func (m matrix) page(t *testing.T, a world) {
	q := m.call(a.page.Key, a.ids)
	m.expect(t, "a page without an origin", 403, q)
	q.Header = map[string]string{"Origin": "https://elsewhere.example.com"}
	m.expect(t, "another page", 403, q)
	for who, key := range map[string]string{"a secret key": a.Key, "the operator's key": m.r.admin} {
		q = m.call(key, a.ids)
		q.Header = a.page.origin()
		m.expect(t, who, 403, q)
	}
	q = m.call(ids.NewSecret(ids.PublishableKey), a.ids)
	q.Header = a.page.origin()
	m.expect(t, "a publishable key that was never issued", 401, q)
}

// same demands that a foreign object answers exactly as one that does not exist: 404 with the same bytes but for the request id.
func (m matrix) same(t *testing.T, who string, foreign, gone request) {
	t.Helper()
	f, g := m.expect(t, who, 404, foreign), m.r.do(gone)
	if fp, gp := strip(f, foreign), strip(g, gone); f.status != g.status || fp != gp {
		t.Errorf("%s: foreign and missing differ:\n%d %s\n%d %s", who, f.status, fp, g.status, gp)
	}
}

func strip(a reply, q request) string {
	s := strings.ReplaceAll(string(a.body), a.header.Get("X-Request-Id"), "REQ")
	return fmt.Sprintf("%s %s %s", s, a.header.Get("Content-Type"), a.header.Get("Retry-After"))
}
