package db

import (
	"context"
	"database/sql"
	"errors"

	"github.com/clawless/clawless/server/db/sqlite"
	"github.com/clawless/clawless/server/fault"
	"github.com/jmoiron/sqlx"
)

// liteEngine puts the registry's statements on the SQLite engine.
type liteEngine struct{ on *sqlite.Engine }

func openSQLite(ctx context.Context, opts Options) (*liteEngine, error) {
	on, err := sqlite.Open(ctx, sqlite.Options{
		Dir: opts.Dir, ReadOnly: opts.ReadOnly, ReadConns: opts.ReadConns, ReadLimit: opts.ReadLimit, Queue: opts.Queue, Log: opts.Log,
	})
	if err != nil {
		return nil, err
	}
	return &liteEngine{on}, nil
}

func (e *liteEngine) read(ctx context.Context, fn func(Querier) error) error {
	return engineFault("read", e.on.Read(ctx, func(tx *sqlite.Tx) error { return within(liteTx{tx}, fn) }))
}

func (e *liteEngine) write(ctx context.Context, soon bool, fn func(Querier) error) error {
	return engineFault("write", e.on.Write(ctx, soon, func(tx *sqlite.Tx) error { return within(liteTx{tx}, fn) }))
}

func (e *liteEngine) ready(ctx context.Context) error { return engineFault("ready", e.on.Ready(ctx)) }

func (e *liteEngine) admin() (*sqlx.DB, func() error, error) { return e.on.Admin() }
func (e *liteEngine) close() error                           { return e.on.Close() }

// engineFault translates what SQLite says of a begin or a commit. The function's own errors pass: those of its statements are faults already.
func engineFault(what string, err error) error {
	var known *fault.Error
	if _, ok := sqlite.Code(err); !ok || errors.As(err, &known) {
		return err
	}
	return storeFault(what, err)
}

// liteTx is a transaction of SQLite, which has no row level security: the tenant is in the statement's arguments alone.
type liteTx struct{ tx *sqlite.Tx }

func (l liteTx) query(s *statement, t Tenant, args Args, dest any, scan scanner) error {
	values, err := s.bind(s.lite.names, t, args)
	if err != nil {
		return err
	}
	return l.tx.Query(s.lite.sql, values, func(rows *sql.Rows) error { return scan(s, rows, dest) })
}

func (l liteTx) exec(s *statement, t Tenant, args Args) (int64, error) {
	values, err := s.bind(s.lite.names, t, args)
	if err != nil {
		return 0, err
	}
	return l.tx.Exec(s.lite.sql, values)
}
