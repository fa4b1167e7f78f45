package sqlite

import (
	"context"
	"database/sql"
	"sync"

	"github.com/jmoiron/sqlx"
)

// Tx is one open transaction. It is valid until the function it was given to returns.
type Tx struct {
	ctx    context.Context
	driver context.Context // what the driver is told of it
	conn   *conn
	mu     sync.Mutex // held while a statement runs
	over   bool
	lost   error // a failure after which SQLite may have ended the transaction by itself
}

// Query runs a statement and hands its rows to read, which must not keep them.
func (t *Tx) Query(text string, values []any, read func(*sql.Rows) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	stmt, err := t.statement(text)
	if err != nil {
		return t.outcome(err)
	}
	rows, err := stmt.QueryContext(t.driver, values...)
	if err != nil {
		return t.outcome(err)
	}
	defer rows.Close()
	return t.outcome(read(rows))
}

// Exec runs a statement and returns the number of rows it changed.
func (t *Tx) Exec(text string, values []any) (int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	stmt, err := t.statement(text)
	if err != nil {
		return 0, t.outcome(err)
	}
	res, err := stmt.ExecContext(t.driver, values...)
	if err = t.outcome(err); err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *Tx) statement(text string) (*sql.Stmt, error) {
	if t.over {
		return nil, sql.ErrTxDone
	}
	return t.conn.cached(text)
}

// outcome is what came of a statement. Once the context has ended that alone counts: the statement may have been interrupted, and what the driver says then,
// an error as much as a row, is not to be trusted, because it asks SQLite for the last error on a connection that the interrupt has used too.
func (t *Tx) outcome(err error) error {
	if ended := t.ctx.Err(); ended != nil {
		return ended
	}
	if t.lost == nil && endsTransaction(err) {
		t.lost = err
	}
	return err
}

// finish lets no more statements through, and reports whether it was the first to do so.
func (t *Tx) finish() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.over
	t.over = true
	return !was
}

// conn is one connection with the statements prepared on it.
type conn struct {
	raw             *sqlx.Conn
	stmts           map[string]*sql.Stmt // by text
	begin, rollback *sql.Stmt
	breaker         *breaker
}

func openConn(ctx context.Context, handle *sqlx.DB, pragmas []pragma, begin string) (*conn, error) {
	raw, err := handle.Connx(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{raw: raw, stmts: map[string]*sql.Stmt{}}
	if err = verify(ctx, raw, pragmas); err == nil {
		c.breaker, err = newBreaker(raw)
	}
	if err == nil {
		c.begin, err = c.cached(begin)
	}
	if err == nil {
		c.rollback, err = c.cached("ROLLBACK")
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// cached prepares a text once and keeps it until the connection closes.
func (c *conn) cached(text string) (*sql.Stmt, error) {
	if stmt, ok := c.stmts[text]; ok {
		return stmt, nil
	}
	stmt, err := c.raw.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, err
	}
	c.stmts[text] = stmt
	return stmt, nil
}

// close ends every statement first: database/sql leaves those of a single connection to us, and SQLite keeps the files open until the last is gone.
func (c *conn) close() {
	for _, stmt := range c.stmts {
		_ = stmt.Close()
	}
	if c.breaker != nil {
		c.breaker.close()
	}
	_ = c.raw.Close()
}
