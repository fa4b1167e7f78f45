package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/clawless/clawless/cmd/clawless/cli/settings"
)

// The exit codes.
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitUsage       = 2
	ExitNotFound    = 3
	ExitLogin       = 4
	ExitForbidden   = 5
	ExitConflict    = 6
	ExitLimit       = 7
	ExitUnreachable = 8
	ExitTimeout     = 124
	ExitInterrupted = 130
)

// ExitCodes says what each exit code means; `clawless help exit-codes` and the reference print it.
var ExitCodes = []struct {
	Code    int
	Name    string // the error's code in -o json when the server gave none
	Meaning string
}{
	{ExitOK, "ok", "done"},
	{ExitFailure, "failure", "it failed for a reason that no other code covers"},
	{ExitUsage, "usage", "the command line, a setting or a value is wrong; nothing was done"},
	{ExitNotFound, "not_found", "there is no such object"},
	{ExitLogin, "login_needed", "no key was given, or the server does not accept it"},
	{ExitForbidden, "forbidden", "the key may not do this"},
	{ExitConflict, "conflict", "it exists already, changed meanwhile, or is in a state that forbids this"},
	{ExitLimit, "limit_reached", "a budget or rate limit is used up"},
	{ExitUnreachable, "unreachable", "the server could not be reached or is shutting down"},
	{ExitTimeout, "timeout", "it took longer than its limit"},
	{ExitInterrupted, "interrupted", "it was interrupted, for example with ctrl+c"},
}

// APIError is an error that the server answered, as package client gives it. HTTPStatus is zero when there was no answer; Hint may be empty.
type APIError interface {
	error
	HTTPStatus() int
	ErrorCode() string
	RequestID() string
	Hint() string
}

// ErrSilent makes a command fail with exit code 1 when it has already said why.
var ErrSilent = errors.New("failed")

// Error is a failure of the command itself. Try is the next command to type, or a sentence; it may be empty.
type Error struct {
	Code    int
	Try     string
	Details []settings.Problem // shown below the message, a line each
	Err     error
}

// Error is the message.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Usagef makes an error of a wrong command line, exit code 2.
func Usagef(format string, args ...any) error {
	return &Error{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// WithCode gives err an exit code; nil stays nil.
func WithCode(err error, code int) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Err: err}
}

// WithHint gives err the next thing to do, keeping its exit code; nil stays nil.
func WithHint(err error, try string) error {
	if err == nil {
		return nil
	}
	return &Error{Code: ExitCode(err), Try: try, Err: err}
}

// ExitCode returns the exit code of an error; 0 for nil.
func ExitCode(err error) int {
	var own *Error
	var api APIError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &own) && own.Code != ExitOK:
		return own.Code
	case errors.As(err, &api):
		return apiExitCode(api)
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.Is(err, context.DeadlineExceeded):
		return ExitTimeout
	case isNetwork(err):
		return ExitUnreachable
	}
	return ExitFailure
}

// isNetwork tells the errors of a call that got no answer. It does not look for net.Error, which the error of a missing file is too.
func isNetwork(err error) bool {
	var call *url.Error
	var op *net.OpError
	var name *net.DNSError
	if errors.As(err, &call) {
		return call.Op != "parse"
	}
	return errors.As(err, &op) || errors.As(err, &name)
}

func apiExitCode(api APIError) int {
	switch api.ErrorCode() {
	case "validation_failed", "unsupported_parameter": // the server checks values that the command line only passes on
		return ExitUsage
	case "shutting_down":
		return ExitUnreachable
	case "request_cancelled":
		return ExitInterrupted
	}
	switch api.HTTPStatus() {
	case 0:
		return noAnswerCode(api)
	case 401:
		return ExitLogin
	case 403:
		return ExitForbidden
	case 404, 410:
		return ExitNotFound
	case 409, 412:
		return ExitConflict
	case 429:
		return ExitLimit
	case 408, 504:
		return ExitTimeout
	}
	return ExitFailure
}

// noAnswerCode looks at the cause of a call that got no answer: the person may have stopped it.
func noAnswerCode(api APIError) int {
	switch {
	case errors.Is(api, context.Canceled):
		return ExitInterrupted
	case errors.Is(api, context.DeadlineExceeded):
		return ExitTimeout
	}
	return ExitUnreachable
}
