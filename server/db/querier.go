package db

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"
)

// Querier runs statements of the registry inside one Read or Write. It is only valid until the function it was given to returns.
// It is sealed: rooms use statements (Scoped, System), which is how no SQL of a tenant's table can run without a tenant.
type Querier interface {
	exec(ctx context.Context, s *statement, args Args) (int64, error)
	get(ctx context.Context, s *statement, dest any, args Args) error
	list(ctx context.Context, s *statement, dest any, args Args) error
}

// Args are the named arguments of a statement: the SQL says :name.
type Args map[string]any

// Tenant is the right to touch one tenant's rows.
type Tenant struct{ id string }

// TenantOf names the tenant whose rows a scoped statement may touch. The id comes from the authenticated principal or from an operator's path, never from a body.
func TenantOf(id string) Tenant { return Tenant{id: id} }

// ID is the tenant's id.
func (t Tenant) ID() string { return t.id }

// Time is a point in time as the database keeps it: integer microseconds since 1970, UTC, the same on both engines. The zero Time is stored as NULL.
type Time struct{ time.Time }

// At rounds t to what the database keeps.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{time.UnixMicro(t.UnixMicro()).UTC()}
}

// Value implements driver.Valuer.
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UnixMicro(), nil
}

// Scan implements sql.Scanner.
func (t *Time) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
	case int64:
		t.Time = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("db.Time: cannot read %T", src)
	}
	return nil
}
