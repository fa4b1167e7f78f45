package widgettest

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Target is a server with a widget to test.
type Target struct {
	Server string // base URL
	Key    string // publishable key; the widget's origins contain Page.Origin
}

// Page is the page of a tenant on an origin of its own. It does all that a page can do to spoil
// a widget: its styles unset everything with !important, its Content-Security-Policy allows
// nothing but scripts with the nonce, and Trusted Types are required.
type Page struct {
	Origin string

	mu   sync.Mutex
	html string
	csp  string
}

const nonce = "cGFnZS1ub25jZQ"

const hostileStyle = `* { all: unset !important; } head, style, script { display: none !important; }
clawless-chat { display: none !important; opacity: 0 !important; transform: rotate(45deg) !important; }
button, textarea, p, svg { color: red !important; font-size: 3px !important; background: lime !important; }`

const gentleStyle = `body { margin: 0; font: 16px/1.6 system-ui, sans-serif; background: #f4f4f1; color: #333; }
main { max-width: 620px; margin: 64px; } h1 { font-size: 40px; line-height: 1.15; letter-spacing: -0.02em; }`

// NewPage starts the page's server, which ends with the test.
func NewPage(t testing.TB) *Page {
	t.Helper()
	p := &Page{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", p.csp)
		fmt.Fprint(w, p.html)
	}))
	t.Cleanup(server.Close)
	p.Origin = server.URL
	return p
}

// Embed puts the widget of the target on the page, with more attributes for its script tag as
// name, value, name, value. Gentle pages have no hostile styles, for screenshots.
func (p *Page) Embed(target Target, gentle bool, attributes ...string) {
	style := hostileStyle
	if gentle {
		style = gentleStyle
	}
	tag := fmt.Sprintf(`<script nonce="%s" async src="%s/widget/v1/clawless.js" data-key="%s"`, nonce, target.Server, html.EscapeString(target.Key))
	dir := "ltr"
	for pair := range slices.Chunk(attributes, 2) {
		if pair[0] == "dir" {
			dir = pair[1]
			continue
		}
		tag += fmt.Sprintf(` %s="%s"`, pair[0], html.EscapeString(pair[1]))
	}
	page := `<!doctype html><html lang="en" dir="DIR"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A shop</title><link rel="icon" href="data:,"><style nonce="NONCE">STYLE</style>
<script nonce="NONCE">
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => violations.push("policy violation: " + e.violatedDirective + " " + e.blockedURI + " " + e.sample));
window.globals = new Set(Object.getOwnPropertyNames(window));
(window.Clawless = window.Clawless || []).push(["on", "ready", () => (window.isReady = true)]);
</script></head><body><main><h1>Boots for every weather</h1><p>Handmade since 1911. <a href="#">Look at the boots</a></p>
<button id="own">A button of the page</button></main>` + tag + `></script></body></html>`
	p.mu.Lock()
	defer p.mu.Unlock()
	p.html = strings.NewReplacer("NONCE", nonce, "STYLE", style, "DIR", dir).Replace(page)
	p.csp = fmt.Sprintf("default-src 'none'; script-src 'nonce-%[1]s' 'strict-dynamic'; style-src 'nonce-%[1]s'; img-src data:; connect-src %[2]s; "+
		"base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'", nonce, target.Server)
}
