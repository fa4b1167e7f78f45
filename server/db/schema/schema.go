// Package schema knows the steps of the database's schema: which there are, which are applied, and how the missing ones are.
package schema

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/clawless/clawless/migrations"
	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Dialect names an engine.
type Dialect string

// The engines. Their names are also those of the folders of the steps.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// versionTable is goose's record of what was applied.
const versionTable = "goose_db_version"

// Migration is one step of the schema.
type Migration struct {
	Version   int64
	Name      string
	Applied   bool
	AppliedAt time.Time // zero while pending
}

// Table is one table of the database.
type Table struct {
	Name        string
	RowSecurity bool // whether Postgres itself keeps tenants apart in it; false on SQLite, which has no such thing
}

// Status is what `clawless migrate status` shows.
type Status struct {
	Dialect    Dialect
	Version    int64 // the newest applied step; 0 for an empty database
	Latest     int64 // the newest step this program knows
	Migrations []Migration
	Tables     []Table
}

// Up applies every missing step, each in a transaction of its own. Two servers that start at once on one Postgres apply each step once. It refuses a schema newer than the program.
func Up(ctx context.Context, handle *sqlx.DB, dialect Dialect, log *slog.Logger) error {
	version, err := Version(ctx, handle, dialect)
	if err != nil {
		return err
	}
	if newest, err := Latest(dialect); err != nil || version == newest {
		return err
	}
	p, err := provider(handle, dialect)
	if err != nil {
		return err
	}
	steps, err := p.Up(ctx)
	for _, step := range steps {
		log.Info("applied a migration", "version", step.Source.Version, "took", step.Duration)
	}
	if err != nil {
		return fmt.Errorf("migrate the database: %w; the failed step was undone, what came before it stays", err)
	}
	return nil
}

func provider(handle *sqlx.DB, dialect Dialect) (*goose.Provider, error) {
	steps, err := fs.Sub(migrations.FS, string(dialect))
	if err != nil {
		return nil, err
	}
	its := goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	if dialect == Postgres {
		its = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // seconds between tries, and tries
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(its, handle.DB, steps, options...)
}

// Read reports every step and every table.
func Read(ctx context.Context, handle *sqlx.DB, dialect Dialect) (Status, error) {
	st := Status{Dialect: dialect}
	var err error
	if st.Migrations, err = known(dialect); err != nil {
		return st, err
	}
	st.Latest = st.Migrations[len(st.Migrations)-1].Version
	if st.Tables, err = tables(ctx, handle, dialect); err != nil {
		return st, fmt.Errorf("list the tables: %w", err)
	}
	applied, err := applied(ctx, handle, dialect)
	if err != nil {
		return st, err
	}
	for version := range applied {
		st.Version = max(st.Version, version)
	}
	for i := range st.Migrations {
		m := &st.Migrations[i]
		m.AppliedAt, m.Applied = applied[m.Version]
	}
	return st, nil
}

// Version is the newest applied step, 0 for an empty database, and an error when this program is too old for it or somebody else's tables are in it.
func Version(ctx context.Context, handle *sqlx.DB, dialect Dialect) (int64, error) {
	steps, err := applied(ctx, handle, dialect)
	if err != nil {
		return 0, err
	}
	newest, err := Latest(dialect)
	if err != nil {
		return 0, err
	}
	var version int64
	for v := range steps {
		version = max(version, v)
	}
	if version > newest {
		return 0, fmt.Errorf("the database has schema version %d, but this program knows only up to %d; it was left untouched: upgrade clawless, or restore the backup made before the upgrade", version, newest)
	}
	return version, nil
}

// applied reads goose's table without making it.
func applied(ctx context.Context, handle *sqlx.DB, dialect Dialect) (map[int64]time.Time, error) {
	list, err := tables(ctx, handle, dialect)
	if err != nil {
		return nil, err
	}
	steps := map[int64]time.Time{}
	found := false
	for _, t := range list {
		found = found || t.Name == versionTable
	}
	if !found {
		if len(list) > 0 {
			return nil, fmt.Errorf("the database holds tables of another program, for example %s; give clawless a database of its own", list[0].Name)
		}
		return steps, nil
	}
	rows, err := handle.QueryContext(ctx, "SELECT version_id, tstamp FROM "+versionTable+" WHERE version_id > 0 ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", versionTable, err)
	}
	defer rows.Close()
	for rows.Next() {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return nil, fmt.Errorf("read %s: %w", versionTable, err)
		}
		steps[version] = at.UTC()
	}
	return steps, rows.Err()
}

func tables(ctx context.Context, handle *sqlx.DB, dialect Dialect) ([]Table, error) {
	query := `SELECT name, 0 AS rowsecurity FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name`
	if dialect == Postgres {
		query = `SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS rowsecurity FROM pg_class c
			WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname`
	}
	var list []Table
	err := handle.SelectContext(ctx, &list, query)
	return list, err
}

// known lists the embedded steps in order.
func known(dialect Dialect) ([]Migration, error) {
	names, err := fs.Glob(migrations.FS, string(dialect)+"/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var list []Migration
	for _, name := range names {
		number, what, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".sql"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the migration %s has no number: %w", name, err)
		}
		list = append(list, Migration{Version: version, Name: what})
	}
	return list, nil
}

// Latest is the newest step that this program knows.
func Latest(dialect Dialect) (int64, error) {
	list, err := known(dialect)
	if err != nil {
		return 0, err
	}
	return list[len(list)-1].Version, nil
}
