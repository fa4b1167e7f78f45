package db

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
)

// postgresEngine is the engine on a server: Read and Write are ordinary transactions on a pool.
type postgresEngine struct {
	pool   *pgxpool.Pool
	db     *sqlx.DB
	closed atomic.Bool
}

const (
	defaultPool    = 16
	connectTimeout = 10 * time.Second
	writeLimit     = 30 * time.Second // for a whole Write, so that a dead network cannot hold it for ever
)

func openPostgres(ctx context.Context, opts Options) (*postgresEngine, error) {
	cfg, err := pgxpool.ParseConfig(opts.URL)
	if err != nil {
		return nil, fmt.Errorf("the database URL is not usable: write it as postgres://USER@HOST:PORT/NAME") // err could repeat the password
	}
	switch {
	case opts.MaxConns > 0:
		cfg.MaxConns = int32(opts.MaxConns)
	case !strings.Contains(opts.URL, "pool_max_conns"):
		cfg.MaxConns = defaultPool
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "clawless"
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	e := &postgresEngine{pool: pool, db: sqlx.NewDb(stdlib.OpenDBFromPool(pool), "pgx")}
	if err := e.greet(ctx, opts.Log); err != nil {
		_ = e.close()
		return nil, fmt.Errorf("connect to Postgres at %s:%d, database %s, as %s: %w", cfg.ConnConfig.Host, cfg.ConnConfig.Port, cfg.ConnConfig.Database, cfg.ConnConfig.User, err)
	}
	return e, nil
}

// greet makes the first connection and warns when the role is above row level security.
func (e *postgresEngine) greet(ctx context.Context, log *slog.Logger) error {
	var above bool
	if err := e.db.GetContext(ctx, &above, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"); err != nil {
		return err
	}
	if above {
		log.Warn("the Postgres role is a superuser or has BYPASSRLS, so row level security does not hold it; use an ordinary role that owns the database")
	}
	return nil
}

func (e *postgresEngine) read(ctx context.Context, fn func(Querier) error) error {
	return e.transaction(ctx, ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}, fn)
}

// write lets the caller's context limit the wait for a connection alone: a commit that is cancelled half way would leave the caller without its outcome.
// Every commit is waited for: another server must see it at once.
func (e *postgresEngine) write(ctx context.Context, _ bool, fn func(Querier) error) error {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
	defer cancel()
	return e.transaction(ctx, own, nil, fn)
}

func (e *postgresEngine) transaction(wait, ctx context.Context, opts *sql.TxOptions, fn func(Querier) error) error {
	if e.closed.Load() {
		return fault.New(fault.ShuttingDown, "the database is closed")
	}
	conn, err := e.db.Connx(wait)
	if err != nil {
		return storeFault("connect", err)
	}
	defer conn.Close()
	tx, err := conn.BeginTxx(ctx, opts)
	if err != nil {
		return storeFault("begin", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing; after a panic it frees the connection
	if err := within(&pgTx{ctx: ctx, tx: tx}, fn); err != nil {
		if ctx.Err() != nil && fault.Is(err, fault.StoreUnavailable) { // a connection that was closed because the caller left; what ended it says more
			return fault.From(ctx.Err())
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return storeFault("commit", err)
	}
	return nil
}

func (e *postgresEngine) ready(ctx context.Context) error {
	if err := e.pool.Ping(ctx); err != nil {
		return storeFault("ping", err)
	}
	return nil
}

func (e *postgresEngine) admin() (*sqlx.DB, func() error, error) {
	return e.db, func() error { return nil }, nil
}

func (e *postgresEngine) close() error {
	e.closed.Store(true)
	err := e.db.Close()
	e.pool.Close()
	return err
}

// pgTx is a transaction that knows which tenant Postgres takes it for.
type pgTx struct {
	ctx   context.Context
	tx    *sqlx.Tx
	scope string
}

// enter tells Postgres whose rows the next statement may see. The setting ends with the transaction, so a pooled connection carries nothing over.
func (p *pgTx) enter(s *statement, t Tenant) error {
	scope := everyTenant
	if s.scoped && !t.operator {
		scope = t.id
	}
	if scope == p.scope {
		return nil
	}
	if _, err := p.tx.ExecContext(p.ctx, "SELECT set_config('app.tenant', $1, true)", scope); err != nil {
		return err
	}
	p.scope = scope
	return nil
}

func (p *pgTx) query(s *statement, t Tenant, args Args, dest any, scan scanner) error {
	values, err := s.bind(s.pg.names, t, args)
	if err != nil {
		return err
	}
	if err := p.enter(s, t); err != nil {
		return err
	}
	rows, err := p.tx.QueryContext(p.ctx, s.pg.sql, values...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return scan(s, rows, dest)
}

func (p *pgTx) exec(s *statement, t Tenant, args Args) (int64, error) {
	values, err := s.bind(s.pg.names, t, args)
	if err != nil {
		return 0, err
	}
	if err := p.enter(s, t); err != nil {
		return 0, err
	}
	res, err := p.tx.ExecContext(p.ctx, s.pg.sql, values...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
