package widgets

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
)

const origin = "https://shop.example.com"

var newTenant = db.System("test.tenant", `INSERT INTO tenants (id, name, tier, status, settings, version, created_at, updated_at) VALUES (:id, :name, 'starter', 'active', '{}', 1, 1, 1)`)

func newGate(t *testing.T, d *db.DB) (*Gate, Visitor) {
	t.Helper()
	v := Visitor{ID: ids.New(ids.Visitor), TenantID: ids.New(ids.Tenant), WidgetID: ids.New(ids.Widget)}
	err := d.Write(t.Context(), func(q db.Querier) error {
		if _, err := newTenant.Exec(t.Context(), q, db.Args{"id": v.TenantID, "name": strings.ReplaceAll(v.TenantID, "_", "-")}); err != nil {
			return err
		}
		return Insert(t.Context(), q, Widget{ID: v.WidgetID, TenantID: v.TenantID, Origins: []string{origin}, Status: Active, CreatedAt: db.At(time.Now())}, ids.Digest(v.ID))
	})
	if err != nil {
		t.Fatal(err)
	}
	return NewGate(d, nil), v
}

// TestTokens: a token is good for its visitor, its origin and its quarter of an hour, and nothing that was not signed so is good for anything (attack cases 19 to 24 and 26).
func TestTokens(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		g, v := newGate(t, d)
		now := time.Now()
		token, expires, err := g.Sign(t.Context(), v, origin, now)
		if err != nil || expires.Sub(now) > tokenLife || expires.Sub(now) < tokenLife-2*time.Second {
			t.Fatalf("expires %s, %v", expires, err)
		}
		p, err := g.Verify(t.Context(), token, origin)
		if err != nil || p.Kind != auth.Visitor || p.TenantID != v.TenantID || p.VisitorID != v.ID || p.KeyID != v.WidgetID {
			t.Fatalf("%+v, %v", p, err)
		}
		replica := NewGate(d, nil)
		if _, err := replica.Verify(t.Context(), token, origin); err != nil {
			t.Errorf("on a replica: %v", err)
		}
		key, err := g.signingKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range forged(t, v, key, now) {
			if _, err := g.Verify(t.Context(), c.token, origin); !fault.Is(err, c.code) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, other := range []string{"", "null", "https://evil.test", "http://shop.example.com", origin + ":443"} {
			if _, err := g.Verify(t.Context(), token, other); !fault.Is(err, fault.OriginNotAllowed) {
				t.Errorf("18 from %q: %v", other, err)
			}
		}
	})
}

type forgery struct {
	token string
	code  fault.Code
}

func forged(t *testing.T, v Visitor, key []byte, now time.Time) map[string]forgery {
	t.Helper()
	sign := func(method jwt.SigningMethod, k any, alter func(*claims), header map[string]any) string {
		c := claims{Tenant: v.TenantID, Widget: v.WidgetID, Origin: origin, RegisteredClaims: jwt.RegisteredClaims{Subject: v.ID, Audience: jwt.ClaimStrings{audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute))}}
		if alter != nil {
			alter(&c)
		}
		tok := jwt.NewWithClaims(method, c)
		for name, value := range header {
			tok.Header[name] = value
		}
		s, err := tok.SignedString(k)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	hs := jwt.SigningMethodHS256
	good := sign(hs, key, nil, nil)
	parts := strings.Split(good, ".")
	swapped := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(decode(t, parts[1])), v.ID, "vis_other", 1)))
	return map[string]forgery{
		"19 expired": {sign(hs, key, func(c *claims) {
			c.IssuedAt, c.ExpiresAt = jwt.NewNumericDate(now.Add(-time.Hour)), jwt.NewNumericDate(now.Add(-time.Second))
		}, nil), fault.ExpiredKey},
		"20 alg none":             {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil), fault.InvalidKey},
		"21 another algorithm":    {sign(jwt.SigningMethodHS512, key, nil, nil), fault.InvalidKey},
		"21 another key":          {sign(hs, []byte("another"), nil, nil), fault.InvalidKey},
		"21 an empty key":         {sign(hs, []byte{}, nil, nil), fault.InvalidKey},
		"22 wrong audience":       {sign(hs, key, func(c *claims) { c.Audience = jwt.ClaimStrings{"clawless"} }, nil), fault.InvalidKey},
		"22 no audience":          {sign(hs, key, func(c *claims) { c.Audience = nil }, nil), fault.InvalidKey},
		"23 no expiry":            {sign(hs, key, func(c *claims) { c.ExpiresAt = nil }, nil), fault.InvalidKey},
		"24 expires in ten years": {sign(hs, key, func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(now.AddDate(10, 0, 0)) }, nil), fault.InvalidKey},
		"24 issued in the future": {sign(hs, key, func(c *claims) { c.IssuedAt = jwt.NewNumericDate(now.Add(time.Hour)) }, nil), fault.InvalidKey},
		"24 never issued":         {sign(hs, key, func(c *claims) { c.IssuedAt = nil }, nil), fault.InvalidKey},
		"26 kid of another file":  {sign(hs, []byte("\n"), nil, map[string]any{"kid": "../../../dev/null"}), fault.InvalidKey},
		"no visitor":              {sign(hs, key, func(c *claims) { c.Subject = "" }, nil), fault.InvalidKey},
		"16 another tenant":       {sign(hs, key, func(c *claims) { c.Tenant = "ten_other" }, nil), fault.InvalidKey},
		"17 another widget":       {sign(hs, key, func(c *claims) { c.Widget = "wgt_other" }, nil), fault.InvalidKey},
		"27 another visitor":      {parts[0] + "." + swapped + "." + parts[2], fault.InvalidKey},
		"cut":                     {parts[0] + "." + parts[1] + ".", fault.InvalidKey},
		"empty":                   {"..", fault.InvalidKey},
	}
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOrigins: what an operator may name as an origin.
func TestOrigins(t *testing.T) {
	for _, o := range []string{"https://a.com", "https://a-b.example.com:8443", "https://*.example.com", "http://localhost", "http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:8080", "https://xn--bcher-kva.example"} {
		if err := checkOrigin(o); err != nil {
			t.Errorf("%s: %v", o, err)
		}
	}
	for _, o := range []string{"", "*", "null", "a.com", "https://", "https://A.com", "https://a.com/", "https://a.com/x", "https://a.com?x", "https://a.com#x", "https://u@a.com", "http://a.com", "ftp://a.com", "https://*.com",
		"https://*", "https://a.*.com", "https://*.*.a.com", "https://**.a.com", "https://bücher.example", "https://a.com.", "https://-a.com", "https://a..com", "https://a.com:443", "http://localhost:80", "https://a.com:", "https://a.com:x", "https://a_b.com", "javascript:alert(1)", "https://a.com https://b.com"} {
		if err := checkOrigin(o); err == nil {
			t.Errorf("%s is accepted", o)
		}
	}
}

// FuzzAllows: an origin that passes a wildcard is one label below it and nothing else.
func FuzzAllows(f *testing.F) {
	for _, s := range []string{"https://a.example.org", "https://example.org", "https://a.b.example.org", "https://evil/.example.org", "https://a.example.org:1", "https://\x00.example.org"} {
		f.Add(s)
	}
	w := Widget{Origins: []string{"https://*.example.org"}}
	f.Fuzz(func(t *testing.T, origin string) {
		label, ok := strings.CutPrefix(origin, "https://")
		label, tail := strings.CutSuffix(label, ".example.org")
		plain := ok && tail && label != "" && strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
		if w.Allows(origin) && !plain {
			t.Errorf("%q passes", origin)
		}
	})
}

// TestSigningKeyOnce: servers that start at once agree on one key.
func TestSigningKeyOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		keys := make(chan string, 8)
		for range cap(keys) {
			go func() {
				k, err := NewGate(d, nil).signingKey(context.WithoutCancel(t.Context()))
				if err != nil {
					t.Error(err)
				}
				keys <- string(k)
			}()
		}
		first := <-keys
		for range cap(keys) - 1 {
			if k := <-keys; k != first || len(k) != 32 {
				t.Error("two keys, or one of another length")
			}
		}
	})
}
