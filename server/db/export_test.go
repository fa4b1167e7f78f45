package db

import (
	"github.com/jmoiron/sqlx"
)

// Compile shows what becomes of a text on both engines.
func Compile(text string) (lite string, liteNames []string, pg string, pgNames []string, err error) {
	l, p, err := compile(text)
	return l.sql, l.names, p.sql, p.names, err
}

// LooseScoped makes a scoped statement outside the registry, so that a test can plant a wrong one.
func LooseScoped(text string) ScopedStatement {
	s, err := newStatement("test.loose", text, true)
	if err != nil {
		panic(err)
	}
	return ScopedStatement{s}
}

// LooseSystem makes a system statement outside the registry.
func LooseSystem(text string) SystemStatement {
	s, err := newStatement("test.loose", text, false)
	if err != nil {
		panic(err)
	}
	return SystemStatement{s}
}

// Admin is a connection beside Read and Write.
func Admin(d *DB) (*sqlx.DB, func() error, error) { return d.engine.admin() }

// Waiting is the number of writes in the queue of SQLite.
func Waiting(d *DB) int { return d.engine.(*liteEngine).on.Waiting() }
