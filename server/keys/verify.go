package keys

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
)

// Ring proves keys. A key's state is cached for a second, which is also the longest that a revocation on another replica can take to be seen here; one made
// through this replica is seen at once.
type Ring struct {
	db    *db.DB
	cache *cache.Cache[state]

	mu   sync.Mutex
	used map[string]use // key id -> when it was last used and not yet written
}

type use struct {
	tenantID string
	at       time.Time
}

// NewRing makes a ring over the database.
func NewRing(d *db.DB) *Ring {
	return &Ring{db: d, cache: cache.New[state](50_000, time.Second), used: map[string]use{}}
}

// Verify finds the holder of an admin or secret key. A credential with a wrong checksum costs no query.
func (r *Ring) Verify(ctx context.Context, secret string) (auth.Principal, error) {
	kind, stmt := auth.Key, byDigest
	switch {
	case ids.ValidSecret(ids.SecretKey, secret):
	case ids.ValidSecret(ids.AdminKey, secret):
		kind, stmt = auth.Operator, adminByDigest
	case ids.ValidSecret(ids.PublishableKey, secret):
		return auth.Principal{}, fault.New(fault.Forbidden, "a publishable key (clw_pk_...) only opens the widget; use a secret key on your server")
	default:
		return auth.Principal{}, invalid()
	}
	digest := ids.Digest(secret)
	s, ok := r.cache.Get(digest)
	if !ok {
		err := r.db.Read(ctx, func(q db.Querier) (err error) {
			s, err = find(ctx, q, stmt, digest)
			return err
		})
		if fault.Is(err, fault.NotFound) {
			return auth.Principal{}, invalid()
		}
		if err != nil {
			return auth.Principal{}, err
		}
		r.cache.Set(digest, s)
	}
	now := time.Now()
	p, err := s.principal(kind, now)
	if err == nil && kind == auth.Key && now.Sub(s.LastUsedAt.Time) > time.Minute {
		r.note(p, now)
	}
	return p, err
}

func (r *Ring) note(p auth.Principal, now time.Time) {
	r.mu.Lock()
	r.used[p.KeyID] = use{p.TenantID, now}
	r.mu.Unlock()
}

// Flush writes when keys were last used; it is a periodic job, so that reading with a key is not a write.
func (r *Ring) Flush(ctx context.Context) error {
	r.mu.Lock()
	used := r.used
	r.used = map[string]use{}
	r.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	return r.db.Write(ctx, func(q db.Querier) error {
		for _, id := range slices.Sorted(maps.Keys(used)) { // in one order, or two servers could wait for each other
			u := used[id]
			if _, err := touch.Exec(ctx, q, db.TenantOf(u.tenantID), db.Args{"id": id, "at": db.At(u.at)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget drops every cached state; it is called after any change of a key or a tenant.
func (r *Ring) Forget() { r.cache.Clear() }

// HitRatio is the share of look-ups answered from the cache.
func (r *Ring) HitRatio() float64 { return r.cache.HitRatio() }

// EnsureAdmin registers the given admin key, or makes one when the server has none. It returns the secret it made, or "" when it made none.
func (r *Ring) EnsureAdmin(ctx context.Context, given string, reissue bool) (string, error) {
	if given != "" && !ids.ValidSecret(ids.AdminKey, given) {
		return "", fault.New(fault.InvalidKey, "CLAWLESS_ADMIN_KEY is not an admin key (clw_admin_..., with its checksum); unset it and let the server make one")
	}
	made := ""
	err := r.db.Write(ctx, func(q db.Querier) error {
		secret := given
		if secret == "" {
			var n int
			if err := countAdmins.Get(ctx, q, &n, nil); err != nil || n > 0 && !reissue {
				return err
			}
			secret = ids.NewSecret(ids.AdminKey)
			made = secret
		}
		_, err := insertAdmin.Exec(ctx, q, db.Args{"id": ids.New(ids.Key), "name": "admin", "digest": ids.Digest(secret), "last4": ids.Last4(secret), "now": db.At(time.Now())})
		return err
	})
	if err != nil {
		return "", err
	}
	return made, nil
}
