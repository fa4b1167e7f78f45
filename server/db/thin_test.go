package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
)

type tenantRow struct {
	ID        string  `db:"id"`
	Name      string  `db:"name"`
	CreatedAt db.Time `db:"created_at"`
}

var (
	testAddTenant = db.System("test.tenant.add", `INSERT INTO tenants (id, name, tier, status, created_at, updated_at) VALUES (:id, :name, 'free', 'active', :now, :now)`)
	testTenants   = db.System("test.tenant.list", `SELECT id, name, created_at FROM tenants ORDER BY id`)
	testTenant    = db.Scoped("test.tenant.get", `SELECT id, name, created_at FROM tenants WHERE id = :tenant_id`)
)

func TestThin(t *testing.T) { dbtest.Each(t, testThin) }

func testThin(t *testing.T, d *db.DB) {
	ctx := context.Background()
	now := db.At(time.Now())
	add := func(id, name string) error {
		return d.Write(ctx, func(q db.Querier) error {
			n, err := testAddTenant.Exec(ctx, q, db.Args{"id": id, "name": name, "now": now})
			if err == nil && n != 1 {
				t.Errorf("rows: %d", n)
			}
			return err
		})
	}
	if err := add("ten_a", "acme"); err != nil {
		t.Fatal(err)
	}
	if err := add("ten_b", "acme"); !fault.Is(err, fault.Conflict) || db.Constraint(err) != "tenants_name_key" {
		t.Fatal(err, db.Constraint(err))
	}
	err := d.Read(ctx, func(q db.Querier) error {
		var rows []tenantRow
		if err := testTenants.Select(ctx, q, &rows, nil); err != nil {
			return err
		}
		if len(rows) != 1 || rows[0].CreatedAt != now {
			t.Errorf("%+v", rows)
		}
		var row tenantRow
		if err := testTenant.Get(ctx, q, db.TenantOf("ten_a"), &row, nil); err != nil {
			return err
		}
		if err := testTenant.Get(ctx, q, db.TenantOf("ten_x"), &row, nil); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
