// Package vttest is a terminal for tests: it obeys the sequences that the terminal chat writes and shows the screen and
// the scrollback as a person would see them.
package vttest

import (
	"strconv"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
)

// Screen is a terminal of a size. Like xterm it does not wrap old lines anew when it is resized. It is safe for concurrent use.
type Screen struct {
	mu      sync.Mutex
	w, h    int
	rows    [][]string // cells; the second cell of a wide character is empty
	main    [][]string // the rows behind the full screen
	mainX   int
	mainY   int
	history []string
	x, y    int
	wrap    bool
	pending bool // the cursor is behind the last column
	rest    []byte
	osc     []string
	strange []string
}

// New makes a terminal.
func New(w, h int) *Screen {
	s := &Screen{w: w, h: h, wrap: true}
	s.rows = blank(w, h)
	return s
}

func blank(w, h int) [][]string {
	rows := make([][]string, h)
	for i := range rows {
		rows[i] = blankRow(w)
	}
	return rows
}

func blankRow(w int) []string {
	row := make([]string, w)
	for i := range row {
		row[i] = " "
	}
	return row
}

// Resize changes the size: rows are cut or filled, and rows above the cursor leave at the top if need be.
func (s *Screen) Resize(w, h int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, row := range s.rows {
		for len(row) < w {
			row = append(row, " ")
		}
		s.rows[i] = row[:w]
	}
	s.w = w
	for len(s.rows) > h {
		if s.y < len(s.rows)-1 {
			s.rows = s.rows[:len(s.rows)-1]
			continue
		}
		s.history = append(s.history, text(s.rows[0]))
		s.rows = s.rows[1:]
		s.y--
	}
	for len(s.rows) < h {
		s.rows = append(s.rows, blankRow(w))
	}
	s.h, s.x, s.pending = h, min(s.x, w-1), false
}

func text(row []string) string { return strings.TrimRight(strings.Join(row, ""), " ") }

// Lines is the screen, a string a row, without spaces at the ends.
func (s *Screen) Lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, len(s.rows))
	for i, row := range s.rows {
		out[i] = text(row)
	}
	return out
}

// All is the scrollback and the screen, without empty lines at the end.
func (s *Screen) All() []string {
	lines := s.Lines()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := append(append([]string(nil), s.history...), lines...)
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

// String is the screen.
func (s *Screen) String() string { return strings.Join(s.Lines(), "\n") }

// OSC are the operating system commands so far, for example the clipboard's.
func (s *Screen) OSC() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.osc...)
}

// Strange are sequences that this terminal does not know: whatever a program writes that it should not.
func (s *Screen) Strange() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.strange...)
}

// Write takes output of the program.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := append(s.rest, p...)
	for len(b) > 0 {
		n := s.step(b)
		if n == 0 {
			break
		}
		b = b[n:]
	}
	s.rest = append([]byte(nil), b...)
	return len(p), nil
}

// step obeys the first character or sequence of b and returns its length; zero if it is not all there.
func (s *Screen) step(b []byte) int {
	switch b[0] {
	case '\r':
		s.x, s.pending = 0, false
		return 1
	case '\n':
		s.lineFeed()
		return 1
	case '\b':
		s.x = max(0, s.x-1)
		return 1
	case 0x1b:
		return s.escape(b)
	}
	if b[0] < 0x20 {
		s.strange = append(s.strange, strconv.Quote(string(b[:1])))
		return 1
	}
	cluster, w := ansi.FirstGraphemeCluster(b, ansi.GraphemeWidth)
	if !complete(b) && len(cluster) == len(b) {
		return 0
	}
	s.put(string(cluster), w)
	return len(cluster)
}

// complete reports whether the bytes end with a whole character.
func complete(b []byte) bool {
	for n := 1; n <= 4 && n <= len(b); n++ {
		switch c := b[len(b)-n]; {
		case c < 0x80:
			return true
		case c >= 0xf0:
			return n == 4
		case c >= 0xe0:
			return n == 3
		case c >= 0xc0:
			return n == 2
		}
	}
	return true
}

func (s *Screen) put(c string, w int) {
	if w == 0 {
		return
	}
	if s.pending || s.x+w > s.w {
		if s.wrap {
			s.x, s.pending = 0, false
			s.lineFeed()
		} else {
			s.x = s.w - w
		}
	}
	s.rows[s.y][s.x] = c
	for i := 1; i < w; i++ {
		s.rows[s.y][s.x+i] = ""
	}
	s.x += w
	if s.pending = s.x >= s.w; s.pending {
		s.x = s.w - 1
		s.pending = s.wrap
	}
}

func (s *Screen) lineFeed() {
	s.pending = false
	if s.y < s.h-1 {
		s.y++
		return
	}
	if s.main == nil {
		s.history = append(s.history, text(s.rows[0]))
	}
	s.rows = append(s.rows[1:], blankRow(s.w))
}

// escape obeys a sequence.
func (s *Screen) escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '[':
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				s.csi(string(b[2:i]), b[i])
				return i + 1
			}
		}
		return 0
	case ']', 'P':
		for i := 2; i < len(b); i++ {
			bell := b[i] == 0x07 && b[1] == ']'
			if bell || b[i] == '\\' && b[i-1] == 0x1b && (i < 3 || b[i-2] != 0x1b) {
				s.osc = append(s.osc, string(b[1:i]))
				return i + 1
			}
		}
		return 0
	}
	s.strange = append(s.strange, strconv.Quote(string(b[:2])))
	return 2
}

func (s *Screen) csi(params string, final byte) {
	n := 1
	if v, err := strconv.Atoi(params); err == nil {
		n = max(v, 1)
	}
	switch final {
	case 'A':
		s.y, s.pending = max(0, s.y-n), false
	case 'B':
		s.y, s.pending = min(s.h-1, s.y+n), false
	case 'H':
		row, col, _ := strings.Cut(params, ";")
		y, _ := strconv.Atoi(row)
		x, _ := strconv.Atoi(col)
		s.y, s.x, s.pending = min(max(y, 1), s.h)-1, min(max(x, 1), s.w)-1, false
	case 'K':
		from := s.x
		if params == "2" {
			from = 0
		}
		for i := from; i < s.w; i++ {
			s.rows[s.y][i] = " "
		}
	case 'J':
		if params == "2" {
			s.rows = blank(s.w, s.h)
			return
		}
		s.csi("", 'K')
		for i := s.y + 1; i < s.h; i++ {
			s.rows[i] = blankRow(s.w)
		}
	case 'h', 'l':
		s.mode(params, final == 'h')
	case 'm':
	default:
		s.strange = append(s.strange, strconv.Quote("CSI "+params+string(final)))
	}
}

func (s *Screen) mode(params string, on bool) {
	switch params {
	case "?7":
		s.wrap = on
	case "?1049":
		if on {
			s.main, s.mainX, s.mainY = s.rows, s.x, s.y
			s.rows = blank(s.w, s.h)
		} else if s.main != nil {
			s.rows, s.x, s.y, s.main = s.main, s.mainX, s.mainY, nil
		}
	case "?2026", "?25", "?2004", "?1002", "?1003", "?1006", "?1000":
	default:
		s.strange = append(s.strange, strconv.Quote("mode "+params))
	}
}
