package httptool

import (
	"encoding/json"
	"net/url"
	"path"
	"strings"
	"testing"
)

// FuzzFill: whatever the model puts into the path, it is refused or stays in its segment, however often the endpoint decodes what it reads.
func FuzzFill(f *testing.F) {
	for _, v := range []string{"7", "..", "%2e%2e", "a/../../b", "..;/x", "%252e%252e%255c", "?a#b", "\u202e", "..\\..", ".%2e", "%2e%2e;a/b", "//evil.example", "@evil", ".", "a%", "%zz/..", "%5C", "/", ";"} {
		f.Add(v)
	}
	a, err := parseAddress("https://api.example.com/orders/{id}/items")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, v string) {
		raw, err := json.Marshal(v)
		if err != nil {
			return
		}
		filled, err := a.fill(map[string]json.RawMessage{"id": raw})
		if err != nil {
			return
		}
		u, err := url.Parse(a.base + filled)
		if err != nil || u.Host != "api.example.com" || u.RawQuery != "" || u.Fragment != "" || strings.Count(u.EscapedPath(), "/") != 3 {
			t.Fatalf("%q becomes %s (%v)", v, filled, err)
		}
		for range 4 {
			if clean := path.Clean(strings.ReplaceAll(filled, "\\", "/")); !strings.HasPrefix(clean, "/orders/") || !strings.HasSuffix(clean, "/items") || clean == "/orders/items" {
				t.Fatalf("%q is read as %s", v, clean)
			}
			if filled, err = url.PathUnescape(filled); err != nil {
				return
			}
		}
	})
}
