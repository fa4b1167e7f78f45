package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/clawless/clawless/server/db/sqlite"
	"github.com/clawless/clawless/server/fault"
	"github.com/jackc/pgx/v5/pgconn"
)

// storeFault is the one place where a driver's error becomes a fault. It goes by codes alone; texts are kept for the log.
func storeFault(statement string, err error) *fault.Error {
	var known *fault.Error
	if errors.As(err, &known) {
		return known
	}
	cause := &storeError{statement: statement, err: err}
	var pg *pgconn.PgError
	switch code, ok := sqlite.Code(err); {
	case errors.Is(err, sql.ErrNoRows):
		return fault.Wrap(cause, fault.NotFound, "there is no such object")
	case errors.Is(err, context.Canceled):
		return fault.Wrap(cause, fault.Canceled, "the request was cancelled before it was answered")
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(cause, fault.Timeout, "the database did not answer in time; try again")
	case ok:
		return cause.fault(liteFaultCode(code))
	case errors.As(err, &pg):
		return cause.fault(pgFaultCode(pg.Code))
	case unreachable(err):
		return cause.fault(fault.StoreUnavailable)
	}
	return cause.fault(fault.Internal)
}

func liteFaultCode(code int) fault.Code {
	switch code {
	case sqlite.Unique, sqlite.PrimaryKey, sqlite.RowID:
		return fault.Conflict
	case sqlite.ForeignKey:
		return fault.NotFound
	}
	switch code & 0xff {
	case sqlite.Busy, sqlite.Locked, sqlite.NoMem, sqlite.ReadOnly, sqlite.Interrupt, sqlite.IOErr, sqlite.Corrupt, sqlite.CantOpen, sqlite.NotADB:
		return fault.StoreUnavailable
	case sqlite.Full:
		return fault.StoreFull
	}
	return fault.Internal
}

// pgFaultCode goes by SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html).
func pgFaultCode(state string) fault.Code {
	switch state {
	case "23505":
		return fault.Conflict
	case "23503":
		return fault.NotFound
	case "53100":
		return fault.StoreFull
	case "57014":
		return fault.Timeout
	case "25006", "40001", "40P01", "55P03":
		return fault.StoreUnavailable
	}
	switch state[:min(2, len(state))] {
	case "08", "53", "57", "58":
		return fault.StoreUnavailable
	}
	return fault.Internal
}

// unreachable tells a broken or refused connection from a mistake in a call.
func unreachable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// storeError names the statement of a failed call in the log. Its text holds no values: of a Postgres error it shows the code and the names alone.
type storeError struct {
	statement string
	err       error
}

// Error says which statement failed and why.
func (e *storeError) Error() string {
	var pg *pgconn.PgError
	if !errors.As(e.err, &pg) {
		return e.statement + ": " + e.err.Error()
	}
	text := e.statement + ": SQLSTATE " + pg.Code
	if pg.ConstraintName != "" {
		text += " by " + pg.ConstraintName
	}
	if strings.HasPrefix(pg.Code, "42") || strings.HasPrefix(pg.Code, "5") { // these speak of names and of the server, never of values
		text += ": " + pg.Message
	}
	return text
}

// Unwrap gives the driver's error.
func (e *storeError) Unwrap() error { return e.err }

func (e *storeError) fault(code fault.Code) *fault.Error {
	switch code {
	case fault.Conflict:
		return fault.Wrap(e, code, "the object exists already")
	case fault.NotFound:
		return fault.Wrap(e, code, "what this refers to does not exist, or no longer")
	case fault.StoreFull:
		return fault.Wrap(e, code, "the disk of the database is full; nothing acknowledged was lost")
	case fault.StoreUnavailable:
		return fault.Wrap(e, code, "the database is not available; try again").WithRetryAfter(time.Second)
	case fault.Timeout:
		return fault.Wrap(e, code, "the database did not answer in time; try again")
	}
	return fault.Wrap(e, code, "internal error; quote the request id to the operator")
}

// Constraint names the unique constraint or primary key that err violated, as Postgres names them on both engines: table_column_column_key or table_pkey. It is empty for every other error.
func Constraint(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		if pg.Code == "23505" {
			return pg.ConstraintName
		}
		return ""
	}
	return sqlite.Constraint(err)
}
