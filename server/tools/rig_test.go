package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/seal"
	"github.com/clawless/clawless/server/tool"
)

const (
	secret   = "s3cr3t-of-the-tenant-0042"
	patience = 20 * time.Second
)

var (
	makeTenant = db.System("test.tenant", `INSERT INTO tenants (id, name, tier, status, created_at, updated_at) VALUES (:id, :id, 'pro', 'active', 0, 0)`)
	makeRun    = db.System("test.run", `INSERT INTO runs (tenant_id, id, end_user, request_id, status, started_at) VALUES (:tenant, :id, :owner, 'req_1', :status, 0)`)
	endRun     = db.System("test.end_run", `UPDATE runs SET status = 'completed' WHERE id = :id`)
	readSealed = db.System("test.sealed", `SELECT secret FROM tenant_tools WHERE id = :id`)
	writeSeal  = db.System("test.write_sealed", `UPDATE tenant_tools SET secret = :secret WHERE id = :id`)
	age        = db.System("test.age", `UPDATE mcp_servers SET checked_at = checked_at - 600000000 WHERE id = :id`)
)

// rig is the room behind a real HTTP server, for two tenants and visitors. A credential is KIND:TENANT:WHO.
type rig struct {
	t    *testing.T
	db   *db.DB
	set  *Set
	url  string
	key  *seal.Source
	a, b string // the tenants' ids
	log  *lockedBuffer

	decided chan string
	audits  *journal
}

// journal stands in for the audit log, which is another room's: it keeps "action by actor" for each change.
type journal struct {
	mu   sync.Mutex
	list []string
}

func (j *journal) record(ctx context.Context, _ db.Querier, _, action, target string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if target == "" {
		return errors.New("an audit row without a target")
	}
	j.list = append(j.list, action+" by "+auth.From(ctx).Actor())
	return nil
}

type door struct{}

// Authenticate implements api.Authenticator.
func (door) Authenticate(_ context.Context, credential, _ string) (auth.Principal, error) {
	parts := strings.Split(credential, ":")
	switch {
	case len(parts) != 3:
		return auth.Principal{}, fault.New(fault.InvalidKey, "no")
	case parts[0] == "visitor":
		return auth.Principal{Kind: auth.Visitor, TenantID: parts[1], KeyID: "wgt_1", VisitorID: parts[2]}, nil
	}
	return auth.Principal{Kind: auth.Key, TenantID: parts[1], KeyID: parts[2], Scopes: auth.Scopes}, nil
}

func each(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { test(t, newRig(t, d)) })
}

func newRig(t *testing.T, d *db.DB) *rig {
	t.Helper()
	r := &rig{t: t, db: d, key: &seal.Source{Dir: t.TempDir()}, a: ids.New(ids.Tenant), b: ids.New(ids.Tenant), log: &lockedBuffer{}, decided: make(chan string, 64), audits: &journal{}}
	for _, id := range []string{r.a, r.b} {
		r.exec(makeTenant, db.Args{"id": id})
	}
	r.serve()
	return r
}

type builtIn struct{}

// Spec implements tool.Tool.
func (builtIn) Spec() tool.Spec {
	return tool.Spec{Name: "time_now", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`), Effect: tool.Reads, Source: tool.BuiltIn}
}

// Call implements tool.Tool.
func (builtIn) Call(context.Context, tool.Call) (tool.Result, error) { return tool.Result{}, nil }

func loopback(a netip.Addr) bool { return a.IsLoopback() }

// serve starts a server over the rig's database; further ones are replicas, of which the rig then uses the last.
func (r *rig) serve() {
	r.t.Helper()
	r.set = NewSet(SetOptions{DB: r.db, Private: loopback, Box: r.key.Box, Reserved: func(name string) bool { return name == "time_now" || name == "shop_reserved" },
		Audit: r.audits.record, Version: "test", Log: slog.New(slog.NewTextHandler(r.log, nil))})
	r.t.Cleanup(r.set.Close)
	a := api.New(api.Options{Auth: door{}})
	Routes{DB: r.db, Set: r.set, BuiltIn: func() []tool.Tool { return []tool.Tool{builtIn{}} },
		Offers: func(context.Context, string) (func(string) bool, error) {
			return func(name string) bool { return name != "hidden" }, nil
		},
		Decided: func(_, run, approval string) { r.decided <- run + " " + approval }}.Register(a)
	s := httptest.NewServer(a)
	r.t.Cleanup(s.Close)
	r.url = s.URL
}

// replica is a second server over the same database.
func (r *rig) replica() *rig {
	own := *r
	own.serve()
	return &own
}

func (r *rig) exec(s db.SystemStatement, args db.Args) {
	r.t.Helper()
	err := r.db.Write(r.t.Context(), func(q db.Querier) error {
		_, err := s.Exec(r.t.Context(), q, args)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) read(s db.SystemStatement, dest any, args db.Args) {
	r.t.Helper()
	if err := r.db.Read(r.t.Context(), func(q db.Querier) error { return s.Get(r.t.Context(), q, dest, args) }); err != nil {
		r.t.Fatal(err)
	}
}

// audited are the changes that were recorded, and who made them.
func (r *rig) audited() []string {
	r.audits.mu.Lock()
	defer r.audits.mu.Unlock()
	return slices.Clone(r.audits.list)
}

// actions are the changes alone.
func (r *rig) actions() (out []string) {
	for _, a := range r.audited() {
		action, _, _ := strings.Cut(a, " ")
		out = append(out, action)
	}
	return out
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

// do carries out a call as a key of the rig's first tenant, unless who says otherwise.
func (r *rig) do(method, path, body string, header ...string) reply {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer key:"+r.a+":key_1")
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if bytes.Contains(b, []byte(secret)) {
		r.t.Errorf("%s %s shows the secret: %s", method, path, b)
	}
	return reply{res.StatusCode, res.Header, b}
}

// want demands a status and reads the answer into v unless that is nil.
func (r *rig) want(status int, v any, method, path, body string, header ...string) reply {
	r.t.Helper()
	a := r.do(method, path, body, header...)
	if a.status != status {
		r.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.body)
	}
	if v != nil {
		if err := json.Unmarshal(a.body, v); err != nil {
			r.t.Fatalf("%s %s: %v: %s", method, path, err, a.body)
		}
	}
	return a
}

func as(kind, tenant, who string) []string {
	return []string{"Authorization", "Bearer " + kind + ":" + tenant + ":" + who}
}

// offered are the names of what a turn of the first tenant may use.
func (r *rig) offered() (names []string) {
	r.t.Helper()
	list, err := r.set.For(r.t.Context(), r.a)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, t := range list {
		names = append(names, t.Spec().Name)
	}
	return names
}

// call runs an offered tool as a turn would.
func (r *rig) call(name, arguments string) (tool.Result, error) {
	r.t.Helper()
	list, err := r.set.For(r.t.Context(), r.a)
	if err != nil {
		r.t.Fatal(err)
	}
	t, ok := tool.New(list...).Get(name)
	if !ok {
		r.t.Fatalf("%s is not offered", name)
	}
	return r.run(t, arguments)
}

func (r *rig) run(t tool.Tool, arguments string) (tool.Result, error) {
	return tool.Run(r.t.Context(), t, tool.Call{ID: "call_1", RunID: "run_1", TenantID: r.a, Arguments: json.RawMessage(arguments)})
}

func (r *rig) get(name string) tool.Tool {
	r.t.Helper()
	list, err := r.set.For(r.t.Context(), r.a)
	if err != nil {
		r.t.Fatal(err)
	}
	t, ok := tool.New(list...).Get(name)
	if !ok {
		r.t.Fatalf("%s is not offered", name)
	}
	return t
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is what was written.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
