package archive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/sessions/archive"
	"github.com/clawless/clawless/server/sessions/retention"
	"github.com/clawless/clawless/server/sessions/serve"
	"github.com/clawless/clawless/server/tool"
)

var (
	addTenant = db.System("test.tenant", `INSERT INTO tenants (id, name, tier, status, created_at, updated_at) VALUES (:id, :name, 'free', 'active', 1, 1)`)
	oneTenant = db.System("test.find_tenant", `SELECT id, name FROM tenants WHERE id = :key OR name = :key`)
	addRun    = db.System("test.run", `INSERT INTO runs (tenant_id, id, session_id, end_user, request_id, status, started_at) VALUES (:tenant, :id, :session, :user, 'req_1', :status, 1)`)
	addSend   = db.System("test.send", `INSERT INTO session_sends (tenant_id, key, from_session, to_session, created_at) VALUES (:tenant, :key, :from, :to, 1)`)
	addChoice = db.System("test.choice", `INSERT INTO route_decisions (tenant_id, id, request_id, run_id, session_id, asked, used, reason, outcome, created_at)
		VALUES (:tenant, :id, 'req_1', 'run_1', :session, 'a', 'b', 'c', 'd', 1)`)
	addTool = db.System("test.execution", `INSERT INTO tool_executions (tenant_id, id, run_id, session_id, tool, decision, status, created_at)
		VALUES (:tenant, :id, 'run_1', :session, 't', 'allowed', 'done', 1)`)
)

// rig is the API of the sessions on a database, with two tenants.
type rig struct {
	*testing.T
	d       *db.DB
	open    func() (driver, source string) // of the same database, for those who look at all of it
	api     *api.API
	a, b    string // the tenants
	days    int
	audited []string
	deleted []string
	changed []string
	erased  []string
}

func each(t *testing.T, test func(r *rig)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		d := dbtest.Open(t, db.Options{Dir: dir, Migrate: true})
		test(newRig(t, d, func() (string, string) { return "sqlite3", filepath.Join(dir, "clawless.db") }))
	})
	t.Run("postgres", func(t *testing.T) {
		url := dbtest.PostgresURL(t)
		d := dbtest.Open(t, db.Options{URL: url, Migrate: true})
		test(newRig(t, d, func() (string, string) { return "pgx", url }))
	})
}

func newRig(t *testing.T, d *db.DB, open func() (string, string)) *rig {
	t.Helper()
	r := &rig{T: t, d: d, open: open, a: ids.New(ids.Tenant), b: ids.New(ids.Tenant), days: 30}
	r.write(func(q db.Querier) error {
		for name, id := range map[string]string{"acme": r.a, "blue": r.b} {
			if _, err := addTenant.Exec(t.Context(), q, db.Args{"id": id, "name": name}); err != nil {
				return err
			}
		}
		return nil
	})
	audit := func(_ context.Context, _ db.Querier, _, action, target string) error {
		r.audited = append(r.audited, action+" "+target)
		return nil
	}
	deleted := func(_ context.Context, _, id string) { r.deleted = append(r.deleted, id) }
	r.api = api.New(api.Options{Auth: door{r}})
	serve.Routes{DB: d, Audit: audit, Deleted: deleted, Changed: func(_, id string) { r.changed = append(r.changed, id) }}.Register(r.api)
	archive.Routes{DB: d, WriteTimeout: time.Minute, Audit: audit, Deleted: deleted, Tenant: findTenant,
		Erased: func(_ context.Context, _, user string) error { r.erased = append(r.erased, user); return nil }}.Register(r.api)
	keeper := retention.Keeper{DB: d, Audit: audit, Deleted: deleted, Days: func(context.Context, string) (int, error) { return r.days, nil }}
	retention.Routes{Keeper: keeper}.Register(r.api)
	return r
}

func findTenant(ctx context.Context, q db.Querier, key string) (id, name string, err error) {
	var row struct{ ID, Name string }
	err = oneTenant.Get(ctx, q, &row, db.Args{"key": key})
	return row.ID, row.Name, err
}

// door lets in whoever says who it is: key:TENANT, visitor:TENANT:USER or operator.
type door struct{ *rig }

// Authenticate implements api.Authenticator.
func (d door) Authenticate(_ context.Context, credential, _ string) (auth.Principal, error) {
	switch part := strings.Split(credential, ":"); part[0] {
	case "operator":
		return auth.Principal{Kind: auth.Operator, KeyID: "key_op"}, nil
	case "key":
		return auth.Principal{Kind: auth.Key, TenantID: part[1], KeyID: "key_1", Scopes: auth.DefaultScopes}, nil
	case "visitor":
		return auth.Principal{Kind: auth.Visitor, TenantID: part[1], VisitorID: part[2]}, nil
	}
	return auth.Principal{}, fault.New(fault.InvalidKey, "nobody")
}

func (r *rig) write(fn func(q db.Querier) error) {
	r.Helper()
	if err := r.d.Write(r.Context(), fn); err != nil {
		r.Fatal(err)
	}
}

// do carries out a request and demands a status.
func (r *rig) do(status int, who, method, path string, body any) []byte {
	r.Helper()
	raw, isRaw := body.([]byte)
	if !isRaw && body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			r.Fatal(err)
		}
	}
	req := httptest.NewRequestWithContext(r.Context(), method, path, bytes.NewReader(raw))
	req.Header.Set("Authorization", "Bearer "+who)
	if raw != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	r.api.ServeHTTP(w, req)
	if w.Code != status {
		r.Fatalf("%s %s %s: %d, want %d: %s", who, method, path, w.Code, status, w.Body)
	}
	return w.Body.Bytes()
}

func (r *rig) key() string { return "key:" + r.a }

// tangled is a session with branches, epochs, tool calls, taint and summaries.
func (r *rig) tangled(user string) (s sessions.Session) {
	r.Helper()
	t, ctx, now := db.TenantOf(r.a), r.Context(), time.Now().Add(-time.Hour)
	s = sessions.New(r.a, now)
	s.EndUser, s.Model, s.SystemPrompt, s.Thinking, s.Tools, s.ExternalID = user, "lab/m", "be kind", "low", &sessions.Narrowing{Allow: []string{}, Deny: []string{"x*"}}, "ext-"+user
	s.Metadata["k"] = "v"
	call := llm.ToolCall{ID: "c1", Type: "function"}
	call.Function.Name, call.Function.Arguments = "look", `{"a":"<b>"}`
	r.write(func(q db.Querier) error {
		add := func(m sessions.Message) error {
			m.ID, m.SessionID, m.RunID = ids.New(ids.Message), s.ID, "run_"+user
			now = now.Add(time.Second)
			return sessions.Append(ctx, q, t, &m, now)
		}
		sum := func(sum sessions.Summary) error {
			sum.SessionID = s.ID
			return sessions.AddSummary(ctx, q, t, &sum, now)
		}
		var first error
		for _, do := range []func() error{
			func() error { return sessions.Insert(ctx, q, s) },
			func() error {
				return add(sessions.Message{Role: "user", Content: llm.Text("canary question <script>")})
			},
			func() error {
				return add(sessions.Message{Role: "assistant", Content: llm.Text("left branch"), Reasoning: "pondering", Model: "lab/w"})
			},
			func() error { _, err := sessions.Rewind(ctx, q, t, s.ID, 1, now); return err },
			func() error {
				return add(sessions.Message{Role: "assistant", ToolCalls: []llm.ToolCall{call}, Model: "lab/m", Reasoning: "secret thought"})
			},
			func() error {
				return add(sessions.Message{Role: "tool", ToolCallID: "c1", Content: llm.Text("found ```it```"), Taint: []tool.Taint{{Kind: tool.FromWeb, Source: "https://a.example.com"}}})
			},
			func() error {
				return add(sessions.Message{Role: "assistant", Content: llm.Text("the answer"), FinishReason: "stop"})
			},
			func() error {
				return sum(sessions.Summary{Epoch: 1, FromSequence: 1, UpTo: 4, Messages: 3, Content: "they looked", Model: "lab/s", CostMicros: 5})
			},
			func() error {
				_, err := sessions.Reset(ctx, q, t, "", s.ID, sessions.Asked, "carried over", now)
				return err
			},
			func() error {
				return add(sessions.Message{Role: "user", Content: json.RawMessage(`[{"type":"text","text":"new epoch"},{"type":"image_url","image_url":{"url":"data:x"}}]`), Origin: "ses_other"})
			},
		} {
			if first == nil {
				first = do()
			}
		}
		return first
	})
	return s
}
