package db

import (
	"context"
	"time"

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

// LimitReads shortens the time that a snapshot may be held on SQLite.
func LimitReads(d *DB, limit time.Duration) { d.engine.(*sqliteEngine).readers.limit = limit }

// Waiting is the number of writes in the queue of SQLite.
func Waiting(d *DB) int { return len(d.engine.(*sqliteEngine).writer.queue) }

// OnWriter runs a text on the connection of the writer, within a Write.
func OnWriter(ctx context.Context, d *DB, text string) error {
	return d.Write(ctx, func(q Querier) error {
		_, err := q.(*querier).run.(*writer).conn.conn.ExecContext(ctx, text)
		return err
	})
}

// Closing reports whether SQLite takes no more writes.
func Closing(d *DB) bool {
	w := d.engine.(*sqliteEngine).writer
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.closed
}

// OpenFile opens any SQLite file without a look at what is in it.
func OpenFile(path string) *sqlx.DB { return openHandle(path, "rwc", 1, nil) }

// WriterPragma is a setting as the writer of SQLite has it.
func WriterPragma(ctx context.Context, d *DB, name string) (value string) {
	err := d.Write(ctx, func(q Querier) error {
		return q.(*querier).run.(*writer).conn.conn.GetContext(ctx, &value, "PRAGMA "+name)
	})
	if err != nil {
		return err.Error()
	}
	return value
}

// DemandOfWriter asks for another setting until it is restored.
func DemandOfWriter(name, set, want string) (restore func()) {
	old := writerPragmas
	writerPragmas = append(old[:len(old):len(old)], pragma{name, set, want})
	return func() { writerPragmas = old }
}
