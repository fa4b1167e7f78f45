package router

import (
	"context"
	"errors"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// asError is err as a classified failure. Drivers promise nothing else; this keeps the promise for them.
func asError(provider string, err error) *llm.Error {
	if e := llm.AsError(err); e != nil {
		return e
	}
	class := llm.ClassServer
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		class = llm.ClassCanceled
	}
	return &llm.Error{Class: class, Provider: provider, Err: err}
}

// Fault turns a provider's failure into what the tenant is told. Problems of our account at the provider become a 502 that names the provider and nothing else;
// the provider's own words pass only where they are about the tenant's request. Other errors are turned by fault.From.
func Fault(err error) *fault.Error {
	if err == nil {
		return nil
	}
	e := llm.AsError(err)
	if e == nil {
		return fault.From(err)
	}
	switch e.Class {
	case llm.ClassRateLimit:
		return fault.Wrap(e, fault.RateLimited, "the provider %s gets too many requests; wait and try again", e.Provider).WithRetryAfter(e.RetryAfter)
	case llm.ClassOverloaded:
		return fault.Wrap(e, fault.ProviderOverloaded, "the provider %s is overloaded; try again later", e.Provider).WithRetryAfter(e.RetryAfter)
	case llm.ClassUnreachable:
		return fault.Wrap(e, fault.ProviderUnreachable, "the provider %s could not be reached; try again", e.Provider)
	case llm.ClassTimeout:
		return fault.Wrap(e, fault.Timeout, "the provider %s did not answer in time; try again", e.Provider)
	case llm.ClassBroken:
		return fault.Wrap(e, fault.StreamBroken, "the answer of the provider %s broke off; ask again", e.Provider)
	case llm.ClassContext:
		return aboutRequest(e, fault.ContextTooLong, "the conversation is longer than the model takes; shorten it or start a new session")
	case llm.ClassRefused:
		return aboutRequest(e, fault.ContentRefused, "the provider refused the content; change it")
	case llm.ClassInvalid:
		return aboutRequest(e, fault.InvalidRequest, "the provider did not accept the request; check its parameters")
	case llm.ClassNotFound:
		return fault.Wrap(e, fault.ModelNotFound, "the provider %s has no such model; GET /v1/models lists what there is", e.Provider).WithParam("model")
	case llm.ClassCanceled:
		return canceled(e)
	default: // auth, billing, server
		return fault.Wrap(e, fault.ProviderError, "the provider %s failed; try again or choose another model", e.Provider)
	}
}

// aboutRequest keeps the provider's status, type, parameter and code, which agents act on, and its words as far as they are presentable.
func aboutRequest(e *llm.Error, code fault.Code, otherwise string) *fault.Error {
	if unsupported(e) {
		code = fault.UnsupportedParam
	}
	message := e.Public()
	if message == "" {
		message = otherwise
	}
	f := fault.Wrap(e, code, "%s", message).WithParam(e.Param)
	if e.Status == 400 || e.Status == 413 || e.Status == 422 {
		f.Status = e.Status
	}
	f.Type, f.Upstream = e.Type, e.Code
	if code == fault.ContextTooLong {
		f.Upstream = string(fault.ContextTooLong) // agents compact on exactly this word, whatever the provider calls it
	}
	return f
}

func canceled(e *llm.Error) *fault.Error {
	if errors.Is(e.Err, context.DeadlineExceeded) {
		return fault.Wrap(e, fault.Timeout, "the answer was not complete within the time limit; try again")
	}
	return fault.Wrap(e, fault.Canceled, "the request was cancelled before it was answered")
}
