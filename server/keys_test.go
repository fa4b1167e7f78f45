package server

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/ids"
)

// status is what a key gets for reading its own tenant.
func (r *rig) status(key string) int {
	r.t.Helper()
	return r.do(request{Path: "/v1/tenant", Key: key}).status
}

// TestEveryKeyAuthenticates: every key ever issued opens its own tenant, through HTTP and through the ring, and no mutation of one opens anything.
func TestEveryKeyAuthenticates(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		random := rand.New(rand.NewPCG(3, 4))
		owners := map[string]customer{}
		var list []string
		for i := range 3 {
			c := r.tenant(fmt.Sprint("tenant-", i), nil)
			owners[c.Key] = c
			list = append(list, c.Key)
			for range 40 {
				_, secret := r.key(c)
				owners[secret] = c
				list = append(list, secret)
			}
		}
		for _, secret := range list {
			p, err := r.s.ring.Verify(t.Context(), secret)
			if err != nil || p.TenantID != owners[secret].ID || p.Kind != auth.Key {
				t.Fatalf("the ring: %+v, %v", p, err)
			}
			var own struct{ ID string }
			if r.want(200, request{Path: "/v1/tenant", Key: secret}, &own); own.ID != owners[secret].ID {
				t.Fatalf("a key of %s opens %s", owners[secret].ID, own.ID)
			}
			i := len(ids.SecretKey) + random.IntN(len(secret)-len(ids.SecretKey))
			for _, mutant := range []string{secret[:i] + "z" + secret[i+1:], secret[:len(secret)-1], secret + "0", strings.ToUpper(secret), "clw_admin_" + secret[len(ids.SecretKey):], ids.NewSecret(ids.SecretKey)} {
				if _, known := owners[mutant]; !known && r.status(mutant) != 401 {
					t.Fatalf("a key that was never issued opens something")
				}
			}
		}
	})
}

// FuzzCredential: no Authorization header opens anything or breaks the server.
func FuzzCredential(f *testing.F) {
	for _, s := range []string{"", "Bearer ", "Bearer x", "bearer clw_sk_", "Basic eA==", "Bearer a b", "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer clw_pk_x", "\x00", "Bearer é", "' OR 1=1 --"} {
		f.Add(s)
	}
	r := newRig(f, sharedDB(f), nil)
	f.Fuzz(func(t *testing.T, header string) {
		req, err := http.NewRequest("GET", r.url+"/v1/tenant", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Authorization"] = []string{header}
		res, err := r.http.Do(req)
		if err != nil {
			return // not a header that HTTP can carry
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("%q: %d, %v", header, res.StatusCode, err)
		}
	})
}

// TestKeyLife: expiry, revocation here at once and on a replica within a second, rotation with a grace period.
func TestKeyLife(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		other := r.replica()
		t.Run("revoked", func(t *testing.T) {
			id, secret := r.key(acme)
			if r.status(secret) != 200 || other.status(secret) != 200 {
				t.Fatal("a new key does not work")
			}
			r.want(204, request{Method: "DELETE", Path: "/v1/keys/" + id, Key: acme.Key}, nil)
			start := time.Now()
			if got := r.status(secret); got != 401 {
				t.Errorf("revoked here: %d", got)
			}
			eventually(t, 2*time.Second, "revoked on the replica", func() bool { return other.status(secret) == 401 })
			if took := time.Since(start); took > 1200*time.Millisecond {
				t.Errorf("the replica took %s", took)
			}
		})
		t.Run("expired", func(t *testing.T) {
			var k struct{ ID, Key string }
			r.want(201, request{Method: "POST", Path: "/v1/keys", Key: acme.Key, Body: map[string]any{"expires_at": time.Now().Add(700 * time.Millisecond)}}, &k)
			r.log.secret(k.Key)
			if r.status(k.Key) != 200 {
				t.Fatal("a key that expires later does not work")
			}
			eventually(t, 2*time.Second, "expired", func() bool { return r.status(k.Key) == 401 })
			p := r.do(request{Path: "/v1/tenant", Key: k.Key}).problem(t)
			if p.Code != "expired_api_key" {
				t.Errorf("code %s", p.Code)
			}
			var list struct {
				Data []struct{ ID, Status string }
			}
			r.want(200, request{Path: "/v1/keys", Key: acme.Key}, &list)
			if list.Data[0].ID != k.ID || list.Data[0].Status != "expired" {
				t.Errorf("listed as %+v", list.Data[0])
			}
			r.want(409, request{Method: "POST", Path: "/v1/keys/" + k.ID + "/rotate", Key: acme.Key}, nil)
		})
		t.Run("rotated", func(t *testing.T) { rotates(t, r, acme) })
	})
}

func rotates(t *testing.T, r *rig, acme customer) {
	id, old := r.key(acme, "chat:write", "tenant:read")
	var next struct {
		ID, Key string
		Scopes  []string
	}
	r.want(201, request{Method: "POST", Path: "/v1/keys/" + id + "/rotate", Key: acme.Key, Body: map[string]any{"grace_seconds": 1}}, &next)
	r.log.secret(next.Key)
	if strings.Join(next.Scopes, " ") != "chat:write tenant:read" {
		t.Errorf("scopes of the successor: %v", next.Scopes)
	}
	if r.status(old) != 200 || r.status(next.Key) != 200 {
		t.Error("within the grace period both work")
	}
	r.want(409, request{Method: "POST", Path: "/v1/keys/" + id + "/rotate", Key: acme.Key}, nil)
	eventually(t, 3*time.Second, "the grace period ends", func() bool { return r.status(old) == 401 })
	if r.status(next.Key) != 200 {
		t.Error("the successor does not work")
	}
	var at struct{ ID, Key string }
	r.want(201, request{Method: "POST", Path: "/admin/tenants/acme/keys/" + next.ID + "/rotate", Key: r.admin, Body: map[string]any{"grace_seconds": 0}}, &at)
	r.log.secret(at.Key)
	if r.status(next.Key) != 401 || r.status(at.Key) != 200 {
		t.Error("without a grace period the old key works on, or the new one does not")
	}
}

// TestRotateOnce: of many rotations of one key at a time one succeeds, so that no successor is lost.
func TestRotateOnce(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		id, _ := r.key(acme)
		var wg sync.WaitGroup
		got := make(chan int, 8)
		for range cap(got) {
			wg.Go(func() { got <- r.do(request{Method: "POST", Path: "/v1/keys/" + id + "/rotate", Key: acme.Key}).status })
		}
		wg.Wait()
		close(got)
		count := map[int]int{}
		for s := range got {
			count[s]++
		}
		if count[201] != 1 || count[409] != cap(got)-1 {
			t.Errorf("statuses: %v", count)
		}
	})
}

// TestScopes: a key does what its scopes say, is told which one it lacks, and grants nothing that it does not have.
func TestScopes(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	_, narrow := r.key(acme, "keys:write", "keys:read")
	strongID, _ := r.key(acme, allScopes...)
	r.play(t, []scenario{
		{"lacks a scope", request{Path: "/v1/usage", Key: narrow}, 403, []string{"usage:read", `"code":"scope_missing"`}, nil},
		{"grants what it has", request{Method: "POST", Path: "/v1/keys", Key: narrow, Body: `{"scopes":["keys:read"]}`}, 201, []string{`"scopes":["keys:read"]`}, nil},
		{"grants what it has not", request{Method: "POST", Path: "/v1/keys", Key: narrow, Body: `{"scopes":["keys:read","chat:write"]}`}, 403, []string{"chat:write"}, nil},
		{"grants the defaults without having them", request{Method: "POST", Path: "/v1/keys", Key: narrow, Body: `{}`}, 403, []string{`"code":"scope_missing"`}, nil},
		{"rotates a stronger key", request{Method: "POST", Path: "/v1/keys/" + strongID + "/rotate", Key: narrow}, 403, []string{`"code":"scope_missing"`}, nil},
		{"unknown scope", request{Method: "POST", Path: "/v1/keys", Key: acme.Key, Body: `{"scopes":["admin"]}`}, 422, []string{"scopes[0]", "keys:write"}, nil},
		{"a tenant's key at the operator's door", request{Path: "/admin/tenants", Key: acme.Key}, 403, []string{"clw_admin_"}, nil},
		{"the operator at a tenant's door", request{Path: "/v1/usage", Key: r.admin}, 403, []string{"clw_sk_"}, nil},
	})
	for _, k := range r.listKeys(acme) {
		for _, field := range []string{"key", "digest", "secret"} {
			if _, has := k[field]; has {
				t.Errorf("a listed key shows %s: %v", field, k)
			}
		}
	}
}

func (r *rig) listKeys(c customer) []map[string]any {
	r.t.Helper()
	var list struct{ Data []map[string]any }
	r.want(200, request{Path: "/admin/tenants/" + c.ID + "/keys", Key: r.admin}, &list)
	return list.Data
}

// TestSuspended: a suspended tenant is refused everywhere at once, and served again when it is activated.
func TestSuspended(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		acme := r.tenant("acme", nil)
		w := r.widget(acme)
		v := r.visitor(w, nil)
		for _, verb := range []string{"suspend", "activate"} {
			want := map[string]int{"suspend": 403, "activate": 200}[verb]
			r.want(200, request{Method: "POST", Path: "/admin/tenants/acme/" + verb, Key: r.admin}, nil)
			for name, q := range map[string]request{
				"key":             {Path: "/v1/tenant", Key: acme.Key},
				"chat":            post(acme.Key, ask("mock/echo", "x", nil)),
				"publishable key": {Path: "/v1/widget/config", Key: w.Key, Header: w.origin()},
				"visitor token":   {Path: "/v1/sessions", Key: v.Token, Header: w.origin()},
			} {
				if a := r.do(q); a.status != want || want == 403 && a.problem(t).Code != "tenant_suspended" {
					t.Errorf("%s, %s: %d %s", verb, name, a.status, a.body)
				}
			}
		}
	})
}

// TestLastUsed: when a key was last used can be read soon after, without a write for every call.
func TestLastUsed(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		for range 5 {
			r.status(acme.Key)
		}
		if err := r.s.ring.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		k := r.listKeys(acme)[0]
		at, err := time.Parse(time.RFC3339, fmt.Sprint(k["last_used_at"]))
		if err != nil || time.Since(at) > time.Minute || !strings.HasSuffix(fmt.Sprint(k["last_used_at"]), "Z") {
			t.Errorf("last_used_at is %v", k["last_used_at"])
		}
		if err := r.s.ring.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRevokedWhileAnswering: the streams of a key that is revoked, and of a tenant that is suspended, end with an error event, here at once and on a replica within seconds.
func TestRevokedWhileAnswering(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		other := r.replica()
		model := r.up.on("endless", func(c *upcall) {
			c.text("some")
			<-c.gone
		})
		for _, where := range []*rig{r, other} {
			for _, session := range []bool{false, true} {
				id, secret := r.key(acme)
				more := map[string]any{"stream": true}
				if session {
					more["session_id"] = r.session(acme.Key, nil)
				}
				f := where.stream(post(secret, ask(model, "x", more)))
				f.next()
				f.next()
				r.want(204, request{Method: "DELETE", Path: "/v1/keys/" + id, Key: acme.Key}, nil)
				if where == other {
					if err := other.s.dismiss(t.Context()); err != nil { // what its periodic job does
						t.Fatal(err)
					}
				}
				_, failed, _ := collect(t, f.rest())
				if failed == nil || failed.Code != "invalid_api_key" {
					t.Errorf("session %v: the stream ended with %+v", session, failed)
				}
			}
		}
	})
}
