package widget_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/clawless/clawless/widget"
)

const loaderPath = "/widget/v1/clawless.js"

func newAssets(t *testing.T) (*widget.Assets, widget.Manifest) {
	t.Helper()
	assets, err := widget.New()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := widget.ReadManifest()
	if err != nil {
		t.Fatal(err)
	}
	return assets, manifest
}

func get(t *testing.T, h http.Handler, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSizesStayInTheBudget(t *testing.T) {
	_, m := newAssets(t)
	for name, limit := range map[string]int{"clawless.js": 2000, m.App: 28000} {
		if size := m.Files[name].Gzip; size == 0 || size > limit {
			t.Errorf("%s is %d bytes gzipped, the budget is %d", name, size, limit)
		}
	}
}

func TestFilesAreWhatTheManifestSays(t *testing.T) {
	assets, m := newAssets(t)
	for name, entry := range m.Files {
		if name == "demo.html" {
			continue
		}
		plain := body(t, get(t, assets, "GET", "/widget/v1/"+name))
		sum := sha256.Sum256(plain)
		if hex.EncodeToString(sum[:]) != entry.SHA256 || len(plain) != entry.Bytes {
			t.Errorf("%s differs from its manifest entry", name)
		}
		sri := sha512.Sum384(plain)
		if want := "sha384-" + base64.StdEncoding.EncodeToString(sri[:]); entry.Integrity != "" && entry.Integrity != want {
			t.Errorf("%s has the integrity %s, not %s", name, entry.Integrity, want)
		}
		zipped := get(t, assets, "GET", "/widget/v1/"+name, "Accept-Encoding", "gzip")
		r, err := gzip.NewReader(bytes.NewReader(body(t, zipped)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if unzipped, err := io.ReadAll(r); err != nil || !bytes.Equal(unzipped, plain) {
			t.Errorf("%s.gz is not %s (%v)", name, name, err)
		}
	}
}

func TestLoaderNamesTheAppChunk(t *testing.T) {
	assets, m := newAssets(t)
	loader := string(body(t, get(t, assets, "GET", loaderPath)))
	if !strings.Contains(loader, `"`+m.App+`"`) {
		t.Errorf("the loader does not fetch %s", m.App)
	}
	stable := get(t, assets, "GET", "/widget/v1/app.js")
	if stable.StatusCode != 200 || stable.Header.Get("Cache-Control") != "public, max-age=300, stale-while-revalidate=86400" {
		t.Errorf("app.js: %d, %s", stable.StatusCode, stable.Header.Get("Cache-Control"))
	}
}

func TestHeaders(t *testing.T) {
	assets, m := newAssets(t)
	for path, cache := range map[string]string{
		loaderPath:                "public, max-age=300, stale-while-revalidate=86400",
		"/widget/v1/" + m.App:     "public, max-age=31536000, immutable",
		"/widget/v1/app.js":       "public, max-age=300, stale-while-revalidate=86400",
		"/widget/v1/LICENSES.txt": "public, max-age=300, stale-while-revalidate=86400",
	} {
		res := get(t, assets, "GET", path)
		want := map[string]string{
			"Cache-Control":                cache,
			"X-Content-Type-Options":       "nosniff",
			"Cross-Origin-Resource-Policy": "cross-origin",
			"Access-Control-Allow-Origin":  "*",
			"Vary":                         "Accept-Encoding",
		}
		if strings.HasSuffix(path, ".js") {
			want["Content-Type"] = "text/javascript; charset=utf-8"
		}
		for name, value := range want {
			if got := res.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q, not %q", path, name, got, value)
			}
		}
	}
}

func TestEncodings(t *testing.T) {
	assets, _ := newAssets(t)
	etags := map[string]string{}
	for accept, want := range map[string]string{
		"":                         "",
		"identity":                 "",
		"gzip":                     "gzip",
		"gzip, deflate, br, zstd":  "br",
		"br;q=0, gzip;q=0.5":       "gzip",
		"gzip;q=0":                 "",
		"deflate, *;q=0.1":         "gzip",
		"gzip; q=0.000, br; q=0.0": "",
	} {
		res := get(t, assets, "GET", loaderPath, "Accept-Encoding", accept)
		if got := res.Header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q is answered with %q, not %q", accept, got, want)
		}
		if known := etags[want]; known != "" && known != res.Header.Get("ETag") {
			t.Errorf("two ETags for the encoding %q", want)
		}
		etags[want] = res.Header.Get("ETag")
	}
	if len(map[string]bool{etags[""]: true, etags["gzip"]: true, etags["br"]: true}) != 3 {
		t.Errorf("encodings share an ETag: %v", etags)
	}
}

func TestConditionalAndHead(t *testing.T) {
	assets, _ := newAssets(t)
	etag := get(t, assets, "GET", loaderPath, "Accept-Encoding", "gzip").Header.Get("ETag")
	for header, want := range map[string]int{
		etag:                    304,
		"W/" + etag:             304,
		`"other", ` + etag:      304,
		"*":                     304,
		`"other"`:               200,
		strings.Trim(etag, `"`): 200,
	} {
		res := get(t, assets, "GET", loaderPath, "Accept-Encoding", "gzip", "If-None-Match", header)
		if res.StatusCode != want {
			t.Errorf("If-None-Match %s is answered with %d, not %d", header, res.StatusCode, want)
		}
		if want == 304 && (len(body(t, res)) > 0 || res.Header.Get("ETag") != etag) {
			t.Errorf("If-None-Match %s: a 304 has a body or no ETag", header)
		}
	}
	head := get(t, assets, "HEAD", loaderPath)
	if head.StatusCode != 200 || head.Header.Get("Content-Length") == "" || len(body(t, head)) != 0 {
		t.Errorf("HEAD: %d, length %q", head.StatusCode, head.Header.Get("Content-Length"))
	}
	post := get(t, assets, "POST", loaderPath)
	if post.StatusCode != 405 || post.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", post.StatusCode, post.Header.Get("Allow"))
	}
}

func TestOtherPathsAreNotFound(t *testing.T) {
	assets, m := newAssets(t)
	for _, path := range []string{
		"/widget/", "/widget/v1/", "/widget/v1", "/widget/v1/manifest.json", "/widget/v1/demo.html", "/widget/v1/clawless.js/",
		"/widget/v1/../embed.go", "/widget/v1/..%2f..%2fembed.go", "/widget/v1/%2e%2e/embed.go", "/widget/v1//clawless.js",
		"/widget/v1/" + m.App + ".gz", "/widget/v2/clawless.js", "/widget/v1/clawless.js%00", "/widget/demo/",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path, r.URL.RawPath = path, ""
		w := httptest.NewRecorder()
		assets.ServeHTTP(w, r)
		if w.Code != 404 {
			t.Errorf("%s is answered with %d", path, w.Code)
		}
	}
}

func TestDemo(t *testing.T) {
	assets, _ := newAssets(t)
	res := get(t, assets, "GET", "/widget/demo?key=clw_pk_live_abc-1&color=%23aabbcc&theme=dark&position=left&server=https://evil.test")
	page := string(body(t, res))
	nonce := regexp.MustCompile(`'nonce-([^']+)'`).FindStringSubmatch(res.Header.Get("Content-Security-Policy"))
	if nonce == nil || strings.Contains(page, "NONCE") || !strings.Contains(page, `nonce="`+nonce[1]+`"`) {
		t.Fatalf("the page and its policy do not share a nonce: %v", nonce)
	}
	tag := `async src="/widget/v1/clawless.js" data-key="clw_pk_live_abc-1" data-color="#aabbcc" data-theme="dark" data-position="left"></script>`
	if !strings.Contains(page, tag) || strings.Contains(page, "evil.test") {
		t.Error("the page does not embed the widget as asked")
	}
	if other := get(t, assets, "GET", "/widget/demo").Header.Get("Content-Security-Policy"); strings.Contains(other, nonce[1]) {
		t.Error("two answers share a nonce")
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}

func TestDemoTakesNoMarkup(t *testing.T) {
	assets, _ := newAssets(t)
	for _, query := range []string{
		"key=clw_pk_x%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "key=clw_sk_secret", "key=clw_pk_", "key=",
		"key=clw_pk_ok&theme=%22onload=alert(1)", "key=clw_pk_ok&color=red%22", "key=clw_pk_ok%0a",
	} {
		page := string(body(t, get(t, assets, "GET", "/widget/demo?"+query)))
		if strings.Contains(page, "alert(1)") || strings.Contains(page, "secret") || strings.Contains(page, `red"`) {
			t.Errorf("%s reaches the page", query)
		}
	}
}
