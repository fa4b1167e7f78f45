// Package clean takes the control tokens of chat templates out of texts that are not instructions, so that nobody can write a turn of somebody else's into a conversation.
package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s without control tokens, and s itself where it has none. Taking one out never leaves another: a token that was written around a token goes with it.
// Invisible characters and characters that look like those of a token hide none.
func Text(s string) string {
	if !Has(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD") // else taking a token out could make a character of what stood around it
	out := make([]byte, 0, len(s))
	seen := make([]mark, 0, len(s))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		at := len(out)
		out = append(out, s[i:i+size]...) // the bytes, which need not be a character
		i += size
		f := fold(r)
		if f == ignored {
			continue
		}
		seen = append(seen, mark{f, at})
		if !isEnd(f) {
			continue
		}
		if n := token(func(back int) rune {
			if back >= len(seen) {
				return 0
			}
			return seen[len(seen)-1-back].r
		}); n > 0 {
			out = out[:seen[len(seen)-n].at]
			seen = seen[:len(seen)-n]
		}
	}
	return string(out)
}

// mark is a visible character of what was written so far, as it is read, and where it begins.
type mark struct {
	r  rune
	at int
}

// Has reports whether s holds a control token. It allocates nothing.
func Has(s string) bool { return has(s) }

func has[T ~string | ~[]byte](s T) bool {
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			i++
			if b == '>' || b == '[' || b == ']' {
				if endsInToken(s[:i]) {
					return true
				}
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))])) // a copy on the stack
		i += size
		if isWideEnd(r) && endsInToken(s[:i]) {
			return true
		}
	}
	return false
}

// endsInToken reads backwards from a bracket. Nearly all brackets are told at a glance; what is not ASCII, not visible or of an odd form is looked at closely.
func endsInToken[T ~string | ~[]byte](s T) bool {
	last := len(s) - 1
	end := s[last]
	if end >= utf8.RuneSelf {
		return looksClosely(s)
	}
	opener := byte('<')
	if end == ']' {
		opener = '['
	}
	for i := last - 1; i >= 0; i-- {
		b := s[i]
		switch {
		case b >= utf8.RuneSelf, fold(rune(b)) == ignored, b == '~', b == '>', end == '[' && b == 'b':
			return looksClosely(s)
		case end == '[', last-i > longest:
			return false
		case b == opener:
			return isToken(rune(opener), s[i+1:last])
		case !isName(rune(b)) && b != '|' && b != '/':
			return false
		}
	}
	return false
}

// looksClosely is endsInToken for every case.
func looksClosely[T ~string | ~[]byte](s T) bool {
	var read [longest + 2]rune
	n, left := 0, len(s)
	return token(func(back int) rune {
		for back >= n && left > 0 {
			r, size := utf8.DecodeLastRuneInString(string(s[max(0, left-utf8.UTFMax):left]))
			left -= size
			if f := fold(r); f != ignored {
				read[n] = f
				n++
			}
		}
		if back >= n {
			return 0
		}
		return read[back]
	}) > 0
}

const longest = 64 // visible characters of a token

// token tells how many characters of a token stand at the end, and 0 where there is none; char gives the visible characters from the last backwards, and 0 where the text
// begins.
func token(char func(back int) rune) int {
	for _, odd := range odds {
		n := len(odd)
		for n > 0 && char(len(odd)-n) == rune(odd[n-1]) {
			n--
		}
		if n == 0 {
			return len(odd)
		}
	}
	var opener rune
	switch char(0) {
	case '>':
		opener = '<'
	case ']':
		opener = '['
	default:
		return 0
	}
	var body [4 * longest]byte // filled from its end
	from := len(body)
	for n := range longest {
		r := char(n + 1)
		switch {
		case r == opener:
			if isToken(opener, body[from:]) {
				return n + 2
			}
			return 0
		case !isName(r) && r != '|' && r != '/':
			return 0
		}
		from -= utf8.RuneLen(r)
		utf8.EncodeRune(body[from:], r)
	}
	return 0
}

// isToken judges what stands between the brackets.
func isToken[T ~string | ~[]byte](opener rune, body T) bool {
	n := len(body)
	if n >= 3 && body[0] == '|' && body[n-1] == '|' {
		for i := 1; i < n-1; i++ {
			if body[i] == '|' {
				return false
			}
		}
		return true
	}
	if n > longestListed {
		return false
	}
	if opener == '[' {
		return isSquare(string(body)) // short enough for a copy on the stack
	}
	return isAngled(string(body))
}

const longestListed = 24 // bytes of the listed tokens, without their brackets

// isName reports whether a character can be part of a token's name.
func isName(r rune) bool {
	return r == '_' || r == '-' || r == ':' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// isWideEnd is isEnd of what a character beyond ASCII reads as.
func isWideEnd(r rune) bool {
	switch r {
	case 0x02C3, 0x1433, 0x203A, 0x227B, 0x276F, 0x27E6, 0x27E7, 0x27E9, 0x29FD, 0x3009, 0x3010, 0x3011, 0x3014, 0x3015, 0xFE65, 0xFF1E, 0xFF3B, 0xFF3D:
		return true
	}
	return false
}

func isEnd(r rune) bool { return r == '>' || r == ']' || r == '[' }
