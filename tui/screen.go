package tui

import (
	"bytes"
	"io"
	"strconv"
	"sync"

	"github.com/charmbracelet/x/ansi"
)

// liveMark stands at the beginning of what is live on the screen. It switches automatic wrapping off, so that a line
// painted for a width that has just changed is cut instead of pushing the lines below it down; and it tells the
// screen where the live part of a frame begins.
const liveMark = "\x1b[?7l"

// terminal is what the program writes to: a file that is a terminal.
type terminal interface {
	io.ReadWriteCloser
	Fd() uintptr
}

// screen stands between the renderer and the terminal and changes three things. Every frame is shown at once
// (synchronized output). Between frames the cursor rests on the first live line instead of the last: when the
// terminal is resized, however it re-wraps what is above and below, the cursor is carried along, and the next frame
// wipes and repaints from there without leaving pieces behind or touching the conversation above. And sequences of
// our own, such as the clipboard's, get in between frames but never into one.
type screen struct {
	terminal

	mu   sync.Mutex
	buf  []byte
	alt  bool // the full screen is on: places are absolute there
	anew bool // the next frame wipes what is below the cursor first
}

// moved says that the terminal changed its size, or that something else wrote to it.
func (s *screen) moved() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anew = true
}

// send writes a sequence between frames that moves no cursor.
func (s *screen) send(seq string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := io.WriteString(s.terminal, seq)
	return err
}

// Write takes what the renderer writes: a frame at a time, or a short sequence.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buf[:0]
	switch {
	case bytes.Equal(p, []byte(ansi.EraseEntireLine)):
		// The renderer stops. It would wipe its last line; what is live goes as a whole.
		b = append(append(b, '\r'), ansi.EraseScreenBelow...)
		s.anew = true
	case s.alt && bytes.HasPrefix(p, []byte(ansi.CursorHomePosition)) && len(p) > len(ansi.CursorHomePosition):
		b = append(append(append(b, ansi.SetModeSynchronizedOutput...), p...), ansi.ResetModeSynchronizedOutput...)
	case !s.alt && len(p) > 1 && p[len(p)-1] == '\r':
		b = s.frame(b, p)
	default:
		s.alt = (s.alt || bytes.Contains(p, []byte(ansi.SetAltScreenSaveCursorMode))) &&
			!bytes.Contains(p, []byte(ansi.ResetAltScreenSaveCursorMode))
		b = append(b, p...)
	}
	s.buf = b[:0]
	if _, err := s.terminal.Write(b); err != nil {
		return 0, err
	}
	return len(p), nil
}

// frame rewrites a frame so that it begins and ends on the first live line.
func (s *screen) frame(b, p []byte) []byte {
	p = afterCursorUp(p)
	b = append(b, ansi.SetModeSynchronizedOutput...)
	if s.anew {
		b = append(append(b, '\r'), ansi.EraseScreenBelow...)
	}
	live := bytes.Index(p, []byte(liveMark))
	if live < 0 { // the first line is unchanged and not in the frame, and so is nothing but live lines
		live = 0
		b = append(b, liveMark...)
	}
	b = append(b, p...)
	b = append(b, ansi.SetModeAutoWrap...)
	if n := bytes.Count(p[live:], []byte{'\n'}); n > 0 {
		b = append(b, ansi.CursorUp(n)...)
	}
	s.anew = false
	return append(b, ansi.ResetModeSynchronizedOutput...)
}

// afterCursorUp removes the movement with which a frame begins.
func afterCursorUp(p []byte) []byte {
	if !bytes.HasPrefix(p, []byte("\x1b[")) {
		return p
	}
	end := bytes.IndexByte(p, 'A')
	if end < 2 {
		return p
	}
	if end > 2 {
		if _, err := strconv.Atoi(string(p[2:end])); err != nil {
			return p
		}
	}
	return p[end+1:]
}
