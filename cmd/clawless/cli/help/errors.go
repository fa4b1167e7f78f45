package help

import (
	"fmt"
	"io"
	"strings"

	"github.com/clawless/clawless/server/fault"
)

// WriteErrors writes the catalogue of error codes as a page.
func WriteErrors(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Error codes\n\nEvery answer that is not a success has the body `{\"error\": {message, type, param, code, details, request_id}}`. " +
		"`code` is one of these; `Retry` says whether the same request may succeed later.\n\n| Code | Status | Meaning | What to do | Retry |\n|---|---|---|---|---|\n")
	for _, s := range fault.Catalogue {
		retry := "no"
		if s.Retry {
			retry = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s |\n", s.Code, s.Status, s.Meaning, s.Do, retry)
	}
	b.WriteString("\nThe code of a provider's own refusal (400, 413, 422) is passed on as the provider gave it, for example `context_length_exceeded`.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
