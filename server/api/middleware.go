package api

import (
	"context"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
)

// authenticate lets only callers of the right kind and scope pass and puts the principal into the context.
func (a *API) authenticate(access Access) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if len(access.kinds) == 0 {
			next(ctx)
			return
		}
		p, err := a.principal(ctx, access)
		if err != nil {
			a.refuse(ctx, err)
			return
		}
		if origin := ctx.Header("Origin"); origin != "" && p.Kind == auth.Visitor {
			allowOrigin(ctx, origin)
		}
		if rec := recorderOf(ctx); rec != nil {
			rec.tenant = p.TenantID
		}
		next(huma.WithContext(ctx, auth.With(ctx.Context(), p)))
	}
}

func (a *API) principal(ctx huma.Context, access Access) (auth.Principal, error) {
	cred, err := Credential(ctx.Header("Authorization"), ctx.Header("X-Api-Key"))
	if err != nil {
		return auth.Principal{}, err
	}
	p, err := a.opts.Auth.Authenticate(ctx.Context(), cred, ctx.Header("Origin"))
	if err != nil {
		return auth.Principal{}, err
	}
	if !slices.Contains(access.kinds, p.Kind) {
		return auth.Principal{}, wrongKind(access.kinds[0])
	}
	if access.scope != "" && p.Kind == auth.Key && !p.Has(access.scope) {
		return auth.Principal{}, fault.New(fault.ScopeMissing, "this key lacks the scope %s; make one with: clawless key create --tenant NAME --scope %s", access.scope, access.scope)
	}
	return p, nil
}

// mediaType refuses a body that says it is something else than JSON.
func (a *API) mediaType(op huma.Operation) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, _ := humago.Unwrap(ctx)
		said := r.Header.Get("Content-Type")
		if op.Method == http.MethodGet || op.Method == http.MethodDelete || said == "" || r.ContentLength == 0 {
			next(ctx)
			return
		}
		if media, _, err := mime.ParseMediaType(said); err != nil || media != "application/json" {
			a.refuse(ctx, fault.New(fault.UnsupportedMedia, "send the body as application/json"))
			return
		}
		next(ctx)
	}
}

// bodyRead lifts the deadline for the body once it is read. Left in place it would end the connection, and with it a long answer.
func bodyRead(ctx context.Context) {
	if rec, _ := ctx.Value(recorderKey{}).(*recorder); rec != nil {
		_ = http.NewResponseController(rec).SetReadDeadline(time.Time{}) // not every writer has deadlines
	}
}

func wrongKind(wanted auth.Kind) error {
	switch wanted {
	case auth.Operator:
		return fault.New(fault.Forbidden, "this path needs the operator's admin key (clw_admin_...)")
	default:
		return fault.New(fault.Forbidden, "this path needs a tenant's secret key (clw_sk_...)")
	}
}

// Credential reads the caller's credential from the two headers that clients in the field use. Both at once must agree.
func Credential(authorization, apiKey string) (string, error) {
	if strings.ContainsAny(authorization, ",\x00") {
		return "", fault.New(fault.InvalidKey, "the Authorization header is malformed; send: Bearer <key>")
	}
	if authorization == "" {
		if apiKey == "" {
			return "", fault.New(fault.MissingKey, "no API key; send the header Authorization: Bearer <key>")
		}
		return apiKey, nil
	}
	scheme, cred, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	cred = strings.TrimSpace(cred)
	if !strings.EqualFold(scheme, "bearer") || cred == "" || apiKey != "" && apiKey != cred {
		return "", fault.New(fault.InvalidKey, "the Authorization header is malformed; send: Bearer <key>")
	}
	return cred, nil
}

// refuse writes a fault from a middleware.
func (a *API) refuse(ctx huma.Context, err error) {
	f := fault.From(err)
	env := envelopeOf(f, RequestID(ctx.Context()), formOf(ctx.Operation()))
	for k, v := range headersOf(f, env.status) {
		ctx.SetHeader(k, v[0])
	}
	if env.status >= 500 {
		a.opts.Log.Error("request failed", "request_id", env.Err.RequestID, "code", string(f.Code), "error", err.Error())
	}
	_ = huma.WriteErr(a.huma, ctx, env.status, f.Message, f)
}

func allowOrigin(ctx huma.Context, origin string) {
	ctx.SetHeader("Access-Control-Allow-Origin", origin)
	ctx.SetHeader("Access-Control-Expose-Headers", exposed)
}

// AllowOrigin lets the page at origin read the answer under way. Operations that check an origin themselves call it once they have.
func AllowOrigin(ctx context.Context, origin string) {
	if rec, _ := ctx.Value(recorderKey{}).(*recorder); rec != nil && origin != "" {
		rec.Header().Set("Access-Control-Allow-Origin", origin)
		rec.Header().Set("Access-Control-Expose-Headers", exposed)
	}
}

// SetHeader sets a header of the answer under way, whatever its status will be.
func SetHeader(ctx context.Context, name, value string) {
	if rec, _ := ctx.Value(recorderKey{}).(*recorder); rec != nil {
		rec.Header().Set(name, value)
	}
}

func recorderOf(ctx huma.Context) *recorder {
	_, w := humago.Unwrap(ctx)
	rec, _ := w.(*recorder)
	return rec
}
