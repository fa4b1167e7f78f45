package kit

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Visible returns s with everything a terminal would obey turned into signs: control bytes become their
// pictures (ESC is ␛), C1 controls and the marks that reorder text become ‹U+202E›, bytes that are not UTF-8
// become U+FFFD. Line feeds and tabs stay; "\r\n" becomes "\n". Text from a model, a server or a clipboard
// passes through here before anything is painted.
func Visible(s string) string {
	i := firstUnsafe(s)
	if i < 0 {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for {
		b = append(b, s[:i]...)
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\r' && strings.HasPrefix(s[i+1:], "\n"):
		case r == utf8.RuneError:
			b = append(b, "\uFFFD"...)
		case r < 0x20:
			b = utf8.AppendRune(b, 0x2400+r)
		case r == 0x7f:
			b = append(b, "␡"...)
		default:
			b = fmt.Appendf(b, "‹U+%04X›", r)
		}
		s = s[i+n:]
		if i = firstUnsafe(s); i < 0 {
			return string(append(b, s...))
		}
	}
}

// Line is Visible for text that must stay on one line.
func Line(s string) string {
	s = Visible(s)
	if strings.ContainsAny(s, "\n\t") {
		s = strings.Join(strings.Fields(s), " ")
	}
	return s
}

// firstUnsafe is the index of the first byte that Visible changes, or -1.
func firstUnsafe(s string) int {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c >= 0x20 && c < 0x7f, c == '\n', c == '\t':
			i++
			continue
		case c < 0x80:
			return i
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n <= 1 || unsafeRune(r) {
			return i
		}
		i += n
	}
	return -1
}

// unsafeRune reports the runes above ASCII that steer a terminal or reorder its text.
func unsafeRune(r rune) bool {
	return r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Unfinished is the number of bytes at the end of s that the next piece may still change: the beginning of a
// character, or a carriage return that may belong to a line feed.
func Unfinished(s string) int {
	if strings.HasSuffix(s, "\r") {
		return 1
	}
	for n := 1; n <= 3 && n <= len(s); n++ {
		c := s[len(s)-n]
		if c < 0x80 {
			return 0
		}
		if c >= 0xc0 {
			if utf8.FullRuneInString(s[len(s)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}
