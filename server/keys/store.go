package keys

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

const columns = `id, tenant_id, name, last4, scopes, status, created_at, expires_at, last_used_at, COALESCE(rotated_to, '') AS rotated_to`

var (
	insert = db.Scoped("keys.insert", `INSERT INTO api_keys (tenant_id, id, name, digest, last4, scopes, status, created_at, expires_at)
		VALUES (:tenant_id, :id, :name, :digest, :last4, :scopes, :status, :created_at, :expires_at)`)
	get  = db.Scoped("keys.get", `SELECT `+columns+` FROM api_keys WHERE tenant_id = :tenant_id AND id = :id`)
	list = db.Scoped("keys.list", `SELECT `+columns+` FROM api_keys
		WHERE tenant_id = :tenant_id AND (created_at < :at OR (created_at = :at AND id < :id))
		ORDER BY created_at DESC, id DESC LIMIT :limit`)
	revoke = db.Scoped("keys.revoke", `UPDATE api_keys SET status = 'revoked' WHERE tenant_id = :tenant_id AND id = :id`)
	retire = db.Scoped("keys.retire", `UPDATE api_keys SET expires_at = :expires_at, rotated_to = :rotated_to
		WHERE tenant_id = :tenant_id AND id = :id AND rotated_to IS NULL`)
	touch = db.Scoped("keys.touch", `UPDATE api_keys SET last_used_at = :at WHERE tenant_id = :tenant_id AND id = :id`)

	// The look-up of a key is what finds the tenant, so it cannot name one.
	byDigest = db.System("keys.by_digest", `SELECT k.id, k.tenant_id, t.status AS tenant_status, k.scopes, k.status, k.expires_at, k.last_used_at
		FROM api_keys k JOIN tenants t ON t.id = k.tenant_id WHERE k.digest = :digest`)
	serves = db.Scoped("keys.serves", `SELECT COUNT(*) FROM api_keys k JOIN tenants t ON t.id = k.tenant_id
		WHERE k.tenant_id = :tenant_id AND k.id = :id AND k.status = 'active' AND t.status = 'active'`)
	adminByDigest = db.System("keys.admin_by_digest", `SELECT id, '' AS tenant_id, 'active' AS tenant_status, '[]' AS scopes, status, expires_at, last_used_at
		FROM admin_keys WHERE digest = :digest`)
	insertAdmin = db.System("keys.insert_admin", `INSERT INTO admin_keys (id, name, digest, last4, status, created_at)
		VALUES (:id, :name, :digest, :last4, 'active', :now) ON CONFLICT (digest) DO NOTHING`)
	countAdmins = db.System("keys.count_admins", `SELECT COUNT(*) FROM admin_keys WHERE status = 'active'`)
)

type row struct {
	ID         string  `db:"id"`
	TenantID   string  `db:"tenant_id"`
	Name       string  `db:"name"`
	Last4      string  `db:"last4"`
	Scopes     string  `db:"scopes"`
	Status     string  `db:"status"`
	CreatedAt  db.Time `db:"created_at"`
	ExpiresAt  db.Time `db:"expires_at"`
	LastUsedAt db.Time `db:"last_used_at"`
	RotatedTo  string  `db:"rotated_to"`
}

func (r row) key() (Key, error) {
	k := Key{ID: r.ID, TenantID: r.TenantID, Name: r.Name, Last4: r.Last4, Status: r.Status, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
		LastUsedAt: r.LastUsedAt, RotatedTo: r.RotatedTo}
	if err := json.Unmarshal([]byte(r.Scopes), &k.Scopes); err != nil {
		return Key{}, fmt.Errorf("scopes of key %s: %w", r.ID, err)
	}
	return k, nil
}

// Insert stores a key under its secret's digest.
func Insert(ctx context.Context, q db.Querier, k Key, digest string) error {
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return err
	}
	_, err = insert.Exec(ctx, q, db.TenantOf(k.TenantID), db.Args{"id": k.ID, "name": k.Name, "digest": digest, "last4": k.Last4, "scopes": string(scopes),
		"status": k.Status, "created_at": k.CreatedAt, "expires_at": k.ExpiresAt})
	return err
}

// Get reads one key of the tenant.
func Get(ctx context.Context, q db.Querier, t db.Tenant, id string) (Key, error) {
	var r row
	err := get.Get(ctx, q, t, &r, db.Args{"id": id})
	if fault.Is(err, fault.NotFound) {
		return Key{}, fault.New(fault.NotFound, "no such key")
	}
	if err != nil {
		return Key{}, err
	}
	return r.key()
}

// List reads up to limit keys of the tenant that come after the position, newest first.
func List(ctx context.Context, q db.Querier, t db.Tenant, at time.Time, id string, limit int) ([]Key, error) {
	var rows []row
	if err := list.Select(ctx, q, t, &rows, db.Args{"at": db.At(at), "id": id, "limit": limit}); err != nil {
		return nil, err
	}
	out := make([]Key, len(rows))
	for i, r := range rows {
		k, err := r.key()
		if err != nil {
			return nil, err
		}
		out[i] = k
	}
	return out, nil
}

// find reads the state of the key with this digest.
func find(ctx context.Context, q db.Querier, stmt db.SystemStatement, digest string) (state, error) {
	var s state
	if err := stmt.Get(ctx, q, &s, db.Args{"digest": digest}); err != nil {
		return state{}, err
	}
	if err := json.Unmarshal([]byte(s.Scopes), &s.scopes); err != nil {
		return state{}, fmt.Errorf("scopes of key %s: %w", s.ID, err)
	}
	return s, nil
}

// Serves reports whether a key of the tenant is still good, apart from its expiry.
func Serves(ctx context.Context, q db.Querier, tenantID, id string) (bool, error) {
	var n int
	err := serves.Get(ctx, q, db.TenantOf(tenantID), &n, db.Args{"id": id})
	return n > 0, err
}
