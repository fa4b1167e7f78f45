package llm

import (
	"errors"
	"fmt"
	"time"
)

// Class says what kind of failure a provider had, which decides what may be done about it.
type Class string

// The classes. The first word after the dash says whether another try, key or provider can help.
const (
	ClassAuth        Class = "auth"             // key: the provider refused our credential (401, 403)
	ClassBilling     Class = "billing"          // provider: our account has no money or quota there (402, insufficient_quota)
	ClassRateLimit   Class = "rate_limit"       // later: 429
	ClassOverloaded  Class = "overloaded"       // later: 503, 529, overloaded_error
	ClassServer      Class = "server"           // retry: other 5xx
	ClassUnreachable Class = "unreachable"      // retry: no connection, TLS, DNS
	ClassTimeout     Class = "timeout"          // retry: nothing came within the limit
	ClassBroken      Class = "broken_stream"    // retry before the first chunk: cut, unreadable, or ended without a finish reason
	ClassContext     Class = "context_too_long" // never: the conversation is too long for the model
	ClassRefused     Class = "content_refused"  // never: a policy refused the content
	ClassInvalid     Class = "invalid_request"  // never: 400, 413, 422
	ClassNotFound    Class = "model_not_found"  // never: 404
	ClassCanceled    Class = "canceled"         // never: our own context ended
)

// Error is a provider's failure. Message, Type, Param and Code are the provider's own words and are shown to the tenant only for ClassContext, ClassRefused and
// ClassInvalid, which are about the tenant's request; for the others they are for the operator's log.
type Error struct {
	Class      Class
	Provider   string
	Status     int // the HTTP status, zero when there was none
	Message    string
	Type       string
	Param      string
	Code       string
	RetryAfter time.Duration // as the provider asked; zero when it did not
	Err        error         // the cause, for the log
}

// Error names the provider, the class and the provider's words; it never holds a credential.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s", e.Provider, e.Class)
	if e.Status != 0 {
		s += fmt.Sprintf(" (%d)", e.Status)
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// AsError returns the *Error inside err, or nil.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
