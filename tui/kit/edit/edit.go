// Package edit is a text being written: its cursor, its keys, how it looks, and what was written before it.
package edit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/kit"
)

// Text is text with a cursor, which always stands between two characters as a person sees them. The zero value is empty.
type Text struct {
	text string
	at   int // the cursor, in bytes
	aim  int // the column that up and down try to keep, or -1

	rows      []row // where the lines of the screen begin and end
	laidText  string
	laidWidth int
}

type row struct{ from, to int }

// String is the text.
func (e *Text) String() string { return e.text }

// Before is the text before the cursor.
func (e *Text) Before() string { return e.text[:e.at] }

// Set replaces the text and puts the cursor at its end.
func (e *Text) Set(s string) { e.text, e.at, e.aim = s, len(s), -1 }

// Insert puts text at the cursor. What a paste brings along as line ends becomes line feeds.
func (e *Text) Insert(s string) {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	e.text = e.text[:e.at] + s + e.text[e.at:]
	e.at += len(s)
	e.aim = -1
	e.snap()
}

// snap moves the cursor out of a character: an edit may have joined what it stood between.
func (e *Text) snap() {
	i := strings.LastIndexByte(e.text[:e.at], '\n') + 1
	for i < e.at {
		i = e.next(i)
	}
	e.at = i
}

func (e *Text) remove(from, to int) {
	e.text = e.text[:from] + e.text[to:]
	e.at, e.aim = from, -1
	e.snap()
}

// next is the place after the character at i.
func (e *Text) next(i int) int {
	if i >= len(e.text) {
		return i
	}
	c, _ := kit.Cluster(e.text[i:])
	return i + len(c)
}

// prev is the place before the character that ends at i.
func (e *Text) prev(i int) int {
	if i == 0 {
		return 0
	}
	start := strings.LastIndexByte(e.text[:i-1], '\n') + 1
	if start == i {
		return i - 1
	}
	for {
		n := e.next(start)
		if n >= i {
			return start
		}
		start = n
	}
}

func (e *Text) lineStart() int { return strings.LastIndexByte(e.text[:e.at], '\n') + 1 }

func (e *Text) lineEnd() int {
	if i := strings.IndexByte(e.text[e.at:], '\n'); i >= 0 {
		return e.at + i
	}
	return len(e.text)
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func (e *Text) wordLeft() int {
	i, in := e.at, false
	for i > 0 {
		r, n := utf8.DecodeLastRuneInString(e.text[:i])
		if in && !isWord(r) {
			break
		}
		in = in || isWord(r)
		i -= n
	}
	return i
}

func (e *Text) wordRight() int {
	i, in := e.at, false
	for i < len(e.text) {
		r, n := utf8.DecodeRuneInString(e.text[i:])
		if in && !isWord(r) {
			break
		}
		in = in || isWord(r)
		i += n
	}
	return i
}

// Key takes a key that edits or moves within the text and reports whether it did.
func (e *Text) Key(msg tea.KeyMsg) bool {
	move := func(to int) {
		e.at, e.aim = to, -1
		e.snap()
	}
	switch msg.String() {
	case "left", "ctrl+b":
		move(e.prev(e.at))
	case "right", "ctrl+f":
		move(e.next(e.at))
	case "alt+left", "alt+b", "ctrl+left":
		move(e.wordLeft())
	case "alt+right", "alt+f", "ctrl+right":
		move(e.wordRight())
	case "home", "ctrl+a":
		move(e.lineStart())
	case "end", "ctrl+e":
		move(e.lineEnd())
	case "backspace", "ctrl+h":
		e.remove(e.prev(e.at), e.at)
	case "delete", "ctrl+d":
		e.remove(e.at, e.next(e.at))
	case "ctrl+w", "alt+backspace":
		e.remove(e.wordLeft(), e.at)
	case "alt+d", "alt+delete":
		e.remove(e.at, e.wordRight())
	case "ctrl+k":
		e.remove(e.at, e.lineEnd())
	case "ctrl+u":
		e.remove(e.lineStart(), e.at)
	default:
		if msg.Type != tea.KeyRunes && msg.Type != tea.KeySpace || msg.Alt && !msg.Paste {
			return false
		}
		e.Insert(string(msg.Runes))
	}
	return true
}

// shown is a character as the input shows it.
func shown(cluster string) (string, int) {
	if cluster == "\t" {
		return "    ", 4
	}
	s := kit.Visible(cluster)
	return s, kit.Width(s)
}

// layout finds the rows for a width; one column is left for the cursor at the end of a row.
func (e *Text) layout(width int) []row {
	if e.rows != nil && e.laidText == e.text && e.laidWidth == width {
		return e.rows
	}
	e.rows, e.laidText, e.laidWidth = e.rows[:0], e.text, width
	from, col, space := 0, 0, 0
	for i := 0; i < len(e.text); {
		c, _ := kit.Cluster(e.text[i:])
		if c == "\n" || c == "\r\n" {
			e.rows = append(e.rows, row{from, i})
			i += len(c)
			from, col, space = i, 0, 0
			continue
		}
		_, w := shown(c)
		if col+w > width-1 && i > from {
			end := i
			if space > from {
				end = space
			}
			e.rows = append(e.rows, row{from, end})
			from, i, col, space = end, end, 0, 0
			continue
		}
		i += len(c)
		col += w
		if c == " " {
			space = i
		}
	}
	e.rows = append(e.rows, row{from, len(e.text)})
	return e.rows
}

// cursor is the row and the column of the cursor.
func (e *Text) cursor(width int) (y, x int) {
	for i, r := range e.layout(width) {
		if r.from <= e.at {
			y = i
		}
	}
	return y, e.column(e.rows[y].from, e.at)
}

func (e *Text) column(from, to int) (x int) {
	for i := from; i < to; i = e.next(i) {
		_, w := shown(e.text[i:e.next(i)])
		x += w
	}
	return x
}

// Vertical moves the cursor by rows of a text shown in so many columns, and reports whether there was a row to move to.
func (e *Text) Vertical(by, width int) bool {
	width = inner(width)
	y, x := e.cursor(width)
	to := y + by
	if to < 0 || to >= len(e.rows) {
		return false
	}
	if e.aim < 0 {
		e.aim = x
	}
	r, i := e.rows[to], e.rows[to].from
	for i < r.to && e.column(r.from, e.next(i)) <= e.aim {
		i = e.next(i)
	}
	if i == r.to && to+1 < len(e.rows) && e.rows[to+1].from == r.to && i > r.from {
		i = e.prev(i) // the end of a soft row is the beginning of the next one
	}
	e.at = i
	return true
}

// inner is the columns beside the prompt.
func inner(width int) int { return max(width-2, 4) }

// View is at most height rows around the cursor, of at most width columns, which is at least 12.
func (e *Text) View(th kit.Theme, width, height int) []string {
	prompt := th.Style(kit.Prompt, th.Sign("❯", ">")) + " "
	rows := e.layout(inner(width))
	y, _ := e.cursor(inner(width))
	top := max(0, min(y-height+1, len(rows)-height))
	if y < top {
		top = y
	}
	var out []string
	for i := top; i < len(rows) && len(out) < height; i++ {
		lead := "  "
		switch {
		case i == 0:
			lead = prompt
		case i == top:
			lead = th.Style(kit.Muted, th.Sign("↑", "^")) + " "
		case len(out) == height-1 && i < len(rows)-1:
			lead = th.Style(kit.Muted, th.Sign("↓", "v")) + " "
		}
		out = append(out, lead+e.rowText(th, rows[i], i == y))
	}
	return out
}

// rowText is one row; the cursor is painted, because the terminal's own is at rest elsewhere.
func (e *Text) rowText(th kit.Theme, r row, here bool) string {
	var b strings.Builder
	for i := r.from; i < r.to; i = e.next(i) {
		s, _ := shown(e.text[i:e.next(i)])
		if here && i == e.at {
			s = th.Style(kit.Reverse, s)
		}
		b.WriteString(s)
	}
	if here && e.at >= r.to {
		b.WriteString(th.Style(kit.Reverse, " "))
	}
	return b.String()
}

// History is what was sent before, for the keys up and down. The zero value is empty.
type History struct {
	sent  []string
	at    int
	draft string
}

// Add appends a text that was sent.
func (h *History) Add(s string) {
	if n := len(h.sent); s != "" && (n == 0 || h.sent[n-1] != s) {
		h.sent = append(h.sent, s)
	}
	h.at = len(h.sent)
}

// Move steps through the history and reports the text to show instead of the current one.
func (h *History) Move(by int, current string) (string, bool) {
	to := h.at + by
	if to < 0 || to > len(h.sent) {
		return "", false
	}
	if h.at == len(h.sent) {
		h.draft = current
	}
	h.at = to
	if to == len(h.sent) {
		return h.draft, true
	}
	return h.sent[to], true
}

// Rest goes back to the end: what is written now is a text of its own.
func (h *History) Rest() { h.at = len(h.sent) }
