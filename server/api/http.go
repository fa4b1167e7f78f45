package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
)

const (
	exposed      = "X-Request-Id, Retry-After, Clawless-Run-Id, ETag"
	allowMethods = "GET, POST, PATCH, DELETE, OPTIONS"
	answerLimit  = 2 * time.Minute // for a reader to take an answer in one piece; streams have limits of their own
	shownPath    = 256             // bytes of a path in the log
)

type (
	requestIDKey struct{}
	recorderKey  struct{}
)

// RequestID returns the id of the request under way, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// recorder is the response writer of every request: it remembers what was sent for the log, and keeps a copy where an answer may have to be repeated.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	tenant string
	base   string  // see BaseURL
	form   form    // of the failures at this path
	copied *copied // nil unless an Idempotency-Key asks for it
}

// WriteHeader implements http.ResponseWriter. A reader that takes nothing must not hold the answer's memory for ever.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
		if r.Header().Get("Content-Type") != "text/event-stream" {
			_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(time.Now().Add(answerLimit)) // not every writer has deadlines
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	if r.copied != nil {
		r.copied.add(b)
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// ServeHTTP is the whole way in: request id, panic, CORS, unknown routes, then the operations.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	id := ids.New(ids.Request)
	rec := &recorder{ResponseWriter: w, form: a.formAt(r.URL.Path)}
	h := rec.Header()
	h.Set("X-Request-Id", id)
	if rec.form == anthropic {
		h.Set("Request-Id", id) // where Anthropic's clients look for it
	}
	h.Set("X-Content-Type-Options", "nosniff")
	ctx := context.WithValue(r.Context(), requestIDKey{}, id)
	ctx = context.WithValue(ctx, recorderKey{}, rec)
	r = r.WithContext(ctx)
	pattern := ""
	defer func() {
		p := recover()
		if p != nil && pattern == "" {
			pattern = r.Pattern
		}
		defer func() { a.done(r, rec, pattern, id, time.Since(start)) }()
		if p != nil {
			a.recovered(rec, id, p)
		}
	}()
	pattern = a.route(rec, r)
}

func (a *API) recovered(rec *recorder, id string, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // net/http's own way to cut a connection
	}
	a.opts.Log.Error("panic", "request_id", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if rec.status == 0 {
		writeFault(rec, fault.New(fault.Internal, "internal error; quote the request id to the operator"), id)
		return
	}
	panic(http.ErrAbortHandler) // headers are out: a cut connection is the only honest end
}

func (a *API) done(r *http.Request, rec *recorder, pattern, id string, took time.Duration) {
	if rec.status == 0 {
		rec.status = http.StatusOK // net/http's answer when a handler says nothing
	}
	a.opts.Metrics.observe(pattern, r.Method, rec.status, took)
	level := slog.LevelInfo
	if strings.HasSuffix(pattern, "/healthz") || strings.HasSuffix(pattern, "/readyz") || strings.HasSuffix(pattern, "/metrics") {
		level = slog.LevelDebug
	}
	if !a.opts.Log.Enabled(r.Context(), level) {
		return
	}
	// The path's ids are no secrets; the query is left out because people put keys there.
	a.opts.Log.LogAttrs(r.Context(), level, "request", slog.String("request_id", id), slog.String("method", r.Method), slog.String("path", loggedPath(r.URL.Path)),
		slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes), slog.Duration("took", took.Round(time.Microsecond)), slog.String("tenant", rec.tenant),
		slog.String("ip", a.clientIP(r)))
}

var secretShape = regexp.MustCompile(`clw_[a-z]+_[0-9a-z]{8,}|eyJ[\w-]{8,}[.\w-]*`)

// loggedPath is a path without what looks like a key or a token: people put them in the wrong place.
func loggedPath(p string) string {
	p = secretShape.ReplaceAllString(p, "[secret]")
	if len(p) > shownPath {
		p = strings.ToValidUTF8(p[:shownPath], "") + "…"
	}
	return p
}

// ownOrigin fills in the Origin that browsers leave out when a page of this server itself reads from it. Sec-Fetch-Site is a header that no page can set.
func (a *API) ownOrigin(r *http.Request) {
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return
	}
	r.Header.Set("Origin", a.baseURL(r))
}

// baseURL is the address by which the caller reached this server.
func (a *API) baseURL(r *http.Request) string {
	if r.TLS != nil || a.opts.BehindProxy && r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// BaseURL is the address under which users reach this server: the operator's public_url, else the one by which this request came.
func BaseURL(ctx context.Context) string {
	rec, _ := ctx.Value(recorderKey{}).(*recorder)
	if rec == nil {
		return ""
	}
	return rec.base
}

// clientIP is where the connection comes from. Only behind a proxy that the operator named is the last address of X-Forwarded-For taken instead, the one which that
// proxy wrote; the others are whatever the caller claims.
func (a *API) clientIP(r *http.Request) string {
	if hops := r.Header.Values("X-Forwarded-For"); a.opts.BehindProxy && len(hops) > 0 {
		last := hops[len(hops)-1]
		last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
		if ip := net.ParseIP(strings.Trim(last, "[]")); ip != nil {
			return ip.String()
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (a *API) route(rec *recorder, r *http.Request) string {
	id := RequestID(r.Context())
	rec.Header().Add("Vary", "Origin")
	a.ownOrigin(r)
	if rec.base = a.opts.PublicURL; rec.base == "" {
		rec.base = a.baseURL(r)
	}
	if r.Method == http.MethodOptions {
		a.preflight(rec, r, id)
		return "OPTIONS"
	}
	if origin := r.Header.Get("Origin"); origin != "" && a.opts.Origins != nil && a.opts.Origins.Known(r.Context(), origin) {
		AllowOrigin(r.Context(), origin)
	}
	if len(r.Header["Authorization"]) > 1 || len(r.Header["X-Api-Key"]) > 1 { // which one counts would depend on who reads them
		writeFault(rec, fault.New(fault.InvalidKey, "the request has two credentials; send one Authorization header"), id)
		return "ambiguous"
	}
	if r.Header.Get("Content-Encoding") != "" && r.Header.Get("Content-Encoding") != "identity" {
		writeFault(rec, fault.New(fault.UnsupportedMedia, "send the body without Content-Encoding"), id)
		return "encoded"
	}
	if clean := path.Clean(r.URL.Path); clean != r.URL.Path {
		writeFault(rec, fault.New(fault.RouteNotFound, "no such path; the API reference is at /docs"), id)
		return "unclean"
	}
	_, pattern := a.mux.Handler(r)
	if pattern == "" {
		a.unmatched(rec, r, id)
		return "unmatched"
	}
	a.mux.ServeHTTP(rec, r)
	return pattern
}

// unmatched answers 404, or 405 with the methods that exist, in our envelope.
func (a *API) unmatched(rec *recorder, r *http.Request, id string) {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, p := a.mux.Handler(probe); p != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		writeFault(rec, fault.New(fault.RouteNotFound, "no such path; the API reference is at /docs"), id)
		return
	}
	rec.Header().Set("Allow", strings.Join(allowed, ", "))
	writeFault(rec, fault.New(fault.MethodNotAllowed, "this path takes %s", strings.Join(allowed, ", ")), id)
}

// preflight answers browsers before they send a credential. An origin that no widget and no setting names gets no permission.
func (a *API) preflight(rec *recorder, r *http.Request, id string) {
	origin := r.Header.Get("Origin")
	if origin == "" || a.opts.Origins == nil || !a.opts.Origins.Known(r.Context(), origin) {
		rec.WriteHeader(http.StatusNoContent)
		return
	}
	h := rec.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", allowMethods)
	if want := r.Header.Get("Access-Control-Request-Headers"); want != "" && len(want) < 2048 {
		h.Set("Access-Control-Allow-Headers", want)
	}
	h.Set("Access-Control-Max-Age", "600")
	h.Add("Vary", "Access-Control-Request-Headers")
	rec.WriteHeader(http.StatusNoContent)
}

// WriteFault answers a request outside the described operations with the envelope of err.
func WriteFault(w http.ResponseWriter, r *http.Request, err error) {
	writeFault(w, fault.From(err), RequestID(r.Context()))
}
