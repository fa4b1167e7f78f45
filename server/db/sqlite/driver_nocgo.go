//go:build !cgo || !sqlite_fts5

package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"
	modernc "modernc.org/sqlite"
)

// driverName is the driver's name as sqlx and tests know it.
const driverName = "sqlite"

// newDriver is the driver that the package registers itself: a bare Driver would lack its functions.
func newDriver() (driver.Driver, error) {
	d, err := sql.Open(driverName, "")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Driver(), nil
}

// Code is the extended result code of an error of SQLite; ok is false for every other error.
func Code(err error) (code int, ok bool) {
	var e *modernc.Error
	if errors.As(err, &e) {
		return e.Code(), true
	}
	return 0, false
}

// message is SQLite's own sentence about an error: this driver puts "constraint failed: " before it and the code behind.
func message(err error) string {
	var e *modernc.Error
	if !errors.As(err, &e) {
		return ""
	}
	text := strings.TrimPrefix(e.Error(), "constraint failed: ")
	if i := strings.LastIndex(text, " ("); i > 0 {
		text = text[:i]
	}
	return text
}

// breaker leaves interrupting to this driver, which loses none.
type breaker struct{}

func newBreaker(*sqlx.Conn) (*breaker, error) { return &breaker{}, nil }

// context is what the driver is told of a caller's context: the whole.
func (*breaker) context(ctx context.Context) context.Context { return ctx }

func (*breaker) interrupt() {}
func (*breaker) close()     {}
