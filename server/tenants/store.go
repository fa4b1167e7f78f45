package tenants

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

const columns = `id, name, tier, status, settings, version, created_at, updated_at`

// The tenants table has no tenant_id: a row is a tenant. Its statements are the operator's, or name the id of the principal.
var (
	insert = db.System("tenants.insert", `INSERT INTO tenants (id, name, tier, status, settings, version, created_at, updated_at)
		VALUES (:id, :name, :tier, :status, :settings, 1, :now, :now)`)
	byID   = db.System("tenants.by_id", `SELECT `+columns+` FROM tenants WHERE id = :id`)
	byName = db.System("tenants.by_name", `SELECT `+columns+` FROM tenants WHERE name = :name`)
	list   = db.System("tenants.list", `SELECT `+columns+` FROM tenants
		WHERE created_at < :at OR (created_at = :at AND id < :id)
		ORDER BY created_at DESC, id DESC LIMIT :limit`)
	update = db.System("tenants.update", `UPDATE tenants SET name = :name, tier = :tier, status = :status, settings = :settings, version = version + 1, updated_at = :now
		WHERE id = :id AND version = :version`)
	remove = db.System("tenants.delete", `DELETE FROM tenants WHERE id = :id`)
)

type row struct {
	ID        string  `db:"id"`
	Name      string  `db:"name"`
	Tier      string  `db:"tier"`
	Status    string  `db:"status"`
	Settings  string  `db:"settings"`
	Version   int64   `db:"version"`
	CreatedAt db.Time `db:"created_at"`
	UpdatedAt db.Time `db:"updated_at"`
}

func (r row) tenant() (Tenant, error) {
	t := Tenant{ID: r.ID, Name: r.Name, Tier: Tier(r.Tier), Status: Status(r.Status), Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
	if err := json.Unmarshal([]byte(r.Settings), &t.Settings); err != nil {
		return Tenant{}, fmt.Errorf("settings of tenant %s: %w", r.ID, err)
	}
	return t, nil
}

// Create stores a new tenant and fails with conflict when the name is taken.
func Create(ctx context.Context, q db.Querier, t Tenant) error {
	settings, err := json.Marshal(t.Settings)
	if err != nil {
		return err
	}
	_, err = insert.Exec(ctx, q, db.Args{"id": t.ID, "name": t.Name, "tier": string(t.Tier), "status": string(t.Status), "settings": string(settings), "now": t.CreatedAt})
	if fault.Is(err, fault.Conflict) {
		return fault.Wrap(err, fault.Conflict, "a tenant named %s exists already", t.Name).WithParam("name")
	}
	return err
}

// Get reads a tenant by id or name.
func Get(ctx context.Context, q db.Querier, idOrName string) (Tenant, error) {
	var r row
	err := byID.Get(ctx, q, &r, db.Args{"id": idOrName})
	if fault.Is(err, fault.NotFound) {
		err = byName.Get(ctx, q, &r, db.Args{"name": idOrName})
	}
	if fault.Is(err, fault.NotFound) {
		return Tenant{}, fault.New(fault.NotFound, "no such tenant; list them with: clawless tenant list")
	}
	if err != nil {
		return Tenant{}, err
	}
	return r.tenant()
}

// List reads up to limit tenants that come after the position, newest first.
func List(ctx context.Context, q db.Querier, at time.Time, id string, limit int) ([]Tenant, error) {
	var rows []row
	if err := list.Select(ctx, q, &rows, db.Args{"at": db.At(at), "id": id, "limit": limit}); err != nil {
		return nil, err
	}
	out := make([]Tenant, len(rows))
	for i, r := range rows {
		t, err := r.tenant()
		if err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}

// Update stores a changed tenant if nobody changed it since it was read, else fails with stale_version.
func Update(ctx context.Context, q db.Querier, t Tenant, now time.Time) error {
	settings, err := json.Marshal(t.Settings)
	if err != nil {
		return err
	}
	n, err := update.Exec(ctx, q, db.Args{"id": t.ID, "name": t.Name, "tier": string(t.Tier), "status": string(t.Status), "settings": string(settings),
		"version": t.Version, "now": db.At(now)})
	if fault.Is(err, fault.Conflict) {
		return fault.Wrap(err, fault.Conflict, "a tenant named %s exists already", t.Name).WithParam("name")
	}
	if err == nil && n == 0 {
		return errRaced
	}
	return err
}

// errRaced is stale_version between a transaction's own reading and writing.
var errRaced = stale()

// Delete removes a tenant and, through the database's foreign keys, everything it owns except the ledger and the audit log.
func Delete(ctx context.Context, q db.Querier, id string) error {
	_, err := remove.Exec(ctx, q, db.Args{"id": id})
	return err
}

func stale() *fault.Error {
	return fault.New(fault.StaleVersion, "the tenant changed since it was read; read it again and repeat with its new ETag")
}
