package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/clawless/clawless/server/fault"
)

// AnthropicError is the body of a failure in Anthropic's form. What the error has beside type and message is ours, and its clients ignore it.
type AnthropicError struct {
	Type      string    `json:"type" enum:"error"`
	Error     ErrorBody `json:"error"`
	RequestID string    `json:"request_id" doc:"The id to quote to the operator"`
}

// MarshalJSON writes the body in the form that the operation's clients read.
func (e envelope) MarshalJSON() ([]byte, error) {
	if e.form != anthropic {
		return plainJSON(struct {
			Err ErrorBody `json:"error"`
		}{e.Err})
	}
	e.Err.Type = anthropicType(e.status)
	return plainJSON(AnthropicError{Type: "error", Error: e.Err, RequestID: e.Err.RequestID})
}

// plainJSON leaves <, > and & as they are: our messages hold the like of <key>.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// AnthropicErrorJSON is the failure in Anthropic's form as one line, for streams whose status has already been sent.
func AnthropicErrorJSON(err error, requestID string) []byte {
	b, mErr := json.Marshal(envelopeOf(fault.From(err), requestID, anthropic))
	if mErr != nil { // strings and integers cannot fail to marshal; keep the event valid all the same
		return []byte(`{"type":"error","error":{"type":"api_error","message":"internal error"}}`)
	}
	return b
}

// anthropicType groups failures as Anthropic does. Its clients choose by it what to throw and whether to try again.
func anthropicType(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "authentication_error"
	case status == http.StatusForbidden:
		return "permission_error"
	case status == http.StatusNotFound:
		return "not_found_error"
	case status == http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case status == http.StatusServiceUnavailable:
		return "overloaded_error"
	case status == http.StatusGatewayTimeout:
		return "timeout_error"
	case status >= http.StatusInternalServerError:
		return "api_error"
	}
	return "invalid_request_error"
}

// formAt is the form of the failures at a path, whether or not there is an operation.
func (a *API) formAt(path string) form {
	for _, p := range a.anthropic {
		if rest, ok := strings.CutPrefix(path, p); ok && (rest == "" || rest[0] == '/') {
			return anthropic
		}
	}
	return own
}
