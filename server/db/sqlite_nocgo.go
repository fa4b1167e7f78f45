//go:build !cgo

package db

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
)

// sqliteName is the driver's name as sqlx and tests know it.
const sqliteName = "sqlite"

// sqliteDriver is the driver that the package registers itself: a bare sqlite.Driver would lack its functions.
func sqliteDriver() (driver.Driver, error) {
	d, err := sql.Open(sqliteName, "")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Driver(), nil
}

// sqliteCode is the extended result code of an error of SQLite.
func sqliteCode(err error) (code int, ok bool) {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code(), true
	}
	return 0, false
}

// sqliteMessage is SQLite's own sentence about an error: this driver puts "constraint failed: " before it and the code behind.
func sqliteMessage(err error) string {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return ""
	}
	text := strings.TrimPrefix(e.Error(), "constraint failed: ")
	if i := strings.LastIndex(text, " ("); i > 0 {
		text = text[:i]
	}
	return text
}

// breaker does nothing here: this driver loses no interrupt.
type breaker struct{}

func newBreaker(*sqlx.Conn) (*breaker, error) { return &breaker{}, nil }

func (*breaker) interrupt() {}
func (*breaker) close()     {}
