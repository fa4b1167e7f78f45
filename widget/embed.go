// Package widget serves the embeddable web chat and its demo page out of the binary.
package widget

import (
	"crypto/rand"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
)

//go:embed dist
var dist embed.FS

const (
	// evergreen files change with the server's version; a page that embeds them follows within minutes.
	evergreen = "public, max-age=300, stale-while-revalidate=86400"
	// immutable files have the hash of their content in their name.
	immutable = "public, max-age=31536000, immutable"
	prefix    = "/widget/v1/"
)

// Assets answers every path under /widget/. It is safe for concurrent use and holds all bodies
// in memory.
type Assets struct {
	files map[string]*file // by path
	demo  string
}

// file is one body in the encodings that were made with it.
type file struct {
	contentType  string
	cacheControl string
	etag         string // without quotes; each encoding adds its own ending
	plain        []byte
	gzip, brotli []byte // nil when the file is only served as it is
}

// Manifest says what this build of the widget consists of.
type Manifest struct {
	App   string               `json:"app"`   // name of the app chunk below /widget/v1/
	Files map[string]FileEntry `json:"files"` // by name
}

// FileEntry is one file of the Manifest; sizes are bytes, 0 where no such form exists.
type FileEntry struct {
	Bytes     int    `json:"bytes"`
	Gzip      int    `json:"gzip"`
	Brotli    int    `json:"brotli"`
	SHA256    string `json:"sha256"`
	Integrity string `json:"integrity,omitempty"` // value for a script tag's integrity attribute
}

// ReadManifest returns the manifest of the embedded build.
func ReadManifest() (Manifest, error) {
	var m Manifest
	text, err := dist.ReadFile("dist/manifest.json")
	if err != nil {
		return m, fmt.Errorf("read the widget's manifest: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("read the widget's manifest: %w", err)
	}
	return m, nil
}

// New prepares the embedded files for serving. It fails only when the binary was built from an
// incomplete dist folder.
func New() (*Assets, error) {
	m, err := ReadManifest()
	if err != nil {
		return nil, err
	}
	a := &Assets{files: map[string]*file{}}
	for name, entry := range m.Files {
		f, err := open(name, entry)
		if err != nil {
			return nil, err
		}
		switch name {
		case "demo.html":
			a.demo = string(f.plain)
			continue
		case m.App:
			f.cacheControl = immutable
			// The same chunk under a name that stays: a loader cached over an upgrade of the
			// server finds its own chunk gone and takes this one.
			stable := *f
			stable.cacheControl = evergreen
			a.files[prefix+"app.js"] = &stable
		}
		a.files[prefix+name] = f
	}
	if a.demo == "" || a.files[prefix+m.App] == nil || a.files[prefix+"clawless.js"] == nil {
		return nil, fmt.Errorf("the widget's dist folder is incomplete: build it with: make widget")
	}
	return a, nil
}

func open(name string, entry FileEntry) (*file, error) {
	f := &file{contentType: mime.TypeByExtension(path.Ext(name)), cacheControl: evergreen}
	if path.Ext(name) == ".js" {
		f.contentType = "text/javascript; charset=utf-8" // whatever the system's table says
	}
	if len(entry.SHA256) < 32 {
		return nil, fmt.Errorf("the widget's manifest has no hash for %s", name)
	}
	f.etag = entry.SHA256[:32]
	for _, part := range []struct {
		ending string
		size   int
		into   *[]byte
	}{{"", entry.Bytes, &f.plain}, {".gz", entry.Gzip, &f.gzip}, {".br", entry.Brotli, &f.brotli}} {
		if part.size == 0 {
			continue
		}
		body, err := dist.ReadFile("dist/" + name + part.ending)
		if err != nil {
			return nil, fmt.Errorf("read the widget: %w", err)
		}
		*part.into = body
	}
	return f, nil
}

// ServeHTTP answers GET and HEAD of the widget's files, and 404 for every other path.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	f := a.files[r.URL.Path] // only exact names: nothing is looked up on a disk
	isDemo := r.URL.Path == "/widget/demo"
	if f == nil && !isDemo {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if isDemo {
		a.serveDemo(w, r)
		return
	}
	f.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", f.cacheControl)
	h.Add("Vary", "Accept-Encoding")
	// Pages of any origin may run these files; they hold nothing of any tenant.
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Allow-Origin", "*")
	body, etag := f.plain, `"`+f.etag+`"`
	switch encoding := negotiate(r.Header.Get("Accept-Encoding")); {
	case encoding == "br" && f.brotli != nil:
		body, etag = f.brotli, `"`+f.etag+`-br"`
		h.Set("Content-Encoding", "br")
	case encoding != "" && f.gzip != nil:
		body, etag = f.gzip, `"`+f.etag+`-gz"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", etag)
	if matches(r.Header.Get("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a caller that went away needs no answer
	}
}

// negotiate picks br, gzip or "" from an Accept-Encoding header, br first.
func negotiate(accept string) string {
	best := ""
	for _, part := range strings.Split(accept, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := strings.TrimPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		if weight, err := strconv.ParseFloat(q, 64); err == nil && weight == 0 {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "br":
			return "br"
		case "gzip", "*":
			best = "gzip"
		}
	}
	return best
}

// matches compares an If-None-Match header weakly, as RFC 9110 asks for.
func matches(header, etag string) bool {
	for _, part := range strings.Split(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == etag {
			return true
		}
	}
	return false
}

// demoFields are the parameters of the demo page that become attributes of its script tag, with
// what each may look like. All else is left out, so no text of the address reaches the markup.
var demoFields = []struct {
	name string
	like *regexp.Regexp
}{
	{"key", regexp.MustCompile(`^clw_pk_[A-Za-z0-9_-]{1,200}$`)},
	{"color", regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)},
	{"theme", regexp.MustCompile(`^(auto|light|dark)$`)},
	{"position", regexp.MustCompile(`^(left|right)$`)},
}

func (a *Assets) serveDemo(w http.ResponseWriter, r *http.Request) {
	nonce := newNonce()
	loader := ""
	query := r.URL.Query()
	if demoFields[0].like.MatchString(query.Get("key")) {
		loader = `<script nonce="` + nonce + `" async src="` + prefix + `clawless.js"`
		for _, field := range demoFields {
			if value := query.Get(field.name); field.like.MatchString(value) {
				loader += ` data-` + field.name + `="` + value + `"`
			}
		}
		loader += `></script>`
	}
	page := strings.NewReplacer("NONCE", nonce, "<!--LOADER-->", loader).Replace(a.demo)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the key stands in the address
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; style-src 'nonce-"+nonce+
		"'; script-src 'nonce-"+nonce+"' 'strict-dynamic'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(page)) // as in serve
	}
}

func newNonce() string {
	b := make([]byte, 18)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return base64.StdEncoding.EncodeToString(b)
}
