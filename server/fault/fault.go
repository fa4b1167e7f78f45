// Package fault is the error vocabulary of the whole server: a code from one catalogue, a message that is safe to show, and the cause that is only logged.
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Error is a failure that may be shown to a caller. Message and Details never hold a key, a prompt or another tenant's name; Err is for the log alone.
type Error struct {
	Code       Code
	Message    string
	Param      string        // the field at fault in the caller's words, empty when there is none
	Details    []Detail      // every bad field of a rejected request
	RetryAfter time.Duration // how long to wait before trying again; zero when unknown
	Status     int           // overrides the catalogue's status when an upstream's own one must pass through; zero otherwise
	Type       string        // overrides the catalogue's type for the same reason
	Upstream   string        // a provider's own error code, shown as `code` in place of ours when an agent acts on it
	Err        error         // the cause, logged and never shown
}

// Detail names one bad field of a request and says what is wrong with it, without repeating its value.
type Detail struct {
	Field   string `json:"field" doc:"Where the problem is, for example body.messages[0].role"`
	Message string `json:"message" doc:"What is wrong with it and what is allowed"`
}

// New makes a fault with a message that is safe to show.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault that keeps its cause for the log.
func Wrap(err error, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Err: err}
}

// Error joins the message and the cause; it is meant for logs, not for answers.
func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Code) + ": " + e.Message
	}
	return string(e.Code) + ": " + e.Message + ": " + e.Err.Error()
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// WithParam names the field at fault and returns the same error.
func (e *Error) WithParam(param string) *Error {
	e.Param = param
	return e
}

// WithRetryAfter sets the wait and returns the same error.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// From returns the fault inside err, or an internal one that hides it. It returns nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, context.Canceled) {
		return Wrap(err, Canceled, "the request was cancelled before it was answered")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Wrap(err, Timeout, "the server did not finish in time; try again")
	}
	return Wrap(err, Internal, "internal error; quote the request id to the operator")
}

// Is reports whether err carries the code.
func Is(err error, code Code) bool {
	var f *Error
	return errors.As(err, &f) && f.Code == code
}
