package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/db/schema"
	"github.com/clawless/clawless/server/fault"
	"github.com/jmoiron/sqlx"
)

// Dialect names an engine.
type Dialect = schema.Dialect

// The engines.
const (
	SQLite   = schema.SQLite
	Postgres = schema.Postgres
)

// Status is what `clawless migrate status` shows: every step of the schema and every table.
type Status = schema.Status

// Migration is one step of the schema.
type Migration = schema.Migration

// Table is one table of the database.
type Table = schema.Table

// Options say where the database is and how it is opened. The zero value of everything but URL and Dir is a sensible choice.
type Options struct {
	URL       string        // postgres://...; empty means SQLite
	Dir       string        // the data folder of SQLite; it is made when missing, and holds clawless.db and clawless.lock
	Migrate   bool          // apply the migrations that are missing before anything else
	ReadOnly  bool          // look only: no lock, no migration, and every Write is refused; for commands beside a running server
	ReadConns int           // SQLite: read-only connections; 0 means twice the cores
	ReadLimit time.Duration // SQLite: how long one Read may take; 0 means five seconds
	Queue     int           // SQLite: writes that may wait; 0 means 4096. One more is refused with store_unavailable
	MaxConns  int           // Postgres: size of the pool; 0 means pool_max_conns of the URL, or 16
	Log       *slog.Logger  // nil discards
}

// engine is what SQLite and Postgres do in their own way.
type engine interface {
	read(ctx context.Context, fn func(Querier) error) error
	write(ctx context.Context, soon bool, fn func(Querier) error) error
	ready(ctx context.Context) error
	admin() (handle *sqlx.DB, release func() error, err error) // for migrations and questions about the schema; the caller releases it
	close() error
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect Dialect
	engine  engine
	opts    Options
	closed  atomic.Bool
	current atomic.Bool // whether the schema is the one this program was made for
}

// Open connects to the database that opts name and makes sure that it is one this program can work with. Its errors are sentences for the operator.
// Without Options.Migrate an older schema is opened too, so that its Status can be asked, but Read and Write refuse to run on it. The caller closes the DB.
func Open(ctx context.Context, opts Options) (*DB, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{dialect: SQLite, opts: opts}
	var err error
	if opts.URL != "" {
		d.dialect = Postgres
		d.engine, err = openPostgres(ctx, opts)
	} else {
		d.engine, err = openSQLite(ctx, opts)
	}
	if err != nil {
		return nil, err
	}
	if err := d.settle(ctx); err != nil {
		_ = d.engine.close()
		return nil, err
	}
	return d, nil
}

// settle migrates when asked to, and looks at the schema otherwise.
func (d *DB) settle(ctx context.Context) error {
	if d.opts.Migrate && !d.opts.ReadOnly {
		return d.Migrate(ctx)
	}
	return d.asAdmin(func(handle *sqlx.DB) error { return d.check(ctx, handle) })
}

// asAdmin runs fn on a connection beside Read and Write.
func (d *DB) asAdmin(fn func(*sqlx.DB) error) error {
	handle, release, err := d.engine.admin()
	if err != nil {
		return err
	}
	return errors.Join(fn(handle), release())
}

// Migrate applies every missing step of the schema, each in a transaction of its own. Two servers that start at once on one Postgres apply each step once. It refuses a schema newer than the program.
func (d *DB) Migrate(ctx context.Context) error {
	return d.asAdmin(func(handle *sqlx.DB) error {
		if err := schema.Up(ctx, handle, d.dialect, d.opts.Log); err != nil {
			return err
		}
		return d.check(ctx, handle)
	})
}

// check refuses a schema that is newer than the program, and prepares the statements when it is the right one.
func (d *DB) check(ctx context.Context, handle *sqlx.DB) error {
	version, err := schema.Version(ctx, handle, d.dialect)
	if err != nil {
		return err
	}
	latest, err := schema.Latest(d.dialect)
	if err != nil || version < latest {
		return err
	}
	if d.dialect == SQLite {
		if err := prepareAll(ctx, handle, SQLite); err != nil {
			return err
		}
	}
	d.current.Store(true)
	return nil
}

// Prepare lets the engine parse every registered statement, and names the first that it refuses. On SQLite Open does so by itself.
func (d *DB) Prepare(ctx context.Context) error {
	return d.asAdmin(func(handle *sqlx.DB) error { return prepareAll(ctx, handle, d.dialect) })
}

func prepareAll(ctx context.Context, handle *sqlx.DB, dialect Dialect) error {
	for _, s := range registered() {
		text := s.lite.sql
		if dialect == Postgres {
			text = s.pg.sql
		}
		stmt, err := handle.PrepareContext(ctx, text)
		if err != nil {
			return fmt.Errorf("statement %s is not valid on %s: %w", s.name, dialect, err)
		}
		_ = stmt.Close()
	}
	return nil
}

// Status reports every step and every table.
func (d *DB) Status(ctx context.Context) (st Status, err error) {
	err = d.asAdmin(func(handle *sqlx.DB) (err error) {
		st, err = schema.Read(ctx, handle, d.dialect)
		return err
	})
	return st, err
}

// Dialect tells which engine it is.
func (d *DB) Dialect() Dialect { return d.dialect }

// Read runs fn on a snapshot: what it sees does not change under it. On SQLite it may take five seconds at most.
// fn must not keep the Querier, and it should not wait for anything but the database.
func (d *DB) Read(ctx context.Context, fn func(Querier) error) error {
	if !d.current.Load() {
		return errOutdated
	}
	return d.engine.read(ctx, fn)
}

// Write runs fn in a transaction and returns nil only after it is committed and on disk; otherwise nothing of it is kept.
// On SQLite, functions of many callers run one after the other on one connection and are committed together, each with its own outcome. ctx then
// limits the wait for the turn alone: once fn has begun, Write returns its true outcome. fn must be quick, wait for nothing but the database, and must not call Write.
func (d *DB) Write(ctx context.Context, fn func(Querier) error) error { return d.write(ctx, false, fn) }

// WriteSoon is Write for what a crash makes void anyway, such as the reservation of a call that would die with it: on SQLite it returns once fn has run and before the
// commit, which follows at once with that of the others. Later Writes see what fn did, Reads only after the commit.
func (d *DB) WriteSoon(ctx context.Context, fn func(Querier) error) error {
	return d.write(ctx, true, fn)
}

func (d *DB) write(ctx context.Context, soon bool, fn func(Querier) error) error {
	if d.opts.ReadOnly {
		return fault.New(fault.StoreUnavailable, "the database was opened for reading only")
	}
	if !d.current.Load() {
		return errOutdated
	}
	return d.engine.write(ctx, soon, fn)
}

var errOutdated = fault.New(fault.StoreUnavailable, "the database has an older schema; apply what is missing with: clawless migrate up")

// Ready is nil while the database can serve: it answers, its schema is current, and no disk error has stopped it.
func (d *DB) Ready(ctx context.Context) error {
	if !d.current.Load() {
		return errOutdated
	}
	return d.engine.ready(ctx)
}

// Close waits for what is under way, commits every write that was accepted and releases the database. Later calls of Read and Write fail.
// A second Close does nothing.
func (d *DB) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	if err := d.engine.close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// within runs fn on a transaction. A failure of a statement that fn swallowed comes out all the same, because it undoes the whole on Postgres.
func within(run runner, fn func(Querier) error) error {
	q := &querier{run: run}
	defer func() { q.failed = errOver }()
	if err := fn(q); err != nil {
		return err
	}
	return q.failed
}
