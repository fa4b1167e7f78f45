// Package sqlite is the engine on one SQLite file: one writer that commits for many callers at once, several readers that it never blocks, and sentences about what is wrong with a file.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/jmoiron/sqlx"
)

// The names of the files in the data folder.
const (
	dataFile = "clawless.db"
	lockFile = "clawless.lock"
)

// Engine is the engine on one file: one writer, several readers, all opened at start and kept, because a process without free file descriptors could not open another.
type Engine struct {
	path    string
	lock    *fileLock
	writeDB *sqlx.DB
	readDB  *sqlx.DB
	writer  *writer
	readers *readers
}

// Options say where the file is and how it is opened.
type Options struct {
	Dir       string        // the data folder; it is made when missing
	ReadOnly  bool          // no lock, and every Write is refused
	ReadConns int           // 0 means twice the cores
	ReadLimit time.Duration // for one Read; 0 means five seconds
	Queue     int           // writes that may wait; 0 means 4096
	Log       *slog.Logger
}

// private makes the file, if it is not there, for its owner alone: it holds conversations. SQLite gives its log and index the same mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("it cannot be opened for writing; change the owner or permissions of the file and its folder: %w", err)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Open opens the file in the data folder, or makes it. It refuses a folder that another process uses, and a file that is not ours or newer than this program, without touching it.
// Its errors are sentences for the operator. The caller closes the Engine.
func Open(ctx context.Context, opts Options) (_ *Engine, err error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil || opts.Dir == "" {
		return nil, fmt.Errorf("the data folder %q is not usable: it needs a path", opts.Dir)
	}
	e := &Engine{path: filepath.Join(dir, dataFile)}
	defer func() {
		if err != nil {
			_ = e.Close()
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
		if err := private(e.path); err != nil {
			return nil, fileError(e.path, err)
		}
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
	if e.readers, err = openReaders(ctx, e.readDB, conns, opts.ReadLimit); err != nil {
		return nil, fileError(e.path, err)
	}
	return e, nil
}

// Read runs fn on a snapshot, on one of the read-only connections.
func (e *Engine) Read(ctx context.Context, fn func(*Tx) error) error { return e.readers.run(ctx, fn) }

// Write runs fn on the one writing connection and returns after the commit that it shares with others, or with soon when fn has run. An error of fn undoes what fn did
// and comes back as it is.
func (e *Engine) Write(ctx context.Context, soon bool, fn func(*Tx) error) error {
	if e.writer == nil {
		return fault.New(fault.StoreUnavailable, "the database was opened for reading only")
	}
	return e.writer.submit(ctx, soon, fn)
}

// Waiting is the number of writes in the queue.
func (e *Engine) Waiting() int {
	if e.writer == nil {
		return 0
	}
	return len(e.writer.queue)
}

// Ready is nil while the database can be read, and no disk error has stopped writing.
func (e *Engine) Ready(ctx context.Context) error {
	if e.writer != nil {
		if err := e.writer.health(); err != nil {
			return err
		}
	}
	return e.readers.run(ctx, func(tx *Tx) error {
		return tx.Query("SELECT count(*) FROM sqlite_schema", nil, func(rows *sql.Rows) error {
			rows.Next()
			return rows.Err()
		})
	})
}

// Admin opens a connection of its own, which the caller releases: the writer keeps its one, and a migration must not pass through the queue.
func (e *Engine) Admin() (*sqlx.DB, func() error, error) {
	mode, pragmas := "rwc", writerPragmas
	if e.writer == nil {
		mode, pragmas = "ro", readerPragmas
	}
	handle := openHandle(e.path, mode, 1, pragmas)
	return handle, handle.Close, nil
}

// Close ends the readers first: the last writer to leave folds the log back into the file, which a reader cannot.
func (e *Engine) Close() error {
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
