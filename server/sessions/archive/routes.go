package archive

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/sessions/serve"
)

// maxImport is how large an exported session may be that is taken in, in bytes.
const maxImport = 32 << 20

// Routes gives conversations out, takes them in and erases them.
type Routes struct {
	DB *db.DB
	// WriteTimeout is how long one piece of an export may take to be written before its reader is given up.
	WriteTimeout time.Duration
	// Tenant finds a tenant by its id or name.
	Tenant func(ctx context.Context, q db.Querier, idOrName string) (id, name string, err error)
	// Audit records an erasure.
	Audit func(ctx context.Context, q db.Querier, tenantID, action, target string) error
	// Deleted is told of each session that is gone, so that its run is stopped, and Erased of an end user, or of the empty one for all, whose files have to go and all else
	// that other rooms keep. Both may be nil.
	Deleted func(ctx context.Context, tenantID, sessionID string)
	Erased  func(ctx context.Context, tenantID, endUser string) error
}

// ErasureBody counts what was erased.
type ErasureBody struct {
	Sessions int64 `json:"sessions"`
	Messages int64 `json:"messages"`
	Runs     int64 `json:"runs"`
}

// EraseRequest confirms an erasure.
type EraseRequest struct {
	Confirm string `json:"confirm" maxLength:"100" doc:"The tenant's name, so that nobody erases by mistake"`
}

type (
	exportIn struct {
		serve.SessionPath
		Format string `query:"format" enum:"json,markdown" default:"json" doc:"json can be imported again; markdown is the branch that is continued, for people"`
	}
	userPath struct {
		User string `path:"user" maxLength:"200" doc:"Your id of the end user"`
	}
	importIn struct {
		api.Idempotent
		RawBody []byte `contentType:"application/json"`
	}
	eraseAllIn struct {
		Confirm string `query:"confirm" maxLength:"100" doc:"The tenant's name, so that nobody erases by mistake"`
	}
	eraseTenantIn struct {
		api.TenantPath
		Body EraseRequest
	}
	streamOut  struct{ Body func(huma.Context) }
	sessionOut struct{ Body serve.SessionBody }
	erasureOut struct{ Body ErasureBody }
	empty      struct{}
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	op := func(id, method, path, tag, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{tag}}
	}
	read, write := api.KeyWith(auth.ScopeSessionsRead), api.KeyWith(auth.ScopeSessionsWrite)
	one := op("export-session", "GET", "/v1/sessions/{session}/export", "sessions", "Export a conversation with all its branches, epochs and summaries")
	one.Responses = map[string]*huma.Response{"200": {Description: "The conversation.", Content: map[string]*huma.MediaType{
		"application/json": {Schema: a.Schema(SessionExport{}, "SessionExport")}, "text/markdown": {Schema: &huma.Schema{Type: "string"}}}}}
	api.Handle(a, api.KeyOrVisitor(auth.ScopeSessionsRead), one, r.export)
	lines := func(op huma.Operation) huma.Operation {
		op.Responses = map[string]*huma.Response{"200": {Description: "A SessionExport a line. A connection that ends early was cut: the export is not complete.",
			Content: map[string]*huma.MediaType{"application/x-ndjson": {Schema: &huma.Schema{Type: "string", Extensions: map[string]any{"x-ndjson-line": "SessionExport"}}}}}}
		return op
	}
	api.Handle(a, read, lines(op("export-user", "GET", "/v1/users/{user}/export", "sessions", "Export an end user's conversations, one a line")), r.exportUser)
	api.Handle(a, read, lines(op("export-sessions", "GET", "/v1/export", "sessions", "Export all conversations, one a line")), r.exportAll)
	api.Handle(a, api.OperatorOnly(), lines(op("export-tenant", "GET", "/admin/tenants/{tenant}/export", "tenants", "Export a tenant's conversations, one a line")), r.exportTenant)
	in := op("import-session", "POST", "/v1/sessions/import", "sessions", "Take in an exported conversation; its ids are new")
	in.DefaultStatus, in.MaxBodyBytes, in.SkipValidateBody = http.StatusCreated, maxImport, true
	api.Handle(a, write, in, r.take)
	a.BodySchema(in, SessionExport{}, "SessionExport")
	erase := "The ledger of usage and the audit log stay: they are append-only and hold ids and numbers, no text."
	user := op("erase-user", "DELETE", "/v1/users/{user}", "sessions", "Erase an end user's conversations, runs and files")
	user.Description = erase
	api.Handle(a, write, user, r.eraseUser)
	all := op("erase-sessions", "DELETE", "/v1/sessions", "sessions", "Erase all conversations")
	all.Description = erase
	api.Handle(a, write, all, r.eraseAll)
	tenant := op("erase-tenant", "POST", "/admin/tenants/{tenant}/erase", "tenants", "Erase all of a tenant's conversations; the tenant stays")
	tenant.Description = erase
	api.Handle(a, api.OperatorOnly(), tenant, r.eraseTenant)
}

func (r Routes) export(ctx context.Context, in *exportIn) (*streamOut, error) {
	from, err := r.open(ctx, auth.From(ctx).TenantID, serve.Owner(ctx), in.Session)
	if err != nil {
		return nil, err
	}
	contentType, name, write := "application/json", from.session.ID+".json", from.writeJSON
	if in.Format == "markdown" {
		contentType, name, write = "text/markdown; charset=utf-8", from.session.ID+".md", from.writeMarkdown
	}
	return r.stream(contentType, name, func(w *paced) error { return write(ctx, w) }), nil
}

func (r Routes) exportUser(ctx context.Context, in *userPath) (*streamOut, error) {
	return r.exportLines(ctx, auth.From(ctx).TenantID, in.User)
}

func (r Routes) exportAll(ctx context.Context, _ *empty) (*streamOut, error) {
	return r.exportLines(ctx, auth.From(ctx).TenantID, "")
}

func (r Routes) exportTenant(ctx context.Context, in *api.TenantPath) (*streamOut, error) {
	id, _, err := r.tenant(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	return r.exportLines(ctx, id, "")
}

// exportLines reads the first sessions before any header, so that an early failure keeps its status.
func (r Routes) exportLines(ctx context.Context, tenantID, user string) (*streamOut, error) {
	first, err := r.list(ctx, tenantID, user, "")
	if err != nil {
		return nil, err
	}
	return r.stream("application/x-ndjson", "sessions.ndjson", func(w *paced) error { return r.writeLines(ctx, w, tenantID, user, first) }), nil
}

// stream answers with what write gives. After the headers a cut connection is the only honest way to tell of a failure.
func (r Routes) stream(contentType, name string, write func(*paced) error) *streamOut {
	return &streamOut{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
		h.Set("Cache-Control", "no-store")
		out := newPaced(w, r.WriteTimeout)
		if err := write(out); err != nil || out.Flush() != nil {
			panic(http.ErrAbortHandler)
		}
	}}
}

func (r Routes) tenant(ctx context.Context, idOrName string) (id, name string, err error) {
	err = r.DB.Read(ctx, func(q db.Querier) error {
		id, name, err = r.Tenant(ctx, q, idOrName)
		return err
	})
	return id, name, err
}

func (r Routes) take(ctx context.Context, in *importIn) (*sessionOut, error) {
	s, err := Import(ctx, r.DB, auth.From(ctx).TenantID, in.RawBody, time.Now())
	if err != nil {
		return nil, err
	}
	return &sessionOut{Body: serve.Wire(ctx, s)}, nil
}

func (r Routes) eraseUser(ctx context.Context, in *userPath) (*erasureOut, error) {
	if in.User == "" {
		return nil, fault.New(fault.InvalidRequest, "name the end user")
	}
	return r.erase(ctx, auth.From(ctx).TenantID, in.User)
}

func (r Routes) eraseAll(ctx context.Context, in *eraseAllIn) (*erasureOut, error) {
	return r.eraseConfirmed(ctx, auth.From(ctx).TenantID, in.Confirm)
}

func (r Routes) eraseTenant(ctx context.Context, in *eraseTenantIn) (*erasureOut, error) {
	return r.eraseConfirmed(ctx, in.Tenant, in.Body.Confirm)
}

func (r Routes) eraseConfirmed(ctx context.Context, tenant, confirm string) (*erasureOut, error) {
	id, name, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	if confirm != name {
		return nil, fault.New(fault.InvalidRequest, "confirm must be the tenant's name").WithParam("confirm")
	}
	return r.erase(ctx, id, "")
}

func (r Routes) erase(ctx context.Context, tenantID, user string) (*erasureOut, error) {
	n, err := Eraser{DB: r.DB, Audit: r.Audit, Deleted: r.Deleted}.Erase(ctx, tenantID, user)
	if err != nil {
		return nil, err
	}
	if r.Erased != nil {
		if err := r.Erased(ctx, tenantID, user); err != nil {
			return nil, err
		}
	}
	return &erasureOut{Body: ErasureBody(n)}, nil
}
