package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/clawless/clawless/server/fault"
)

// form is how the failures of an operation look.
type form uint8

const (
	own       form = iota
	openAI         // as our own, and a refused field is a 400
	anthropic      // as openAI, in Anthropic's envelope
)

// envelope is the body of every answer that is not a success, on every route.
type envelope struct {
	status int
	form   form
	Err    ErrorBody `json:"error"`
}

// ErrorBody is OpenAI's error object with two additions, details and request_id.
type ErrorBody struct {
	Message   string         `json:"message" doc:"What is wrong and what to do, safe to show"`
	Type      string         `json:"type" doc:"OpenAI's group of the error"`
	Param     *string        `json:"param" doc:"The field at fault"`
	Code      string         `json:"code" doc:"The machine-readable code; docs/reference/errors.md lists them"`
	Details   []fault.Detail `json:"details" nullable:"false" doc:"Every bad field of a rejected request"`
	RequestID string         `json:"request_id" doc:"The id to quote to the operator"`
}

// GetStatus implements huma.StatusError.
func (e *envelope) GetStatus() int { return e.status }

// Error implements error.
func (e *envelope) Error() string { return e.Err.Code + ": " + e.Err.Message }

// ContentType keeps application/json where huma would say problem+json.
func (e *envelope) ContentType(string) string { return "application/json" }

func envelopeOf(f *fault.Error, requestID string, as form) *envelope {
	spec := fault.Lookup(f.Code)
	e := &envelope{status: spec.Status, form: as, Err: ErrorBody{Message: f.Message, Type: spec.Type, Code: string(f.Code), Details: f.Details, RequestID: requestID}}
	if f.Status != 0 {
		e.status = f.Status
	}
	if f.Type != "" {
		e.Err.Type = f.Type
	}
	if f.Upstream != "" {
		e.Err.Code = f.Upstream
	}
	if f.Param != "" {
		e.Err.Param = &f.Param
	}
	if e.Err.Details == nil {
		e.Err.Details = []fault.Detail{}
	}
	if as != own && e.status == http.StatusUnprocessableEntity && f.Code == fault.ValidationFailed {
		e.status = http.StatusBadRequest
	}
	return e
}

// ErrorJSON is the envelope of err as one line, for streams whose status has already been sent. `{"error":` stands first: a client in wide use matches that prefix.
func ErrorJSON(err error, requestID string) []byte {
	b, mErr := json.Marshal(envelopeOf(fault.From(err), requestID, own))
	if mErr != nil { // strings and integers cannot fail to marshal; keep the frame valid all the same
		return []byte(`{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal_error"}}`)
	}
	return b
}

func headersOf(f *fault.Error, status int) http.Header {
	h := http.Header{}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", seconds(f.RetryAfter))
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

// seconds rounds up: a client that waits what it is told must not come too early.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// writeFault answers outside huma: unknown routes, panics, refused preflights.
func writeFault(w http.ResponseWriter, f *fault.Error, requestID string) {
	as := own
	if rec, _ := w.(*recorder); rec != nil {
		as = rec.form
	}
	e := envelopeOf(f, requestID, as)
	b, _ := json.Marshal(e)
	for k, v := range headersOf(f, e.status) {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	_, _ = w.Write(append(b, '\n'))
}
