package markdown

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/yuin/goldmark/util"
)

// unescape resolves backslash escapes and HTML entities.
func unescape(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 && bytes.IndexByte(raw, '&') < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '\\' && i+1 < len(raw) && util.IsPunct(raw[i+1]):
			out = append(out, raw[i+1])
			i += 2
		case c == '&':
			n, text := entity(raw[i:])
			if n == 0 {
				n, text = 1, raw[i:i+1]
			}
			out = append(out, text...)
			i += n
		default:
			out = append(out, c)
			i++
		}
	}
	return out
}

// entity resolves the entity at the beginning of raw; n is zero if there is none.
func entity(raw []byte) (n int, text []byte) {
	end := bytes.IndexByte(raw[:min(len(raw), 40)], ';')
	if end < 2 {
		return 0, nil
	}
	name := raw[1:end]
	if name[0] != '#' {
		e, ok := util.LookUpHTML5EntityByName(string(name))
		if !ok {
			return 0, nil
		}
		return end + 1, e.Characters
	}
	digits, base := string(name[1:]), 10
	if len(digits) > 0 && digits[0]|0x20 == 'x' {
		digits, base = digits[1:], 16
	}
	r, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 0, nil
	}
	if r == 0 || r > utf8.MaxRune {
		r = utf8.RuneError
	}
	return end + 1, utf8.AppendRune(nil, rune(r))
}
