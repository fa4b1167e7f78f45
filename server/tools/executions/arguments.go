package executions

import (
	"encoding/json"
	"strings"

	"github.com/clawless/clawless/server/tool"
)

const (
	maxArguments = 8 << 10
	maxError     = 2 << 10
)

// Stored is what is kept of a call's arguments: JSON of at most limit bytes, without credentials. What is too long, or is no JSON because the model wrote it wrong,
// becomes a text of which the first and the last part stay.
func Stored(arguments json.RawMessage, limit int) string {
	safe := string(tool.Redact(arguments))
	switch {
	case safe == "":
		return "{}"
	case len(safe) <= limit && !strings.Contains(safe, `\u0000`): // which Postgres would not read as JSON
		return tool.Clean(safe)
	}
	text := tool.RedactText(tool.Clean(safe))
	for n := limit - 2; n >= 100; n = n * 2 / 3 { // quotes and escapes make a text longer
		b, err := json.Marshal(tool.Trim(text, n))
		if err == nil && len(b) <= limit {
			return string(b)
		}
	}
	return "{}"
}
