package widgets

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// tokenLife is how long a visitor token is good for; the widget renews it with the visitor's secret.
const tokenLife = 15 * time.Minute

const (
	audience = "clawless-widget"
	stateKey = "visitor_token_key"
)

// claims are what a visitor token says. It is bound to one origin: another page cannot use it.
type claims struct {
	Tenant string `json:"ten"`
	Widget string `json:"wgt"`
	Origin string `json:"org"`
	jwt.RegisteredClaims
}

// ours reports whether Sign could have made the claims: whoever might get at the key, no token of theirs is to live longer than a real one.
func (c claims) ours() bool {
	return c.Subject != "" && c.IssuedAt != nil && c.ExpiresAt.Sub(c.IssuedAt.Time) <= tokenLife
}

// Gate proves visitors: it signs their tokens and checks them, against the widget as it is now.
type Gate struct {
	db      *db.DB
	widgets *cache.Cache[Widget] // by id or key digest, a second old at most
	origins *cache.Cache[Widget] // everybody's, for preflights
	extra   []string             // origins of the operator's settings

	mu  sync.Mutex
	key []byte
}

// NewGate makes a gate. extra are origins that may read answers to requests made with a secret key, from the server's settings.
func NewGate(d *db.DB, extra []string) *Gate {
	return &Gate{db: d, widgets: cache.New[Widget](10_000, time.Second), origins: cache.New[Widget](1, 5*time.Second), extra: extra}
}

// Forget drops the cached widgets after a change.
func (g *Gate) Forget() {
	g.widgets.Clear()
	g.origins.Clear()
}

// signingKey is shared by all replicas through the database and made once.
func (g *Gate) signingKey(ctx context.Context) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.key != nil {
		return g.key, nil
	}
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // crypto/rand never fails since Go 1.24
	var text string
	err := g.db.Write(ctx, func(q db.Querier) error {
		if _, err := writeState.Exec(ctx, q, db.Args{"name": stateKey, "value": base64.StdEncoding.EncodeToString(fresh)}); err != nil {
			return err
		}
		return readState.Get(ctx, q, &text, db.Args{"name": stateKey})
	})
	if err != nil {
		return nil, err
	}
	g.key, err = base64.StdEncoding.DecodeString(text)
	return g.key, err
}

// Sign makes a token for a visitor on a page of origin.
func (g *Gate) Sign(ctx context.Context, v Visitor, origin string, now time.Time) (token string, expires time.Time, err error) {
	key, err := g.signingKey(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	expires = now.Add(tokenLife).Truncate(time.Second)
	c := claims{Tenant: v.TenantID, Widget: v.WidgetID, Origin: origin, RegisteredClaims: jwt.RegisteredClaims{Subject: v.ID, Audience: jwt.ClaimStrings{audience},
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires)}}
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(key)
	return token, expires, err
}

// Verify finds the visitor behind a token sent from a page of origin.
func (g *Gate) Verify(ctx context.Context, token, origin string) (auth.Principal, error) {
	key, err := g.signingKey(ctx)
	if err != nil {
		return auth.Principal{}, err
	}
	var c claims
	_, err = jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return auth.Principal{}, fault.Wrap(err, fault.ExpiredKey, "the visitor token has expired; renew it with POST /v1/widget/session")
	case err != nil:
		return auth.Principal{}, fault.Wrap(err, fault.InvalidKey, "the visitor token is not valid; get one with POST /v1/widget/session")
	case !c.ours():
		return auth.Principal{}, fault.New(fault.InvalidKey, "the visitor token is not valid; get one with POST /v1/widget/session")
	}
	w, err := g.lookUp(ctx, c.Tenant+"/"+c.Widget, byID, db.Args{"tenant": c.Tenant, "id": c.Widget})
	if err != nil {
		return auth.Principal{}, err
	}
	if origin != c.Origin || !w.Allows(origin) {
		return auth.Principal{}, fault.New(fault.OriginNotAllowed, "this visitor token belongs to a page of another origin")
	}
	return auth.Principal{Kind: auth.Visitor, TenantID: c.Tenant, KeyID: c.Widget, VisitorID: c.Subject}, nil
}

func (g *Gate) lookUp(ctx context.Context, name string, stmt db.SystemStatement, args db.Args) (Widget, error) {
	if w, ok := g.widgets.Get(name); ok {
		return w, nil
	}
	var w Widget
	err := g.db.Read(ctx, func(q db.Querier) (err error) {
		w, err = find(ctx, q, stmt, args)
		return err
	})
	if err == nil {
		g.widgets.Set(name, w)
	}
	return w, err
}

// Known implements api.Origins: an origin of any widget, or of the operator's settings.
func (g *Gate) Known(ctx context.Context, origin string) bool {
	if (Widget{Origins: g.extra}).Allows(origin) {
		return true
	}
	known, ok := g.origins.Get("all")
	if !ok {
		err := g.db.Read(ctx, func(q db.Querier) (err error) {
			known, err = knownOrigins(ctx, q)
			return err
		})
		if err != nil {
			return false
		}
		g.origins.Set("all", known)
	}
	return known.Allows(origin)
}
