package wire

import (
	"encoding/json"
	"math"
	"unicode/utf8"
)

// AppendString appends s as a JSON string. It escapes only what JSON requires, so a text that was read from JSON is written as short as it can be.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// Present returns a parameter that is set to something; null is the same as absent.
func Present(params map[string]json.RawMessage, name string) (json.RawMessage, bool) {
	raw, ok := params[name]
	return raw, ok && len(raw) > 0 && string(raw) != "null"
}

// maxCount is more tokens than any call can use; a larger count is a mistake of the provider.
const maxCount = 1 << 40

// Count is a number of tokens as providers write it, also as a float. What cannot be one reads as -1, and null as no change.
type Count int64

// UnmarshalJSON takes any JSON value.
func (c *Count) UnmarshalJSON(b []byte) error {
	var f float64
	if string(b) == "null" {
		return nil
	}
	*c = -1
	if json.Unmarshal(b, &f) == nil && f >= 0 && f <= maxCount {
		*c = Count(math.Round(f))
	}
	return nil
}
