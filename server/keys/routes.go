package keys

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
)

// Routes serves keys twice: to the operator for any tenant, and to a tenant for its own.
type Routes struct {
	DB   *db.DB
	Ring *Ring
	// Tenant turns an id or a name into the id of an existing tenant.
	Tenant func(ctx context.Context, q db.Querier, idOrName string) (string, error)
	// Audit records a change in the transaction that makes it.
	Audit func(ctx context.Context, q db.Querier, tenantID, action, target string) error
	// Revoked is told after a key was revoked, so that its work under way ends. It may be nil.
	Revoked func(tenantID, keyID string)
}

// KeyBody is the wire form of a key. The secret is there at creation and rotation only.
type KeyBody struct {
	ID         string     `json:"id"`
	Key        string     `json:"key,omitempty" doc:"The secret, shown this once"`
	Name       string     `json:"name"`
	Last4      string     `json:"last4" doc:"The last four characters of the secret"`
	Scopes     []string   `json:"scopes" nullable:"false"`
	Status     string     `json:"status" enum:"active,revoked,expired"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty" doc:"Right to about a minute"`
	RotatedTo  string     `json:"rotated_to,omitempty" doc:"The key that replaces this one"`
}

// CreateKeyRequest asks for a key.
type CreateKeyRequest struct {
	Name      string     `json:"name,omitempty" maxLength:"100" doc:"What it is for"`
	Scopes    []string   `json:"scopes,omitempty" maxItems:"20" doc:"What it may do; empty grants all but the management of keys and tools, as far as the caller has it"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// RotateKeyRequest asks for a successor of a key.
type RotateKeyRequest struct {
	GraceSeconds *int64 `json:"grace_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"How long the old key still works; 24 hours when left out"`
}

// KeyPath names a key.
type KeyPath struct {
	Key string `path:"key" maxLength:"64" doc:"The key's id"`
}

type (
	adminList struct {
		api.TenantPath
		api.PageParams
	}
	adminCreate struct {
		api.TenantPath
		api.Idempotent
		Body CreateKeyRequest
	}
	adminKey struct {
		api.TenantPath
		KeyPath
	}
	adminRotate struct {
		api.TenantPath
		KeyPath
		api.Idempotent
		Body *RotateKeyRequest
	}
	ownCreate struct {
		api.Idempotent
		Body CreateKeyRequest
	}
	ownRotate struct {
		KeyPath
		api.Idempotent
		Body *RotateKeyRequest
	}
	keyOut  struct{ Body KeyBody }
	listOut struct{ Body api.Page[KeyBody] }
	none    struct{}
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, DefaultStatus: status, Tags: []string{"keys"}}
	}
	admin := "/admin/tenants/{tenant}/keys"
	api.Handle(a, api.OperatorOnly(), op("create-tenant-key", "POST", admin, "Make a key for a tenant", 201), func(ctx context.Context, in *adminCreate) (*keyOut, error) {
		return r.create(ctx, in.Tenant, in.Body)
	})
	api.Handle(a, api.OperatorOnly(), op("list-tenant-keys", "GET", admin, "List a tenant's keys, newest first", 200), func(ctx context.Context, in *adminList) (*listOut, error) {
		return r.list(ctx, in.Tenant, in.PageParams)
	})
	api.Handle(a, api.OperatorOnly(), op("revoke-tenant-key", "DELETE", admin+"/{key}", "Revoke a tenant's key at once", 204), func(ctx context.Context, in *adminKey) (*none, error) {
		return nil, r.revoke(ctx, in.Tenant, in.Key)
	})
	api.Handle(a, api.OperatorOnly(), op("rotate-tenant-key", "POST", admin+"/{key}/rotate", "Replace a tenant's key", 201), func(ctx context.Context, in *adminRotate) (*keyOut, error) {
		return r.rotate(ctx, in.Tenant, in.Key, in.Body)
	})
	own := func(ctx context.Context) string { return auth.From(ctx).TenantID }
	write, read := api.KeyWith(auth.ScopeKeysWrite), api.KeyWith(auth.ScopeKeysRead)
	api.Handle(a, write, op("create-key", "POST", "/v1/keys", "Make a key, with no scope that this one lacks", 201), func(ctx context.Context, in *ownCreate) (*keyOut, error) {
		return r.create(ctx, own(ctx), in.Body)
	})
	api.Handle(a, read, op("list-keys", "GET", "/v1/keys", "List this tenant's keys, newest first", 200), func(ctx context.Context, in *api.PageParams) (*listOut, error) {
		return r.list(ctx, own(ctx), *in)
	})
	api.Handle(a, write, op("revoke-key", "DELETE", "/v1/keys/{key}", "Revoke a key at once", 204), func(ctx context.Context, in *KeyPath) (*none, error) {
		return nil, r.revoke(ctx, own(ctx), in.Key)
	})
	api.Handle(a, write, op("rotate-key", "POST", "/v1/keys/{key}/rotate", "Replace a key", 201), func(ctx context.Context, in *ownRotate) (*keyOut, error) {
		return r.rotate(ctx, own(ctx), in.Key, in.Body)
	})
}

func (r Routes) create(ctx context.Context, tenant string, body CreateKeyRequest) (*keyOut, error) {
	now := time.Now()
	g := Grant{Name: body.Name, Scopes: body.Scopes}
	if body.ExpiresAt != nil {
		g.ExpiresAt = *body.ExpiresAt
	}
	g = g.within(auth.From(ctx))
	if err := g.check(auth.From(ctx), now); err != nil {
		return nil, err
	}
	var k Key
	var secret string
	err := r.DB.Write(ctx, func(q db.Querier) error {
		tenantID, err := r.Tenant(ctx, q, tenant)
		if err != nil {
			return err
		}
		k, secret = Issue(tenantID, g, now)
		if err := Insert(ctx, q, k, ids.Digest(secret)); err != nil {
			return err
		}
		return r.Audit(ctx, q, tenantID, "key.create", k.ID)
	})
	return shown(k, secret, err)
}

func (r Routes) list(ctx context.Context, tenant string, page api.PageParams) (*listOut, error) {
	at, id, err := api.ParseTimeCursor(page.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []Key
	err = r.DB.Read(ctx, func(q db.Querier) error {
		tenantID, err := r.Tenant(ctx, q, tenant)
		if err != nil {
			return err
		}
		rows, err = List(ctx, q, db.TenantOf(tenantID), at, id, page.Limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &listOut{Body: api.PageOf(rows, page.Limit, wire, func(k Key) string { return api.TimeCursor(k.CreatedAt.Time, k.ID) })}, nil
}

func (r Routes) revoke(ctx context.Context, tenant, id string) error {
	var tenantID string
	err := r.DB.Write(ctx, func(q db.Querier) (err error) {
		if tenantID, err = r.Tenant(ctx, q, tenant); err != nil {
			return err
		}
		n, err := revoke.Exec(ctx, q, db.TenantOf(tenantID), db.Args{"id": id})
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, "no such key")
		}
		return r.Audit(ctx, q, tenantID, "key.revoke", id)
	})
	r.Ring.Forget()
	if err == nil && r.Revoked != nil {
		r.Revoked(tenantID, id)
	}
	return err
}

func (r Routes) rotate(ctx context.Context, tenant, id string, body *RotateKeyRequest) (*keyOut, error) {
	grace := 24 * time.Hour
	if body != nil && body.GraceSeconds != nil {
		grace = time.Duration(*body.GraceSeconds) * time.Second
	}
	now := time.Now()
	var k Key
	var secret string
	err := r.DB.Write(ctx, func(q db.Querier) error {
		tenantID, err := r.Tenant(ctx, q, tenant)
		if err != nil {
			return err
		}
		t := db.TenantOf(tenantID)
		old, err := Get(ctx, q, t, id)
		if err != nil {
			return err
		}
		if err := old.rotatable(auth.From(ctx), now); err != nil {
			return err
		}
		k, secret = Issue(tenantID, Grant{Name: old.Name, Scopes: old.Scopes, ExpiresAt: old.ExpiresAt.Time}, now)
		end := now.Add(grace)
		if !old.ExpiresAt.IsZero() && old.ExpiresAt.Before(end) {
			end = old.ExpiresAt.Time
		}
		n, err := retire.Exec(ctx, q, t, db.Args{"id": id, "expires_at": db.At(end), "rotated_to": k.ID})
		if err != nil {
			return err
		}
		if n == 0 { // somebody else was faster
			return fault.New(fault.Conflict, "this key was rotated a moment ago; list the keys to find its successor")
		}
		if err := Insert(ctx, q, k, ids.Digest(secret)); err != nil {
			return err
		}
		return r.Audit(ctx, q, tenantID, "key.rotate", id)
	})
	r.Ring.Forget()
	return shown(k, secret, err)
}

// rotatable refuses dead keys, keys that have a successor, and keys with scopes that the caller lacks: the successor's secret would be an escalation.
func (k Key) rotatable(caller auth.Principal, now time.Time) error {
	switch {
	case k.Status != Active || !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt.Time):
		return fault.New(fault.Conflict, "this key is revoked or expired; make a new one")
	case k.RotatedTo != "":
		return fault.New(fault.Conflict, "this key was rotated already; rotate %s instead", k.RotatedTo)
	case caller.Kind != auth.Operator:
		return Grant{Scopes: k.Scopes}.check(caller, now)
	}
	return nil
}

func shown(k Key, secret string, err error) (*keyOut, error) {
	if err != nil {
		return nil, err
	}
	body := wire(k)
	body.Key = secret
	return &keyOut{Body: body}, nil
}

func wire(k Key) KeyBody {
	b := KeyBody{ID: k.ID, Name: k.Name, Last4: k.Last4, Scopes: k.Scopes, Status: k.Status, CreatedAt: k.CreatedAt.Time, RotatedTo: k.RotatedTo}
	if b.Scopes == nil {
		b.Scopes = []string{}
	}
	if !k.ExpiresAt.IsZero() {
		b.ExpiresAt = &k.ExpiresAt.Time
		if !time.Now().Before(k.ExpiresAt.Time) && k.Status == Active {
			b.Status = "expired"
		}
	}
	if !k.LastUsedAt.IsZero() {
		b.LastUsedAt = &k.LastUsedAt.Time
	}
	return b
}
