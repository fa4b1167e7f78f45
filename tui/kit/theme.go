package kit

import (
	"io"
	"strings"
	"sync"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

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

// colorNames are the terminal's own sixteen as lipgloss names them, in the order of the colours above.
var colorNames = [...]lipgloss.Color{"", "1", "2", "3", "4", "5", "6"}

// sequences keeps what lipgloss makes of a set of attributes: painting asks for the same few thousands of times.
var sequences sync.Map

// appendSGR appends the sequence that switches from no attributes to a.
func (t Theme) appendSGR(dst []byte, a Attr) []byte {
	if !t.Color {
		a &= 0xff
	}
	if made, ok := sequences.Load(a); ok {
		return append(dst, made.(string)...)
	}
	made, _, _ := strings.Cut(style(a).Render("x"), "x")
	sequences.Store(a, made)
	return append(dst, made...)
}

// style is the set of attributes as a style. Its renderer knows its colours and asks no terminal for them.
func style(a Attr) lipgloss.Style {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(termenv.ANSI)
	s := r.NewStyle().Bold(a&Bold != 0).Faint(a&Faint != 0).Italic(a&Italic != 0).Underline(a&Underline != 0).Strikethrough(a&Strike != 0).Reverse(a&Reverse != 0)
	if c := int(a >> 8); c > 0 && c < len(colorNames) {
		s = s.Foreground(colorNames[c])
	}
	return s
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
