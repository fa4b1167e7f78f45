// Package api is the way in and out of the HTTP server: operations, who may call them, request ids, the strict JSON reader and the one error envelope.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/clawless/clawless/server/api/publish"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
)

// Authenticator turns a credential and the page's origin (empty outside browsers) into a caller. It returns faults.
type Authenticator interface {
	Authenticate(ctx context.Context, credential, origin string) (auth.Principal, error)
}

// Origins says which browser pages may read answers.
type Origins interface {
	// Known reports whether any widget or setting names the origin; it decides preflights, which come without a credential.
	Known(ctx context.Context, origin string) bool
}

// Options are what the API needs from the rest of the server. All but Log may be nil while only the description is made.
type Options struct {
	Version     string
	Auth        Authenticator
	Origins     Origins
	Idempotency Idempotency
	Log         *slog.Logger
	MaxBody     int64         // bytes; zero: 20 MiB
	BodyTimeout time.Duration // zero: 30 s
	Metrics     *Metrics
	PublicURL   string // under which users reach the server; empty takes each request's own
	BehindProxy bool   // the last address of X-Forwarded-For is the caller's
}

// API is the set of registered operations.
type API struct {
	huma huma.API
	mux  *http.ServeMux
	opts Options

	anthropic []string // paths under which every failure has Anthropic's form
}

// New makes an API without operations.
func New(o Options) *API {
	if o.MaxBody == 0 {
		o.MaxBody = 20 << 20
	}
	if o.BodyTimeout == 0 {
		o.BodyTimeout = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	return &API{huma: humago.New(mux, humaConfig(o.Version)), mux: mux, opts: o}
}

func humaConfig(version string) huma.Config {
	c := huma.DefaultConfig("Clawless", version)
	c.Info.Description = "One server that gives every customer of a company their own AI assistant: tenants, keys, sessions with memory and OpenAI-compatible chat."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	// The description is served from the committed file instead: huma's own handlers fill a cache without a lock and load scripts from elsewhere.
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // no $schema in bodies
	c.Components = &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName)}
	c.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"admin":   {Type: "http", Scheme: "bearer", Description: "The operator's admin key, clw_admin_..."},
		"key":     {Type: "http", Scheme: "bearer", Description: "A tenant's secret key, clw_sk_..."},
		"visitor": {Type: "http", Scheme: "bearer", Description: "A widget visitor's token from POST /v1/widget/session"},
	}
	return c
}

// Access says who may call an operation.
type Access struct {
	kinds []auth.Kind
	scope string
}

// Public operations need no credential, or check their own.
func Public() Access { return Access{} }

// OperatorOnly operations need the admin key.
func OperatorOnly() Access { return Access{kinds: []auth.Kind{auth.Operator}} }

// KeyWith operations need a tenant's key with the scope.
func KeyWith(scope string) Access { return Access{kinds: []auth.Kind{auth.Key}, scope: scope} }

// KeyOrVisitor operations need a tenant's key with the scope, or a widget visitor, who sees only what is theirs.
func KeyOrVisitor(scope string) Access {
	return Access{kinds: []auth.Kind{auth.Key, auth.Visitor}, scope: scope}
}

func (a Access) security() []map[string][]string {
	out := []map[string][]string{}
	for _, k := range a.kinds {
		switch k {
		case auth.Operator:
			out = append(out, map[string][]string{"admin": {}})
		case auth.Key:
			out = append(out, map[string][]string{"key": {}})
		case auth.Visitor:
			out = append(out, map[string][]string{"visitor": {}})
		}
	}
	return out
}

// dialect holds the form of the failures of an operation of another product's API.
const dialect = "dialect"

// Dialect marks an operation as one of OpenAI's API: its validation failures are 400 and unknown fields are tolerated.
func Dialect(op huma.Operation) huma.Operation {
	op.Metadata = map[string]any{dialect: openAI}
	return op
}

// Anthropic marks an operation as one of Anthropic's API. It is a Dialect whose failures have Anthropic's form, also those of paths below its own that do not exist.
func Anthropic(op huma.Operation) huma.Operation {
	op.Metadata = map[string]any{dialect: anthropic}
	return op
}

func formOf(op *huma.Operation) form {
	if op == nil {
		return own
	}
	f, _ := op.Metadata[dialect].(form)
	return f
}

// ownBody is how large a body of our own operations may be: they take settings and no images, and are read into memory several times their size.
const ownBody = 1 << 20

// Handle registers one operation. Errors of fn are faults or become internal errors.
func Handle[I, O any](a *API, access Access, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	op.Security = access.security()
	if op.Metadata == nil {
		op.Metadata = map[string]any{}
	}
	if access.scope != "" {
		op.Description = strings.TrimSpace(op.Description + "\n\nNeeds the scope `" + access.scope + "`.")
	}
	op.Extensions = map[string]any{}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = a.opts.MaxBody
		if op.Metadata[dialect] == nil {
			op.MaxBodyBytes = min(ownBody, a.opts.MaxBody)
		}
	}
	op.MaxBodyBytes++ // huma counts the limit itself as too much
	op.BodyReadTimeout = a.opts.BodyTimeout
	op.RejectUnknownQueryParameters = op.Metadata[dialect] == nil
	defer func() {
		if b := a.body(op); b != nil {
			op.Metadata[fieldsKey] = fieldNames(a.huma.OpenAPI(), b, map[*huma.Schema]bool{})
		}
	}()
	op.Middlewares = append(op.Middlewares, a.authenticate(access), a.mediaType(op), a.replay(op))
	failures := formOf(&op)
	if failures == anthropic {
		a.anthropic = append(a.anthropic, op.Path)
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		bodyRead(ctx)
		out, err := fn(ctx, in)
		if err != nil {
			return nil, a.toHuma(ctx, err, failures)
		}
		return out, nil
	})
}

// Raw registers a plain handler outside the description, for assets and probes.
func (a *API) Raw(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

// Schema returns a reference to the schema of v's type for responses that an operation describes itself.
func (a *API) Schema(v any, name string) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(v), true, name)
}

// BodySchema documents the body of an operation that reads its bytes itself, after it was registered.
func (a *API) BodySchema(op huma.Operation, v any, name string) {
	a.huma.OpenAPI().Paths[op.Path].Post.RequestBody.Content["application/json"].Schema = a.Schema(v, name)
}

// Description returns the OpenAPI 3.1 document as YAML and JSON, the same bytes every time.
func (a *API) Description() (yaml, json []byte, err error) {
	doc := publish.Document(a.huma.OpenAPI())
	if yaml, err = doc.YAML(); err != nil {
		return nil, nil, err
	}
	json, err = doc.MarshalJSON()
	return yaml, json, err
}

// Operations lists method and path of every described operation, for the tests that walk them all.
func (a *API) Operations() []huma.Operation {
	var out []huma.Operation
	for _, p := range a.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{p.Get, p.Post, p.Put, p.Patch, p.Delete} {
			if op != nil {
				out = append(out, *op)
			}
		}
	}
	return out
}

// toHuma turns any error into an envelope with its headers and logs what must not be shown.
func (a *API) toHuma(ctx context.Context, err error, failures form) error {
	f := fault.From(err)
	env := envelopeOf(f, RequestID(ctx), failures)
	if env.status >= 500 {
		a.opts.Log.ErrorContext(ctx, "request failed", "request_id", RequestID(ctx), "code", string(f.Code), "error", err.Error())
	}
	if h := headersOf(f, env.status); len(h) > 0 {
		return huma.ErrorWithHeaders(env, h)
	}
	return env
}

// body returns the schema of an operation's JSON body after registration, or nil.
func (a *API) body(op huma.Operation) *huma.Schema {
	item := a.huma.OpenAPI().Paths[op.Path]
	if item == nil {
		return nil
	}
	for _, o := range []*huma.Operation{item.Post, item.Patch, item.Put} {
		if o != nil && o.OperationID == op.OperationID && o.RequestBody != nil && o.RequestBody.Content["application/json"] != nil {
			return o.RequestBody.Content["application/json"].Schema
		}
	}
	return nil
}

// schemaName names a wire type as its readers know it: TenantBody is Tenant, a page of them TenantPage.
func schemaName(t reflect.Type, hint string) string {
	name := strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "Body")
	if item, ok := strings.CutPrefix(name, "Page"); ok && item != "" && strings.HasPrefix(t.Name(), "Page[") {
		return item + "Page"
	}
	if name == "Settings" { // says nothing among all the API's types: put its room in front
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		room := strings.TrimSuffix(path.Base(t.PkgPath()), "s")
		return strings.ToUpper(room[:1]) + room[1:] + name
	}
	return name
}
