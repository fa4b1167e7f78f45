package kit

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Width is the number of columns of s; escape sequences count nothing, wide characters two.
func Width(s string) int {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return ansi.StringWidth(s)
		}
	}
	return len(s)
}

// Cut shortens s to w columns, with "…" or "..." in place of what is missing.
func (t Theme) Cut(s string, w int) string {
	if w <= 0 {
		return ""
	}
	return ansi.Truncate(s, w, t.Sign("…", "..."))
}

// Cluster is the first character of s as a person sees it, and its columns.
func Cluster(s string) (string, int) {
	if len(s) > 0 && s[0] < 0x80 && (len(s) == 1 || s[1] < 0x80) {
		return s[:1], 1
	}
	return ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
}

// Untab replaces tabs by four spaces: the line renderer and a terminal's tab stops disagree about columns.
func Untab(s string) string { return strings.ReplaceAll(s, "\t", "    ") }

// Wrap breaks plain text into lines of at most width columns, all in one look. Line breaks and leading spaces
// are kept; tabs become four spaces; s must have passed Visible.
func Wrap(th Theme, s string, a Attr, width int) []string {
	f := Flow{keep: true}
	for i, line := range strings.Split(Untab(s), "\n") {
		if i > 0 {
			f.Break()
		}
		f.Add(line, a|Verbatim)
	}
	var out []string
	f.Layout(th, max(width, 2), func(line string, _ int) { out = append(out, line) })
	return out
}

// piece is text that no line break may split, with the spaces before it.
type piece struct {
	text        string
	w, sp       int
	attr, spacy Attr // the look of the text and of the spaces before it
	glue        bool // no line may begin here
	broken      bool // a line begins here
}

// Flow collects styled text and lays it out in lines. The zero value is ready.
type Flow struct {
	pieces []piece
	sp     int
	spacy  Attr
	broken bool
	glue   bool // the next piece touches the one before it
	wide   bool // the last piece was a wide character
	keep   bool // spaces at the beginning of a line are kept
	buf    []byte
}

// Reset forgets the text and keeps the memory.
func (f *Flow) Reset() {
	f.pieces, f.sp, f.broken, f.glue, f.wide = f.pieces[:0], 0, false, false, false
}

// Break ends the line.
func (f *Flow) Break() {
	if f.broken { // an empty line
		f.push("", 0, 0)
	}
	f.sp, f.broken, f.glue = 0, true, false
}

func (f *Flow) push(text string, w int, a Attr) {
	f.pieces = append(f.pieces, piece{text: text, w: w, sp: f.sp, attr: a, spacy: f.spacy, glue: f.glue, broken: f.broken})
	f.sp, f.broken, f.glue = 0, false, true
}

// Characters that may not begin a line, and those that may not end one, in Chinese, Japanese and Korean text.
const (
	noStart = "、。，．：；？！）」』】〕〉》］｝”’…ー々.,:;?!)]}%"
	noEnd   = "（「『【〔〈《［｛“‘([{"
)

// Add appends text in one look; it holds no line feeds, tabs or controls. Spaces separate words; several count as
// one unless the look is Verbatim.
func (f *Flow) Add(s string, a Attr) {
	for s != "" {
		if s[0] == ' ' {
			if f.sp++; f.sp > 1 && a&Verbatim == 0 {
				f.sp = 1
			}
			f.spacy, f.glue, s = a, false, s[1:]
			continue
		}
		n, w, wide := f.word(s)
		text := s[:n]
		first, _ := Cluster(text)
		if f.glue && (wide || f.wide) {
			last := ""
			if len(f.pieces) > 0 {
				last = f.pieces[len(f.pieces)-1].text
			}
			f.glue = strings.Contains(noStart, first) || endsOpen(last)
		}
		f.push(text, w, a)
		f.wide, s = wide, s[n:]
	}
}

func endsOpen(s string) bool {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i]&0xc0 != 0x80 {
			return strings.Contains(noEnd, s[i:])
		}
	}
	return false
}

// word is the length and the columns of the first word of s; a wide character is a word of its own.
func (f *Flow) word(s string) (n, w int, wide bool) {
	for n < len(s) && s[n] != ' ' {
		if s[n] < 0x80 && (n+1 == len(s) || s[n+1] < 0x80) {
			n++
			w++
			continue
		}
		c, cw := ansi.FirstGraphemeCluster(s[n:], ansi.GraphemeWidth)
		if cw > 1 {
			if n == 0 {
				return len(c), cw, true
			}
			return n, w, false
		}
		n += len(c)
		w += cw
	}
	return n, w, false
}

// Layout calls emit with every line and its columns, at most width, which is at least 2. A line is complete in
// itself: its attributes begin and end within it.
func (f *Flow) Layout(th Theme, width int, emit func(line string, w int)) {
	l := line{th: th, buf: f.buf[:0], width: width, emit: emit}
	for i := 0; i < len(f.pieces); {
		j, unit := i+1, f.pieces[i].w
		for j < len(f.pieces) && f.pieces[j].glue && !f.pieces[j].broken {
			unit += f.pieces[j].w
			j++
		}
		p := f.pieces[i]
		sp := p.sp
		switch {
		case p.broken:
			l.end()
			sp = 0
		case i > 0 && l.w+sp+unit > width && l.w > 0:
			l.end()
			sp = 0
		case i == 0:
			sp = 0
		}
		if f.keep && (p.broken || i == 0) {
			sp = min(p.sp, width/2)
		}
		l.spaces(sp, p.spacy)
		for ; i < j; i++ {
			l.text(f.pieces[i])
		}
	}
	if len(f.pieces) > 0 || f.keep {
		l.end()
		if f.broken && f.keep {
			l.end()
		}
	}
	f.buf = l.buf[:0]
}

// line is the line being built.
type line struct {
	th    Theme
	buf   []byte
	w     int
	width int
	attr  Attr
	emit  func(string, int)
}

func (l *line) look(a Attr) {
	if a = l.th.visible(a); a == l.attr {
		return
	}
	if l.attr != 0 {
		l.buf = append(l.buf, "\x1b[m"...)
	}
	if l.attr = a; a != 0 {
		l.buf = l.th.appendSGR(l.buf, a)
	}
}

func (l *line) spaces(n int, a Attr) {
	if n = min(n, l.width-l.w); n <= 0 {
		return
	}
	if l.th.visible(a) != l.attr {
		l.look(a &^ (Underline | Strike | Reverse))
	}
	for range n {
		l.buf = append(l.buf, ' ')
	}
	l.w += n
}

// text appends a piece and splits it only if it does not fit a line of its own.
func (l *line) text(p piece) {
	if l.w+p.w <= l.width {
		l.look(p.attr)
		l.buf = append(l.buf, p.text...)
		l.w += p.w
		return
	}
	for s := p.text; s != ""; {
		c, w := Cluster(s)
		if l.w+w > l.width && l.w > 0 {
			l.end()
		}
		if w <= l.width {
			l.look(p.attr)
			l.buf = append(l.buf, c...)
			l.w += w
		}
		s = s[len(c):]
	}
}

func (l *line) end() {
	l.look(0)
	l.emit(string(l.buf), l.w)
	l.buf, l.w = l.buf[:0], 0
}
