package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/clawless/clawless/cmd/clawless/cli/settings"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
)

// Report tells the person or the program what went wrong, on Err: one line `clawless: what, why`, its details, the next thing to do, the request id; or with
// -o json and jsonl the error envelope of the API. It prints nothing for nil and ErrSilent.
func Report(env *Env, err error) {
	if err == nil || errors.Is(err, ErrSilent) {
		return
	}
	f := failureOf(err)
	if env.Flags.Output == show.JSON || env.Flags.Output == show.JSONL {
		enc := json.NewEncoder(env.Err)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(map[string]failure{"error": f}) // nobody is left to tell when Err is gone
		return
	}
	var b strings.Builder
	b.WriteString(show.Red.Paint(env.Colour(env.Err), "clawless:") + " " + show.Clean(f.Message) + "\n")
	for _, d := range f.Details {
		b.WriteString("  " + show.Clean(d.String()) + "\n")
	}
	if f.Hint != "" {
		b.WriteString(hintLine(show.Clean(f.Hint)) + "\n")
	}
	if f.RequestID != "" {
		b.WriteString("request id: " + show.Clean(f.RequestID) + "\n")
	}
	_, _ = fmt.Fprint(env.Err, b.String())
}

// failure is an error as the envelope shows it; hint is ours, the rest is the API's.
type failure struct {
	Message   string             `json:"message"`
	Type      string             `json:"type"`
	Param     *string            `json:"param"`
	Code      string             `json:"code"`
	Details   []settings.Problem `json:"details,omitempty"`
	Hint      string             `json:"hint,omitempty"`
	RequestID string             `json:"request_id,omitempty"`
}

func failureOf(err error) failure {
	f := failure{Message: messageOf(err), Type: "cli_error", Code: codeName(ExitCode(err))}
	var own *Error
	if errors.As(err, &own) {
		f.Hint = own.Try
		f.Details = own.Details
	}
	var api APIError
	if errors.As(err, &api) {
		f.RequestID = api.RequestID()
		if f.Hint == "" {
			f.Hint = api.Hint()
		}
		if api.ErrorCode() != "" {
			f.Code = api.ErrorCode()
			f.Type = typeOf(api.HTTPStatus())
		}
	}
	if f.Hint == "" {
		f.Hint = nextStep(ExitCode(err))
	}
	return f
}

// messageOf puts Go's words for a context that ended into a person's.
func messageOf(err error) string {
	if ExitCode(err) == ExitInterrupted {
		return "interrupted"
	}
	return strings.ReplaceAll(err.Error(), context.DeadlineExceeded.Error(), "it took too long")
}

func codeName(code int) string {
	for _, c := range ExitCodes {
		if c.Code == code {
			return c.Name
		}
	}
	return "failure"
}

// typeOf gives the error type that OpenAI's clients group by.
func typeOf(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "authentication_error"
	case status == http.StatusForbidden:
		return "permission_error"
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case status >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}

// nextStep is the advice for an error that brings none.
func nextStep(code int) string {
	switch code {
	case ExitLogin:
		return "clawless login"
	case ExitUnreachable:
		return "clawless doctor"
	}
	return ""
}

func hintLine(hint string) string {
	if strings.HasPrefix(hint, "clawless ") {
		return "try: " + hint
	}
	return "hint: " + hint
}
