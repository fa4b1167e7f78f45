package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/reference"
)

// pages are the paths outside the API: probes, metrics, the reference and the widget's files.
func (s *Server) pages(assets http.Handler) {
	s.api.Raw("GET /healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeStatus(w, http.StatusOK, "ok", "") }))
	s.api.Raw("GET /readyz", http.HandlerFunc(s.ready))
	s.api.Raw("GET /metrics", http.HandlerFunc(s.metrics))
	description := sync.OnceValues(func() (yaml, js file) { // made when first asked for: most servers never are
		y, j, err := s.api.Description()
		if err != nil {
			s.log.Error("the API's description could not be made", "error", err.Error())
		}
		return newFile("application/yaml", y), newFile("application/json", j)
	})
	s.api.Raw("GET /openapi.yaml", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { y, _ := description(); y.ServeHTTP(w, r) }))
	s.api.Raw("GET /openapi.json", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, j := description(); j.ServeHTTP(w, r) }))
	for path, name := range map[string]string{"/docs": "index.html", "/docs/app.js": "app.js", "/docs/style.css": "style.css"} {
		s.api.Raw("GET "+path, referenceFile(name))
	}
	s.api.Raw("GET /{$}", http.RedirectHandler("/docs", http.StatusFound))
	s.api.Raw("GET /widget/", assets)
}

// ready says whether this server should get new requests.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	switch err := s.db.Ready(ctx); {
	case s.hub.Draining():
		writeStatus(w, http.StatusServiceUnavailable, "draining", "the server is shutting down")
	case err != nil:
		writeStatus(w, http.StatusServiceUnavailable, "database", fault.From(err).Message)
	default:
		reason := ""
		if s.shared.ping(ctx) != nil { // which is no reason to be left out: it is served without
			reason = "redis cannot be reached; runs are followed on their own server, and caches live a second"
		}
		writeStatus(w, http.StatusOK, "ready", reason)
	}
}

func writeStatus(w http.ResponseWriter, code int, status, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(struct {
		Status string `json:"status"`
		Reason string `json:"reason,omitempty"`
	}{status, reason})
}

// metrics on the main listener need the admin key: they tell how much every provider is used.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	cred, err := api.Credential(r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"))
	if err == nil {
		var p auth.Principal
		if p, err = s.ring.Verify(r.Context(), cred); err == nil && p.Kind != auth.Operator {
			err = fault.New(fault.Forbidden, "this path needs the operator's admin key, or a listener of its own (metrics_addr)")
		}
	}
	if err != nil {
		api.WriteFault(w, r, err)
		return
	}
	s.metricsPage().ServeHTTP(w, r)
}

func (s *Server) metricsPage() http.Handler {
	return promhttp.HandlerFor(s.reg, promhttp.HandlerOpts{})
}

// file is a small static answer with an ETag.
type file struct {
	contentType, etag string
	body              []byte
}

func newFile(contentType string, body []byte) file {
	sum := sha256.Sum256(body)
	return file{contentType, `"` + hex.EncodeToString(sum[:8]) + `"`, body}
}

// ServeHTTP implements http.Handler.
func (f file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache")
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	if strings.HasPrefix(f.contentType, "text/html") {
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	}
	_, _ = w.Write(f.body)
}

// referenceFile is one of the reference page's embedded files, which are there or the program would not have compiled.
func referenceFile(name string) file {
	body, err := reference.Files.ReadFile(name)
	if err != nil {
		panic("server: " + err.Error())
	}
	return newFile(mime.TypeByExtension(path.Ext(name)), body)
}
