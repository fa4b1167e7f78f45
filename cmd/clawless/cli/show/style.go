package show

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// Style is a colour or weight of text on a terminal. Only the terminal's own 16 colours are used, so that the user's theme rules.
type Style string

// The styles.
const (
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "1;31"
	Green  Style = "32"
	Yellow Style = "33"
)

// Paint returns the text in the style when the stream takes colours (on), and the bare text otherwise.
func (s Style) Paint(on bool, text string) string {
	if text == "" || !on {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// Colours reports whether a stream takes colours: NO_COLOR says never and FORCE_COLOR always, else it takes a terminal that is not dumb and CLICOLOR not 0.
func Colours(tty bool, lookup func(name string) (string, bool)) bool {
	get := func(name string) string {
		v, _ := lookup(name)
		return v
	}
	switch {
	case get("NO_COLOR") != "":
		return false
	case get("FORCE_COLOR") != "":
		return get("FORCE_COLOR") != "0"
	}
	return tty && get("TERM") != "dumb" && get("CLICOLOR") != "0"
}

// Clean makes a text that came from elsewhere safe to print on one line of a terminal: line breaks and tabs become spaces, and other control and
// direction-changing characters, which could move the cursor or disguise the text, become U+FFFD.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case treacherous(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// treacherous tells the characters that act on a terminal instead of being seen: controls, and those that turn the direction of writing.
func treacherous(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// escape writes the treacherous characters that JSON leaves as they are (the others it escapes itself) as \u escapes. They occur inside of strings only, so the
// value stays the same.
func escape(data []byte) []byte {
	if !bytes.ContainsFunc(data, func(r rune) bool { return r >= 0x7F && treacherous(r) }) {
		return data
	}
	var b bytes.Buffer
	for _, r := range string(data) {
		if r >= 0x7F && treacherous(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}
