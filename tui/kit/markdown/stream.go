package markdown

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"github.com/clawless/clawless/tui/kit"
)

// Stream paints markdown that arrives in pieces. Outermost blocks that nothing can change any more, the items of an
// outermost list and the lines of an outermost fenced code block are settled: their lines are handed out once and
// are final. Only the open tail is painted again, so the work for a piece does not grow with the text before it.
// However the text is split, the lines of all Writes and of Close together equal Painter.Paint of the whole. It is not
// safe for concurrent use.
type Stream struct {
	p     *Painter
	carry string // bytes that wait for the rest of their character
	tail  []byte // text that is not settled
	join  join   // how the tail joins what is settled
	// fence is the opening mark of the code block that the tail is inside of, or empty.
	fence string
	// lines caches what Tail answers; fresh says that it still holds.
	lines []string
	fresh bool
	since int // how much of the tail was there when the last attempt to settle was made
}

// NewStream paints for a width in columns.
func NewStream(th kit.Theme, width int) *Stream {
	return &Stream{p: NewPainter(th, width), join: beginning}
}

// Resize changes the width of the lines that are not settled yet.
func (s *Stream) Resize(width int) {
	s.p.width, s.fresh = max(width, 10), false
}

// Write takes the next piece and returns the lines that it settled.
func (s *Stream) Write(piece string) []string {
	if piece == "" {
		return nil
	}
	text := s.carry + piece
	n := len(text) - kit.Unfinished(text)
	s.carry = text[n:]
	s.fresh = false
	s.tail = append(s.tail, kit.Visible(text[:n])...)
	return s.settle()
}

// Close settles what is left.
func (s *Stream) Close() []string {
	s.tail = append(s.tail, kit.Visible(s.carry)...)
	s.carry, s.fresh = "", false
	lines := s.Tail()
	s.tail, s.fence, s.lines, s.fresh = nil, "", nil, true
	return lines
}

// Tail is the lines of the open tail as they stand now. They are valid until the next call of a method.
func (s *Stream) Tail() []string {
	if s.fresh {
		return s.lines
	}
	s.fresh = true
	if s.fence != "" {
		s.p.out = nil
		if len(s.tail) > 0 && !closes(s.fence, s.tail) {
			s.p.codeLine(string(s.tail))
		}
		s.lines = s.p.out
		return s.lines
	}
	root, at := parse(s.tail)
	s.p.paint(s.tail, root, at, s.join)
	s.lines = s.p.out
	return s.lines
}

// settle moves what has become final from the tail into the lines it returns. Only whole lines count: a line that is still
// growing may turn out to be anything.
func (s *Stream) settle() (lines []string) {
	for {
		end := bytes.LastIndexByte(s.tail, '\n') + 1
		if end == 0 || end == s.since {
			return lines
		}
		s.since = end
		if s.fence == "" {
			if s.opens() {
				lines = append(lines, s.openFence()...)
				continue
			}
			painted, ok := s.cut(end)
			if !ok {
				return lines
			}
			lines = append(lines, painted...)
			continue
		}
		s.p.out = nil
		rest := s.tail[:end]
		for len(rest) > 0 && s.fence != "" {
			i := bytes.IndexByte(rest, '\n')
			if closes(s.fence, rest[:i]) {
				s.fence = ""
			} else {
				s.p.codeLine(string(rest[:i]))
			}
			rest = rest[i+1:]
		}
		lines = append(lines, s.p.out...)
		s.drop(end - len(rest))
	}
}

// drop removes settled text from the tail.
func (s *Stream) drop(n int) {
	s.tail = append(s.tail[:0:0], s.tail[n:]...)
	s.since = 0
}

// cut settles the whole lines of the tail up to the last block or item that began in them, or all of them after a
// blank line that ended the last block, and reports whether there were any.
func (s *Stream) cut(end int) (lines []string, ok bool) {
	root, at := parse(s.tail[:end])
	cut := at.last
	if last := root.LastChild(); last != nil && endsAtBlank(last.Kind()) && onlyBefore(s.tail, end, " \t\n") {
		cut, at.item = end, false
	}
	head := s.tail[:cut]
	if len(head) == 0 {
		return nil, false
	}
	root, in := parse(head)
	last := root.LastChild()
	if last == nil {
		return nil, false
	}
	s.p.paint(head, root, in, s.join)
	join := join{prev: last.Kind(), item: -1, blank: blankBefore(head, len(head))}
	if list, ok := last.(*ast.List); ok && at.item {
		join.item = list.Start
		if list == root.FirstChild() && s.join.item >= 0 {
			join.item = s.join.item
		}
		join.item += list.ChildCount()
	}
	s.join = join
	s.drop(cut)
	return s.p.out, true
}

// endsAtBlank reports the kinds of blocks that a blank line ends.
func endsAtBlank(kind ast.NodeKind) bool {
	return kind == ast.KindParagraph || kind == ast.KindHeading || kind == extast.KindTable || kind == ast.KindThematicBreak
}

// opens reports whether the tail begins with a fence at the left margin.
func (s *Stream) opens() bool {
	line, _, _ := bytes.Cut(s.tail, []byte{'\n'})
	mark := line[:len(line)-len(bytes.TrimLeft(line, string(line[:min(1, len(line))])))]
	return len(mark) >= 3 && (mark[0] == '~' || mark[0] == '`' && bytes.IndexByte(line[len(mark):], '`') < 0)
}

// openFence enters a code block and settles its label.
func (s *Stream) openFence() []string {
	i := bytes.IndexByte(s.tail, '\n')
	root, at := parse(s.tail[:i+1])
	s.p.paint(s.tail[:i+1], root, at, s.join)
	line := s.tail[:i]
	s.fence = string(line[:len(line)-len(bytes.TrimLeft(line, string(line[:1])))])
	s.join = join{prev: ast.KindFencedCodeBlock, item: -1}
	s.drop(i + 1)
	return s.p.out
}

// closes reports whether a line closes a code block that was opened with the fence.
func closes(fence string, line []byte) bool {
	text := bytes.TrimLeft(line, " ")
	if len(line)-len(text) > 3 {
		return false
	}
	rest := bytes.TrimLeft(text, fence[:1])
	return len(text)-len(rest) >= len(fence) && len(bytes.Trim(rest, " \t")) == 0
}
