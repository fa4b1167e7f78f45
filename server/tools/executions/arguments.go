package executions

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

const (
	maxArguments = 8 << 10
	maxError     = 2 << 10
)

// Stored is what is kept of a call's arguments: JSON of at most limit bytes, without credentials. What is too long, or is no JSON because the model wrote it wrong,
// becomes a text that ends in an ellipsis.
func Stored(arguments []byte, limit int) string {
	if len(arguments) == 0 {
		return "{}"
	}
	if json.Valid(arguments) {
		if safe := redact(arguments); len(safe) <= limit && storable(string(safe)) {
			return string(safe)
		}
	}
	text := clean(redactText(string(arguments)))
	for n := limit - 16; n > 0; n /= 2 { // escapes make a text longer
		b, err := json.Marshal(cut(text, n))
		if err == nil && len(b) <= limit {
			return string(b)
		}
	}
	return "{}"
}

func storable(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && !strings.Contains(s, `\u0000`)
}

// clean makes a text that both databases keep.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
