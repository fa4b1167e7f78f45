//go:build cgo

package db

import (
	"database/sql/driver"
	"errors"

	"github.com/mattn/go-sqlite3"
)

// sqliteName is the driver's name as sqlx and tests know it.
const sqliteName = "sqlite3"

func sqliteDriver() (driver.Driver, error) { return &sqlite3.SQLiteDriver{}, nil }

// sqliteCode is the extended result code of an error of SQLite.
func sqliteCode(err error) (code int, ok bool) {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	if e.ExtendedCode != 0 {
		return int(e.ExtendedCode), true
	}
	return int(e.Code), true
}

// sqliteMessage is SQLite's own sentence about an error.
func sqliteMessage(err error) string {
	var e sqlite3.Error
	if errors.As(err, &e) {
		return e.Error()
	}
	return ""
}
