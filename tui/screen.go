package tui

import (
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/clawless/clawless/tui/kit"
)

// frameEvery is the shortest time from one frame to the next. A frame after a pause is painted at once.
const frameEvery = 8 * time.Millisecond

// frame is what should be on the screen.
type frame struct {
	lines []string // what is live, at most as many lines as the screen has
	full  bool     // in the full screen instead of below the conversation
	width int
}

// screen paints frames. The library's own renderer wakes up 60 times a second to see whether there is anything to do,
// loses the place of what is live when the terminal is resized, and makes Update wait for a slow terminal; this one
// sleeps until there is a frame, and nobody waits for it.
//
// Below the conversation the cursor rests on the first live line between frames. However a terminal re-wraps its lines
// when it is resized, it carries the cursor along, and the next frame wipes and repaints from there without leaving
// pieces behind or touching the conversation above.
type screen struct {
	out  io.Writer
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex // over what is wanted
	want    frame
	printed []string // lines that go above what is live, for good
	seqs    []string // sequences that change nothing on the screen
	wipe    bool     // the place of what is live must be wiped first
	blank   bool     // so must the whole screen
	closed  bool
	resting bool // the terminal is not ours now

	paint sync.Mutex // over the terminal and what is on it
	full  bool
	shown []string
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// change notes what is wanted and lets it be painted.
func (s *screen) change(f func()) {
	s.mu.Lock()
	f()
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// show wants a frame, with lines printed above it first. In the full screen the lines wait until it is left.
func (s *screen) show(f frame, printed []string) {
	s.change(func() { s.want, s.printed = f, append(s.printed, printed...) })
}

// send wants a sequence to be written that moves no cursor.
func (s *screen) send(seq string) { s.change(func() { s.seqs = append(s.seqs, seq) }) }

// moved says that the terminal has another size, or that something else wrote to it.
func (s *screen) moved() { s.change(func() { s.wipe = true }) }

// clean wants a screen with nothing but what is live.
func (s *screen) clean() { s.change(func() { s.blank = true }) }

// run paints until close, and reports what went wrong with the terminal to failed, once.
func (s *screen) run(failed func(error)) {
	defer close(s.done)
	for range s.wake {
		s.mu.Lock()
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return
		}
		if err := s.next(); err != nil {
			failed(err)
			return
		}
		time.Sleep(frameEvery)
	}
}

// begin takes the terminal.
func (s *screen) begin() {
	s.change(func() { s.resting, s.wipe = false, true })
	s.write(ansi.ResetModeTextCursorEnable + ansi.SetModeBracketedPaste)
}

// rest gives the terminal back: what is live is wiped, what was printed stays. It returns when that is done.
func (s *screen) rest() {
	s.change(func() { s.want.lines, s.want.full = nil, false })
	_ = s.next()
	s.change(func() { s.resting = true })
	s.write(ansi.ResetModeBracketedPaste + ansi.SetModeTextCursorEnable)
}

// close ends run and gives the terminal back.
func (s *screen) close() {
	s.rest()
	s.change(func() { s.closed = true })
	<-s.done
}

func (s *screen) write(seq string) {
	s.paint.Lock()
	defer s.paint.Unlock()
	_, _ = io.WriteString(s.out, seq)
}

// next paints what is wanted now.
func (s *screen) next() error {
	s.paint.Lock()
	defer s.paint.Unlock()
	s.mu.Lock()
	if s.resting {
		s.mu.Unlock()
		return nil
	}
	f, seqs, wipe, blank := s.want, s.seqs, s.wipe, s.blank
	s.seqs, s.wipe, s.blank = nil, false, false
	var printed []string
	if !f.full {
		printed, s.printed = s.printed, nil
	}
	s.mu.Unlock()

	var b strings.Builder
	for _, seq := range seqs {
		b.WriteString(seq)
	}
	s.enter(&b, f.full)
	if blank {
		b.WriteString(ansi.EraseEntireScreen + ansi.CursorHomePosition)
		s.shown = nil
	}
	if f.full {
		s.absolute(&b, f, wipe)
	} else {
		s.flow(&b, f, printed, wipe)
	}
	s.shown = f.lines
	if b.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(s.out, ansi.SetModeSynchronizedOutput+b.String()+ansi.ResetModeSynchronizedOutput)
	return err
}

// enter goes to the full screen or back. The terminal keeps the place of the cursor below the conversation.
func (s *screen) enter(b *strings.Builder, full bool) {
	switch {
	case full && !s.full:
		b.WriteString(ansi.SetModeAltScreenSaveCursor + ansi.EraseEntireScreen)
	case !full && s.full:
		b.WriteString(ansi.ResetModeAltScreenSaveCursor + "\r" + ansi.EraseScreenBelow)
	default:
		return
	}
	s.full, s.shown = full, nil
}

// absolute paints the lines that changed in the full screen.
func (s *screen) absolute(b *strings.Builder, f frame, wipe bool) {
	if wipe {
		b.WriteString(ansi.EraseEntireScreen)
		s.shown = nil
	}
	for i, line := range f.lines {
		if i < len(s.shown) && s.shown[i] == line {
			continue
		}
		b.WriteString(ansi.CursorPosition(1, i+1))
		paintLine(b, line, f.width)
	}
	if len(f.lines) < len(s.shown) {
		b.WriteString(ansi.CursorPosition(1, len(f.lines)+1) + ansi.EraseScreenBelow)
	}
}

// flow prints lines and paints what is live below them, from the first live line on, where the cursor rests.
func (s *screen) flow(b *strings.Builder, f frame, printed []string, wipe bool) {
	if wipe {
		b.WriteString("\r" + ansi.EraseScreenBelow)
		s.shown = nil
	}
	had := len(s.shown)
	if len(printed) > 0 {
		for _, line := range printed {
			paintLine(b, line, f.width)
			b.WriteString("\r\n")
		}
		had = max(0, had-len(printed))
		s.shown = nil
	}
	last := len(f.lines) - 1
	for last >= 0 && last < len(s.shown) && s.shown[last] == f.lines[last] && had <= len(f.lines) {
		last-- // what did not change at the end is not even passed
	}
	if last < 0 && had <= len(f.lines) {
		return
	}
	// Without automatic wrapping a line painted for a width that has just changed is cut. With it, it would push the
	// lines below it down.
	b.WriteString(ansi.ResetModeAutoWrap)
	for i := 0; i <= last; i++ {
		if i > 0 {
			b.WriteString("\r\n")
		}
		if i >= len(s.shown) || s.shown[i] != f.lines[i] {
			paintLine(b, f.lines[i], f.width)
		}
	}
	at := max(0, last)
	switch {
	case had > len(f.lines) && len(f.lines) == 0:
		b.WriteString("\r" + ansi.EraseScreenBelow)
	case had > len(f.lines):
		// On the line below: erasing from a full last line would take its last character.
		b.WriteString("\r\n" + ansi.EraseScreenBelow)
		at++
	}
	b.WriteByte('\r')
	if at > 0 {
		b.WriteString("\x1b[" + strconv.Itoa(at) + "A")
	}
	b.WriteString(ansi.SetModeAutoWrap)
}

// paintLine writes a line and wipes what was behind it.
func paintLine(b *strings.Builder, line string, width int) {
	b.WriteString(line)
	if kit.Width(line) < width {
		b.WriteString(ansi.EraseLineRight)
	}
}
