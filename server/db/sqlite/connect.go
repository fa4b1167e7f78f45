package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/jmoiron/sqlx"
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
	d, _ := newDriver() // Connect reports the error
	return d
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	d, err := newDriver()
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

// uri is the file as both drivers take it. Every transaction that the driver itself begins takes the write lock at once.
func uri(path, mode string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/data
	}
	u := url.URL{Scheme: "file", Path: p, RawQuery: "mode=" + mode + "&_txlock=immediate"}
	return u.String()
}

func openHandle(path, mode string, conns int, pragmas []pragma) *sqlx.DB {
	handle := sql.OpenDB(connector{dsn: uri(path, mode), pragmas: pragmas})
	handle.SetMaxOpenConns(conns)
	handle.SetMaxIdleConns(conns)
	return sqlx.NewDb(handle, driverName)
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
