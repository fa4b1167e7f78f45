package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/clawless/clawless/sdk"
)

// Error is a failed call: the server refused it, or could not be reached. Errors in the arguments of a call, which send nothing, are plain errors.
type Error struct {
	API  *sdk.Error // what the server answered; nil when there was no answer, or only the beginning of one
	text string
	hint string
	err  error
}

// Error is what happened, safe to show.
func (e *Error) Error() string { return e.text }

// Unwrap gives the *sdk.Error, or the cause of a broken connection, to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.err }

// HTTPStatus is the answer's status: zero when there was none, and 200 when a stream failed after it had begun.
func (e *Error) HTTPStatus() int {
	if e.API == nil {
		return 0
	}
	return e.API.Status
}

// ErrorCode is the server's code, such as not_found; empty when there was no answer.
func (e *Error) ErrorCode() string {
	if e.API == nil {
		return ""
	}
	return e.API.Code
}

// RequestID is the id to quote to the operator; empty when there was no answer.
func (e *Error) RequestID() string {
	if e.API == nil {
		return ""
	}
	return e.API.RequestID
}

// Hint is the next thing to do, a command where there is one; it may be empty.
func (e *Error) Hint() string { return e.hint }

// mapError is what every call's error goes through.
func (c *Client) mapError(err error) error {
	var api *sdk.Error
	var call *url.Error
	switch {
	case errors.As(err, &api):
		return &Error{API: api, text: api.Message, hint: hint(api), err: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{text: err.Error(), err: err}
	case errors.As(err, &call):
		return &Error{text: fmt.Sprintf("the server at %s cannot be reached: %v", c.base, call.Err), hint: "clawless serve (when it should run here), or: clawless doctor", err: err}
	case errors.Is(err, sdk.ErrBroken):
		return &Error{text: err.Error(), hint: "clawless doctor", err: err}
	}
	return err
}

// hints are the next steps by code; what a message of the server says already is not repeated.
func hint(e *sdk.Error) string {
	switch e.Code {
	case "missing_api_key", "invalid_api_key", "expired_api_key":
		return "clawless login"
	case "model_not_found", "model_not_allowed":
		return "clawless model list"
	case "session_busy", "idempotency_in_flight":
		return "wait for the turn that is under way, or cancel its run"
	case "run_expired", "run_interrupted":
		return "read the session's messages, then send the turn again"
	case "quota_exceeded":
		return "clawless tenant update NAME --monthly-tokens N"
	case "rate_limit_exceeded", "provider_overloaded":
		return waitHint(e)
	case "context_length_exceeded":
		return "start a new session, or reset this one"
	case "tenant_suspended":
		return "clawless tenant activate NAME"
	case "provider_unreachable", "store_unavailable", "store_full", "internal_error":
		return "clawless doctor"
	}
	switch {
	case e.Code == "" && e.Status < 500: // another server's answer
		return "check the address with: clawless config show"
	case e.Status == 401:
		return "clawless login"
	case e.Code == "" && e.Status < 600:
		return "clawless doctor"
	}
	return ""
}

func waitHint(e *sdk.Error) string {
	if e.RetryAfter <= 0 {
		return "wait a moment, then try again"
	}
	return fmt.Sprintf("try again in %s", e.RetryAfter)
}
