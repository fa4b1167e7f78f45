// Package keys issues API keys, proves who holds one, and takes them back.
package keys

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
)

// Key is a credential of a tenant. The secret itself is never stored.
type Key struct {
	ID         string
	TenantID   string
	Name       string
	Last4      string
	Scopes     []string
	Status     string // Active or Revoked
	CreatedAt  db.Time
	ExpiresAt  db.Time // zero: never
	LastUsedAt db.Time // zero: never; right to about a minute
	RotatedTo  string  // the id of the key that replaces this one
}

// The states of a key. Expiry is not a state: it is a time that passes.
const (
	Active  = "active"
	Revoked = "revoked"
)

// Grant is what a caller asks for in a new key.
type Grant struct {
	Name      string
	Scopes    []string // empty: auth.DefaultScopes
	ExpiresAt time.Time
}

// Issue makes a key and its secret, which exists nowhere else.
func Issue(tenantID string, g Grant, now time.Time) (k Key, secret string) {
	secret = ids.NewSecret(ids.SecretKey)
	scopes := g.Scopes
	if len(scopes) == 0 {
		scopes = auth.DefaultScopes
	}
	return Key{ID: ids.New(ids.Key), TenantID: tenantID, Name: g.Name, Last4: ids.Last4(secret), Scopes: slices.Compact(slices.Sorted(slices.Values(scopes))),
		Status: Active, CreatedAt: db.At(now), ExpiresAt: db.At(g.ExpiresAt)}, secret
}

// within fills in the scopes of a grant that names none: the defaults, as far as a caller that is a key has them itself. A key that is older than a scope can go on making keys.
func (g Grant) within(caller auth.Principal) Grant {
	if len(g.Scopes) == 0 && caller.Kind != auth.Operator {
		g.Scopes = slices.DeleteFunc(slices.Clone(auth.DefaultScopes), func(s string) bool { return !caller.Has(s) })
		if len(g.Scopes) == 0 {
			g.Scopes = auth.DefaultScopes // which check refuses
		}
	}
	return g
}

// check validates what a schema cannot: known scopes, none above the caller's own, an expiry that is to come.
func (g Grant) check(caller auth.Principal, now time.Time) error {
	var bad []fault.Detail
	for i, s := range g.Scopes {
		if !slices.Contains(auth.Scopes, s) {
			bad = append(bad, fault.Detail{Field: fmt.Sprintf("scopes[%d]", i), Message: "unknown scope; the scopes are " + strings.Join(auth.Scopes, ", ")})
		}
	}
	if !g.ExpiresAt.IsZero() && !g.ExpiresAt.After(now) {
		bad = append(bad, fault.Detail{Field: "expires_at", Message: "must lie in the future"})
	}
	if len(bad) > 0 {
		f := fault.New(fault.ValidationFailed, "%s: %s", bad[0].Field, bad[0].Message).WithParam(bad[0].Field)
		f.Details = bad
		return f
	}
	if caller.Kind == auth.Operator {
		return nil
	}
	for _, s := range g.Scopes {
		if !caller.Has(s) {
			return fault.New(fault.ScopeMissing, "a key cannot grant the scope %s that it does not have", s)
		}
	}
	return nil
}

// state is what Verify needs to know of a key, as found by its digest.
type state struct {
	ID           string  `db:"id"`
	TenantID     string  `db:"tenant_id"`
	TenantStatus string  `db:"tenant_status"`
	Scopes       string  `db:"scopes"`
	Status       string  `db:"status"`
	ExpiresAt    db.Time `db:"expires_at"`
	LastUsedAt   db.Time `db:"last_used_at"`
	scopes       []string
}

// principal judges the key as it is now: status, expiry and the tenant's status in one step.
func (s state) principal(kind auth.Kind, now time.Time) (auth.Principal, error) {
	switch {
	case s.Status != Active:
		return auth.Principal{}, invalid()
	case !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt.Time):
		return auth.Principal{}, fault.New(fault.ExpiredKey, "this key has expired; make a new one with: clawless key create --tenant NAME")
	case s.TenantStatus != "active":
		return auth.Principal{}, fault.New(fault.TenantSuspended, "this tenant is suspended; the operator lifts it with: clawless tenant activate NAME")
	}
	return auth.Principal{Kind: kind, TenantID: s.TenantID, KeyID: s.ID, Scopes: s.scopes}, nil
}

func invalid() error {
	return fault.New(fault.InvalidKey, "the API key is not valid; check it, or make one with: clawless key create --tenant NAME")
}
