package llm

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Parts splits content that is a list of parts, without looking into them: the megabytes of an image cost next to nothing. It reports false for every other content.
// It expects valid JSON and checks no more of it than it reads; the parts share content's bytes.
func Parts(content json.RawMessage) ([]json.RawMessage, bool) {
	content = bytes.TrimSpace(content)
	if len(content) < 2 || content[0] != '[' || content[len(content)-1] != ']' {
		return nil, false
	}
	var out []json.RawMessage
	depth, from := 0, 1
	for i := 1; i < len(content)-1; i++ {
		switch content[i] {
		case '"':
			end := endOfString(content, i+1)
			if end < 0 {
				return nil, false
			}
			i = end
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return nil, false
			}
		case ',':
			if depth == 0 {
				out = append(out, bytes.TrimSpace(content[from:i]))
				from = i + 1
			}
		}
	}
	last := bytes.TrimSpace(content[from : len(content)-1])
	if depth != 0 || len(last) == 0 && len(out) > 0 {
		return nil, false
	}
	if len(last) > 0 {
		out = append(out, last)
	}
	return out, true
}

// endOfString finds the quotation mark that ends the JSON string which goes on at i; below zero there is none.
func endOfString(b []byte, i int) int {
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		escapes := 0
		for k := i + n - 1; k >= i && b[k] == '\\'; k-- {
			escapes++
		}
		if escapes%2 == 0 {
			return i + n
		}
		i += n + 1
	}
}

// Unquote reads a JSON string, several times as fast as a decoder does. It reports false for what is none.
func Unquote(quoted json.RawMessage) (string, bool) {
	n := len(quoted)
	if n < 2 || quoted[0] != '"' || quoted[n-1] != '"' {
		return "", false
	}
	inner := quoted[1 : n-1]
	at := bytes.IndexByte(inner, '\\')
	if !utf8.Valid(inner) || at < 0 && bytes.IndexByte(inner, '"') >= 0 {
		return decoded(quoted)
	}
	if at < 0 {
		return string(inner), true
	}
	out := make([]byte, 0, len(inner))
	for at >= 0 {
		out = append(out, inner[:at]...)
		inner = inner[at+1:]
		size := 1
		if len(inner) > 4 && inner[0] == 'u' {
			n, err := strconv.ParseUint(string(inner[1:5]), 16, 16)
			if err != nil || utf16.IsSurrogate(rune(n)) {
				return decoded(quoted)
			}
			out = utf8.AppendRune(out, rune(n))
			size = 5
		} else if len(inner) > 0 && escapes[inner[0]] != 0 {
			out = append(out, escapes[inner[0]])
		} else {
			return decoded(quoted)
		}
		inner = inner[size:]
		at = bytes.IndexByte(inner, '\\')
	}
	return string(append(out, inner...)), true
}

// decoded reads what is rare, and refuses what is wrong.
func decoded(quoted json.RawMessage) (s string, ok bool) {
	err := json.Unmarshal(quoted, &s)
	return s, err == nil
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
