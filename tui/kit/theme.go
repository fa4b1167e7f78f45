package kit

import "strings"

// Attr is a set of text attributes with at most one colour, which is one of the terminal's own sixteen, so that
// the person's colour scheme decides how it looks on a light or a dark background.
type Attr uint16

// The attributes. They combine with |.
const (
	Bold Attr = 1 << iota
	Faint
	Italic
	Underline
	Strike
	Reverse
	Verbatim // no look: runs of spaces are kept
)

// The colours. At most one of them in a set.
const (
	Red Attr = (iota + 1) << 8
	Green
	Yellow
	Blue
	Magenta
	Cyan
)

// The roles of text.
const (
	Accent   = Cyan
	Heading  = Bold | Cyan
	CodeText = Magenta
	LinkText = Underline
	Failure  = Red
	Warning  = Yellow
	Muted    = Faint
	Prompt   = Bold | Green
)

// Theme decides which escape sequences and which signs are used. The zero value uses no escape sequence and only
// ASCII signs.
type Theme struct {
	// SGR allows attributes, Color allows colours. Without SGR no ESC is ever written.
	SGR, Color bool
	// Rich allows signs beyond ASCII: bullets, rules, arrows.
	Rich bool
}

// NewTheme is the theme of a real terminal; getenv is asked for NO_COLOR.
func NewTheme(getenv func(string) string) Theme {
	return Theme{SGR: true, Color: getenv("NO_COLOR") == "", Rich: true}
}

var colorCodes = [...]string{"", "31", "32", "33", "34", "35", "36"}

// appendSGR appends the sequence that switches from no attributes to a.
func (t Theme) appendSGR(dst []byte, a Attr) []byte {
	start := len(dst)
	dst = append(dst, "\x1b["...)
	for _, code := range [...]struct {
		bit  Attr
		text byte
	}{{Bold, '1'}, {Faint, '2'}, {Italic, '3'}, {Underline, '4'}, {Reverse, '7'}, {Strike, '9'}} {
		if a&code.bit != 0 {
			dst = append(dst, code.text, ';')
		}
	}
	if c := int(a >> 8); t.Color && c > 0 && c < len(colorCodes) {
		dst = append(dst, colorCodes[c]...)
		dst = append(dst, ';')
	}
	if dst[len(dst)-1] != ';' {
		return dst[:start]
	}
	dst[len(dst)-1] = 'm'
	return dst
}

// visible reduces a set to what this theme can show, so that equal looks compare equal.
func (t Theme) visible(a Attr) Attr {
	switch {
	case !t.SGR:
		return 0
	case !t.Color:
		return a & 0x3f
	}
	return a &^ Verbatim
}

// Style wraps s, which holds no sequences of its own, in the attributes.
func (t Theme) Style(a Attr, s string) string {
	if a = t.visible(a); a == 0 || s == "" {
		return s
	}
	return string(t.appendSGR(nil, a)) + s + "\x1b[m"
}

// Rule is a horizontal line of w columns.
func (t Theme) Rule(w int) string {
	if w < 1 {
		return ""
	}
	return t.Style(Muted, strings.Repeat(t.Sign("─", "-"), w))
}

// Sign is the first argument in a rich theme, else its ASCII stand-in.
func (t Theme) Sign(rich, ascii string) string {
	if t.Rich {
		return rich
	}
	return ascii
}
