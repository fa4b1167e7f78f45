package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/fault"
)

// init sets huma's package variables: it offers no other way to choose the error's shape. It is the one init of the server and does nothing a command could notice.
func init() {
	huma.DefaultArrayNullable = false
	huma.ValidateStrictCasing = true // "Title" is not "title": two spellings of one field would be two values of it
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return newEnvelope(nil, status, msg, errs...)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return newEnvelope(ctx, status, msg, errs...)
	}
}

// newEnvelope translates huma's own refusals (unreadable body, failed validation, limits) into the catalogue. It never repeats a value: a value can be a key or a prompt.
func newEnvelope(ctx huma.Context, status int, msg string, errs ...error) *envelope {
	id := ""
	var op *huma.Operation
	if ctx != nil {
		op, id = ctx.Operation(), RequestID(ctx.Context())
	}
	for _, err := range errs {
		var f *fault.Error
		if errors.As(err, &f) {
			return envelopeOf(f, id, formOf(op))
		}
	}
	f := refusal(status, msg)
	if f.Code == fault.ValidationFailed || f.Code == fault.InvalidJSON {
		for _, err := range errs {
			var d huma.ErrorDetailer
			if errors.As(err, &d) {
				e := d.ErrorDetail()
				if len(f.Details) < maxDetails {
					f.Details = append(f.Details, detailOf(op, e))
				}
			}
		}
		summarize(f)
	}
	if f.Code == fault.Internal {
		f.Err = errors.Join(errs...)
	}
	return envelopeOf(f, id, formOf(op))
}

// maxDetails bounds what is told of a request: one made of errors alone must not cost more than it did to send.
const maxDetails = 50

func refusal(status int, msg string) *fault.Error {
	switch status {
	case http.StatusBadRequest:
		if strings.Contains(msg, "required") {
			return fault.New(fault.InvalidJSON, "a JSON body is required")
		}
		return fault.New(fault.InvalidJSON, "the body could not be read as JSON")
	case http.StatusUnprocessableEntity:
		return fault.New(fault.ValidationFailed, "the request has invalid fields")
	case http.StatusRequestEntityTooLarge:
		return fault.New(fault.BodyTooLarge, "the body is over the server's limit")
	case http.StatusUnsupportedMediaType:
		return fault.New(fault.UnsupportedMedia, "send the body as application/json")
	case http.StatusRequestTimeout:
		f := fault.New(fault.Timeout, "the body did not arrive in time")
		f.Status = status // it is the caller who was slow
		return f
	default:
		return fault.New(fault.Internal, "internal error; quote the request id to the operator")
	}
}

// detailOf keeps the place and the reason and, for an unknown field, adds the nearest known one.
func detailOf(op *huma.Operation, e *huma.ErrorDetail) fault.Detail {
	d := fault.Detail{Field: strings.TrimPrefix(strings.TrimPrefix(e.Location, "body."), "query."), Message: e.Message}
	if name, ok := strings.CutPrefix(e.Message, "expected required property "); ok {
		name = strings.TrimSuffix(name, " to be present")
		d.Field, d.Message = strings.TrimPrefix(strings.TrimPrefix(e.Location+".", "body.")+name, "."), "is required"
	}
	if strings.HasPrefix(e.Message, "json: ") || strings.HasPrefix(e.Message, "invalid character") {
		d.Message = "not readable as JSON of the documented form"
	}
	if e.Message == "unexpected property" {
		d.Message = "unknown field"
		if near := nearestField(op, e.Location); near != "" {
			d.Message += "; did you mean " + near + "?"
		}
	}
	if e.Message == "unknown query parameter" || strings.HasPrefix(e.Location, "query.") && strings.Contains(e.Message, "unknown") {
		d.Message = "unknown query parameter"
	}
	return d
}

// summarize puts the first bad field into the message and the param, for clients that show only those.
func summarize(f *fault.Error) {
	if len(f.Details) == 0 {
		return
	}
	d := f.Details[0]
	f.Message = d.Message
	if d.Field != "" && d.Field != "body" {
		f.Param, f.Message = d.Field, d.Field+": "+d.Message
	}
	if n := len(f.Details); n > 1 {
		f.Message += fmt.Sprintf(" (and %d more; see error.details)", n-1)
	}
}
