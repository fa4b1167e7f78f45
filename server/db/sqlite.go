package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/jmoiron/sqlx"
)

// The names of the files in the data folder.
const (
	sqliteFile = "clawless.db"
	lockFile   = "clawless.lock"
)

// pragma is a setting of a connection and what SQLite must answer when it is read back.
type pragma struct{ name, set, want string }

var (
	writerPragmas = []pragma{
		{"busy_timeout", "5000", "5000"},
		{"journal_mode", "WAL", "wal"},
		{"synchronous", "FULL", "2"}, // NORMAL loses acknowledged commits in a power cut
		{"foreign_keys", "ON", "1"},
		{"journal_size_limit", "67108864", "67108864"},
		{"wal_autocheckpoint", "4000", "4000"}, // a backstop: the writer checkpoints by itself, after its callers have their answer
		{"trusted_schema", "OFF", "0"},
	}
	readerPragmas = []pragma{
		{"busy_timeout", "5000", "5000"},
		{"query_only", "ON", "1"},
		{"trusted_schema", "OFF", "0"},
	}
)

// connector opens connections that have their pragmas set before anybody uses them.
type connector struct {
	dsn     string
	pragmas []pragma
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver {
	d, _ := sqliteDriver() // Connect reports the error
	return d
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	d, err := sqliteDriver()
	if err != nil {
		return nil, err
	}
	conn, err := d.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	for _, p := range c.pragmas {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, "PRAGMA "+p.name+"="+p.set, nil); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// sqliteURI is the file as both drivers take it. Every transaction that the driver itself begins takes the write lock at once.
func sqliteURI(path, mode string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/data
	}
	u := url.URL{Scheme: "file", Path: p, RawQuery: "mode=" + mode + "&_txlock=immediate"}
	return u.String()
}

func openHandle(path, mode string, conns int, pragmas []pragma) *sqlx.DB {
	handle := sql.OpenDB(connector{dsn: sqliteURI(path, mode), pragmas: pragmas})
	handle.SetMaxOpenConns(conns)
	handle.SetMaxIdleConns(conns)
	return sqlx.NewDb(handle, sqliteName)
}

// sqliteEngine is the engine on one file: one writer, several readers, all opened at start and kept, because a process without free file descriptors could not open another.
type sqliteEngine struct {
	path    string
	lock    *fileLock
	writeDB *sqlx.DB
	readDB  *sqlx.DB
	writer  *writer
	readers *readers
}

func openSQLite(ctx context.Context, opts Options) (_ *sqliteEngine, err error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil || opts.Dir == "" {
		return nil, fmt.Errorf("the data folder %q is not usable: it needs a path", opts.Dir)
	}
	e := &sqliteEngine{path: filepath.Join(dir, sqliteFile)}
	defer func() {
		if err != nil {
			_ = e.close()
		}
	}()
	if opts.ReadOnly {
		if _, err := os.Stat(e.path); err != nil {
			return nil, fmt.Errorf("there is no database in %s yet; start the server once, or check the data folder", dir)
		}
	} else {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, folderError(dir, err)
		}
		if e.lock, err = lockFolder(filepath.Join(dir, lockFile)); err != nil {
			return nil, folderError(dir, err)
		}
	}
	if err := inspect(ctx, e.path, e.lock != nil); err != nil {
		return nil, err
	}
	if !opts.ReadOnly {
		e.writeDB = openHandle(e.path, "rwc", 1, writerPragmas)
		if e.writer, err = openWriter(ctx, e.writeDB, opts); err != nil {
			return nil, fileError(e.path, err)
		}
	}
	conns := opts.ReadConns
	if conns <= 0 {
		conns = 2 * runtime.NumCPU()
	}
	e.readDB = openHandle(e.path, "ro", conns, readerPragmas)
	if e.readers, err = openReaders(ctx, e.readDB, conns); err != nil {
		return nil, fileError(e.path, err)
	}
	return e, nil
}

// inspect looks at an existing file before anything could change it. With the folder to ourselves and no log beside the file, SQLite need not even make its helper files.
func inspect(ctx context.Context, path string, alone bool) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return fileError(path, err)
	}
	mode := "ro"
	if _, err := os.Stat(path + "-wal"); alone && errors.Is(err, os.ErrNotExist) {
		mode = "ro&immutable=1"
	}
	handle := openHandle(path, mode, 1, readerPragmas)
	defer handle.Close()
	if _, err := schemaVersion(ctx, handle, SQLite); err != nil {
		return fileError(path, err)
	}
	return nil
}

// verify reads the pragmas back, because SQLite ignores one that it cannot honour, and opens the files behind the connection by reading once.
func verify(ctx context.Context, conn *sqlx.Conn, pragmas []pragma) error {
	var tables int
	if err := conn.GetContext(ctx, &tables, "SELECT count(*) FROM sqlite_schema"); err != nil {
		return err
	}
	for _, p := range append([]pragma{{name: "journal_mode", want: "wal"}}, pragmas...) {
		var got string
		if err := conn.GetContext(ctx, &got, "PRAGMA "+p.name); err != nil {
			return err
		}
		if got != p.want {
			return fmt.Errorf("SQLite keeps %s at %s, but %s is needed for safe storage; is the data folder on a network share? Use a local disk", p.name, got, p.want)
		}
	}
	return nil
}

// folderError says what to do about a data folder that cannot be used.
func folderError(dir string, err error) error {
	var held *heldError
	switch {
	case errors.As(err, &held):
		return fmt.Errorf("the data folder %s is in use by %s; stop it first, or start this one with a data folder of its own", dir, held)
	case errors.Is(err, os.ErrPermission), isReadOnly(err):
		return fmt.Errorf("the data folder %s cannot be written: %w; change its owner or permissions, or choose another folder", dir, err)
	}
	return fmt.Errorf("the data folder %s cannot be used: %w", dir, err)
}

// fileError says what to do about a database file that cannot be used.
func fileError(path string, err error) error {
	code, ok := sqliteCode(err)
	if !ok {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch code & 0xff {
	case liteNotADB:
		return fmt.Errorf("%s is not a SQLite database; it was left untouched: move it away, or choose another data folder", path)
	case liteCorrupt:
		return fmt.Errorf("%s is damaged: %w; restore a backup", path, err)
	case liteReadOnly, liteCantOpen:
		return fmt.Errorf("%s cannot be opened for writing: %w; change the owner or permissions of the file and its folder", path, err)
	case liteBusy, liteLocked:
		return fmt.Errorf("%s is locked by another program; close it and start again", path)
	case liteFull:
		return fmt.Errorf("the disk that holds %s is full; free some space and start again", path)
	}
	return fmt.Errorf("%s cannot be opened: %w", path, err)
}

func (e *sqliteEngine) read(ctx context.Context, fn func(Querier) error) error {
	return e.readers.run(ctx, fn)
}
func (e *sqliteEngine) write(ctx context.Context, fn func(Querier) error) error {
	return e.writer.submit(ctx, fn)
}

func (e *sqliteEngine) ready(ctx context.Context) error {
	if e.writer != nil {
		if err := e.writer.health(); err != nil {
			return err
		}
	}
	return e.readers.run(ctx, func(q Querier) error {
		var one int
		return stmtPing.Get(ctx, q, &one, nil)
	})
}

var stmtPing = System("db.ping", `SELECT 1`)

// admin opens a connection of its own: the writer keeps its one, and a migration must not pass through the queue.
func (e *sqliteEngine) admin() (*sqlx.DB, func() error, error) {
	mode, pragmas := "rwc", writerPragmas
	if e.writer == nil {
		mode, pragmas = "ro", readerPragmas
	}
	handle := openHandle(e.path, mode, 1, pragmas)
	return handle, handle.Close, nil
}

// close ends the readers first: the last writer to leave folds the log back into the file, which a reader cannot.
func (e *sqliteEngine) close() error {
	var errs []error
	if e.writer != nil {
		e.writer.stop()
	}
	if e.readers != nil {
		e.readers.stop()
	}
	if e.readDB != nil {
		errs = append(errs, e.readDB.Close())
	}
	if e.writeDB != nil {
		errs = append(errs, e.writeDB.Close())
	}
	if e.lock != nil {
		errs = append(errs, e.lock.release())
	}
	return errors.Join(errs...)
}
