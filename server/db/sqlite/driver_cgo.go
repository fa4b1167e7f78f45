//go:build cgo && sqlite_fts5

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/jmoiron/sqlx"
	sqlite3 "github.com/mattn/go-sqlite3"
)

// driverName is the driver's name as sqlx and tests know it.
const driverName = "sqlite3"

func newDriver() (driver.Driver, error) { return &sqlite3.SQLiteDriver{}, nil }

// Code is the extended result code of an error of SQLite; ok is false for every other error.
func Code(err error) (code int, ok bool) {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	if e.ExtendedCode != 0 {
		return int(e.ExtendedCode), true
	}
	return int(e.Code), true
}

// message is SQLite's own sentence about an error.
func message(err error) string {
	var e sqlite3.Error
	if errors.As(err, &e) {
		return e.Error()
	}
	return ""
}

// breaker interrupts whatever runs on a connection. The driver does so by itself when a context ends, but at the price of a goroutine for each statement, and only
// once, which has no effect when it falls before SQLite's first step. It has no call for it either; running a statement under an ended context comes to the same.
type breaker struct{ stmt driver.Stmt }

var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func newBreaker(conn *sqlx.Conn) (*breaker, error) {
	var b *breaker
	err := conn.Raw(func(c any) error {
		stmt, err := c.(driver.Conn).Prepare("SELECT 1 WHERE 0") // a row would leave it half run, and SQLite interrupts everything until nothing is
		if err == nil {
			b = &breaker{stmt}
		}
		return err
	})
	return b, err
}

// context is what the driver is told of a caller's context: nothing.
func (b *breaker) context(context.Context) context.Context { return context.Background() }

func (b *breaker) interrupt() { _, _ = b.stmt.(driver.StmtExecContext).ExecContext(ended, nil) }
func (b *breaker) close()     { _ = b.stmt.Close() }
