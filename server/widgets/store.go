package widgets

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

const columns = `w.id, w.tenant_id, w.name, w.key_last4, w.origins, w.settings, w.status, w.created_at`

var (
	insert = db.Scoped("widgets.insert", `INSERT INTO widgets (tenant_id, id, name, key_digest, key_last4, origins, settings, status, created_at, updated_at)
		VALUES (:tenant_id, :id, :name, :key_digest, :key_last4, :origins, :settings, 'active', :now, :now)`)
	list = db.Scoped("widgets.list", `SELECT `+columns+` FROM widgets w
		WHERE w.tenant_id = :tenant_id AND (w.created_at < :at OR (w.created_at = :at AND w.id < :id))
		ORDER BY w.created_at DESC, w.id DESC LIMIT :limit`)
	remove        = db.Scoped("widgets.delete", `DELETE FROM widgets WHERE tenant_id = :tenant_id AND id = :id`)
	insertVisitor = db.Scoped("widgets.insert_visitor", `INSERT INTO widget_visitors (tenant_id, id, widget_id, secret_digest, created_at, last_seen_at)
		VALUES (:tenant_id, :id, :widget_id, :secret_digest, :now, :now)`)
	getVisitor = db.Scoped("widgets.get_visitor", `SELECT id FROM widget_visitors WHERE tenant_id = :tenant_id AND id = :id AND widget_id = :widget_id
		AND secret_digest = :secret_digest`)
	seenVisitor   = db.Scoped("widgets.seen_visitor", `UPDATE widget_visitors SET last_seen_at = :now WHERE tenant_id = :tenant_id AND id = :id`)
	newestSession = db.Scoped("widgets.newest_session", `SELECT id FROM sessions WHERE tenant_id = :tenant_id AND end_user = :visitor_id ORDER BY updated_at DESC, id DESC LIMIT 1`)

	serves = db.Scoped("widgets.serves", `SELECT COUNT(*) FROM widgets w JOIN tenants t ON t.id = w.tenant_id
		WHERE w.tenant_id = :tenant_id AND w.id = :id AND w.status = 'active' AND t.status = 'active'`)

	// A publishable key is what finds its tenant, so its look-up cannot name one; preflights ask for an origin of any tenant.
	byKey = db.System("widgets.by_key", `SELECT `+columns+`, t.status AS tenant_status FROM widgets w JOIN tenants t ON t.id = w.tenant_id WHERE w.key_digest = :digest`)
	byID  = db.System("widgets.by_id", `SELECT `+columns+`, t.status AS tenant_status FROM widgets w JOIN tenants t ON t.id = w.tenant_id WHERE w.tenant_id = :tenant AND w.id = :id`)
	all   = db.System("widgets.origins", `SELECT origins FROM widgets WHERE status = 'active'`)

	readState  = db.System("widgets.read_state", `SELECT value FROM server_state WHERE name = :name`)
	writeState = db.System("widgets.write_state", `INSERT INTO server_state (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING`)
)

type row struct {
	ID           string  `db:"id"`
	TenantID     string  `db:"tenant_id"`
	Name         string  `db:"name"`
	KeyLast4     string  `db:"key_last4"`
	Origins      string  `db:"origins"`
	Settings     string  `db:"settings"`
	Status       string  `db:"status"`
	CreatedAt    db.Time `db:"created_at"`
	TenantStatus string  `db:"tenant_status"`
}

func (r row) widget() (Widget, error) {
	w := Widget{ID: r.ID, TenantID: r.TenantID, Name: r.Name, KeyLast4: r.KeyLast4, Status: r.Status, CreatedAt: r.CreatedAt}
	if err := json.Unmarshal([]byte(r.Origins), &w.Origins); err != nil {
		return Widget{}, fmt.Errorf("origins of widget %s: %w", r.ID, err)
	}
	if err := json.Unmarshal([]byte(r.Settings), &w.Settings); err != nil {
		return Widget{}, fmt.Errorf("settings of widget %s: %w", r.ID, err)
	}
	return w, nil
}

// Insert stores a widget under its key's digest.
func Insert(ctx context.Context, q db.Querier, w Widget, digest string) error {
	origins, err := json.Marshal(w.Origins)
	if err != nil {
		return err
	}
	settings, err := json.Marshal(w.Settings)
	if err != nil {
		return err
	}
	_, err = insert.Exec(ctx, q, db.TenantOf(w.TenantID), db.Args{"id": w.ID, "name": w.Name, "key_digest": digest, "key_last4": w.KeyLast4,
		"origins": string(origins), "settings": string(settings), "now": w.CreatedAt})
	return err
}

// List reads up to limit widgets of the tenant that come after the position, newest first.
func List(ctx context.Context, q db.Querier, t db.Tenant, at time.Time, id string, limit int) ([]Widget, error) {
	var rows []row
	if err := list.Select(ctx, q, t, &rows, db.Args{"at": db.At(at), "id": id, "limit": limit}); err != nil {
		return nil, err
	}
	out := make([]Widget, len(rows))
	for i, r := range rows {
		w, err := r.widget()
		if err != nil {
			return nil, err
		}
		out[i] = w
	}
	return out, nil
}

// find reads an active widget of an active tenant through one of the look-ups.
func find(ctx context.Context, q db.Querier, stmt db.SystemStatement, args db.Args) (Widget, error) {
	var r row
	err := stmt.Get(ctx, q, &r, args)
	switch {
	case fault.Is(err, fault.NotFound), err == nil && r.Status != Active:
		return Widget{}, fault.New(fault.InvalidKey, "the publishable key is not valid; make a widget with: clawless widget create --tenant NAME --origin ORIGIN")
	case err != nil:
		return Widget{}, err
	case r.TenantStatus != "active":
		return Widget{}, fault.New(fault.TenantSuspended, "this assistant is not available at the moment")
	}
	return r.widget()
}

// knownOrigins reads the origins of every active widget.
func knownOrigins(ctx context.Context, q db.Querier) (Widget, error) {
	var lists []string
	if err := all.Select(ctx, q, &lists, nil); err != nil {
		return Widget{}, err
	}
	w := Widget{}
	for _, l := range lists {
		var origins []string
		if err := json.Unmarshal([]byte(l), &origins); err != nil {
			return Widget{}, fmt.Errorf("origins of a widget: %w", err)
		}
		w.Origins = append(w.Origins, origins...)
	}
	return w, nil
}

// Serves reports whether a widget of the tenant is still served.
func Serves(ctx context.Context, q db.Querier, tenantID, id string) (bool, error) {
	var n int
	err := serves.Get(ctx, q, db.TenantOf(tenantID), &n, db.Args{"id": id})
	return n > 0, err
}
