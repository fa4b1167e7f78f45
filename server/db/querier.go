// Package db keeps everything in SQLite or Postgres behind two verbs, Read and Write, and a registry of statements that carry their tenant.
package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/fault"
)

// Querier runs statements of the registry inside one Read or Write. It is only valid until the function it was given to returns.
// It is sealed: rooms use statements (Scoped, System), which is how no SQL of a tenant's table can run without a tenant.
// After a statement has failed for another reason than a missing row, every later one of the same Querier fails too and nothing of it is kept:
// Postgres works that way, and SQLite follows so that a room's tests mean the same on both. Use ON CONFLICT where a conflict is expected.
type Querier interface {
	exec(ctx context.Context, s *statement, t Tenant, args Args) (int64, error)
	get(ctx context.Context, s *statement, t Tenant, dest any, args Args) error
	list(ctx context.Context, s *statement, t Tenant, dest any, args Args) error
}

// runner is one open transaction of an engine.
type runner interface {
	query(s *statement, t Tenant, args Args, dest any, scan scanner) error
	exec(s *statement, t Tenant, args Args) (int64, error)
}

// scanner moves rows into dest.
type scanner func(s *statement, rows *sql.Rows, dest any) error

// querier is the one Querier: it adds the rules that both engines share to a runner.
type querier struct {
	run    runner
	failed error // the first failure, which every later statement repeats
}

var errOver = errors.New("db: the Querier was used after its Read or Write was over")

// begin refuses a statement of a cancelled caller or after a failure.
func (q *querier) begin(ctx context.Context) error {
	if q.failed != nil {
		return q.failed
	}
	if err := ctx.Err(); err != nil {
		return fault.From(err)
	}
	return nil
}

// end turns a driver's error into a fault and remembers it.
func (q *querier) end(s *statement, err error) error {
	if err == nil {
		return nil
	}
	f := storeFault(s.name, err)
	if !errors.Is(err, sql.ErrNoRows) {
		q.failed = f
	}
	return f
}

func (q *querier) exec(ctx context.Context, s *statement, t Tenant, args Args) (int64, error) {
	if err := q.begin(ctx); err != nil {
		return 0, err
	}
	n, err := q.run.exec(s, t, args)
	return n, q.end(s, err)
}

func (q *querier) get(ctx context.Context, s *statement, t Tenant, dest any, args Args) error {
	if err := q.begin(ctx); err != nil {
		return err
	}
	return q.end(s, q.run.query(s, t, args, dest, scanOne))
}

func (q *querier) list(ctx context.Context, s *statement, t Tenant, dest any, args Args) error {
	if err := q.begin(ctx); err != nil {
		return err
	}
	return q.end(s, q.run.query(s, t, args, dest, scanAll))
}

// Args are the named arguments of a statement: the SQL says :name.
type Args map[string]any

// Tenant is the right to touch one tenant's rows.
type Tenant struct {
	id       string
	operator bool
}

// Operator is the right to touch, with a scoped statement, the rows that belong to no tenant: those whose tenant_id is the empty string.
var Operator = Tenant{operator: true}

// TenantOf names the tenant whose rows a scoped statement may touch. The id comes from the authenticated principal or from an operator's path, never from a body.
func TenantOf(id string) Tenant { return Tenant{id: id} }

// valid refuses the zero Tenant, and the sign by which row level security knows a statement that crosses tenants.
func (t Tenant) valid() bool { return t.operator || t.id != "" && t.id != everyTenant }

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

// OrNull is a text as a statement stores it where an absent one is NULL.
func OrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
