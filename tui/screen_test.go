package tui

import (
	"bytes"
	"strings"
	"testing"
)

// tape is a terminal that only remembers.
type tape struct{ bytes.Buffer }

func (*tape) Close() error { return nil }
func (*tape) Fd() uintptr  { return 0 }

func TestFramesBeginAndEndOnTheFirstLiveLine(t *testing.T) {
	out := &tape{}
	s := &screen{terminal: out}
	for _, step := range []struct {
		name, in, want string
	}{
		{"the first frame", "\r" + liveMark + "one\r\ntwo\r", "\x1b[?2026h\r\x1b[?7lone\r\ntwo\r\x1b[?7h\x1b[A\x1b[?2026l"},
		{"a frame of its second line only", "\x1b[A\ntwo!\x1b[K\r", "\x1b[?2026h\x1b[?7l\ntwo!\x1b[K\r\x1b[?7h\x1b[A\x1b[?2026l"},
		{"printed lines come before the live ones", "\x1b[2A" + "old\r\nold\r\n" + liveMark + "one\r\ntwo\r\nthree\r",
			"\x1b[?2026hold\r\nold\r\n\x1b[?7lone\r\ntwo\r\nthree\r\x1b[?7h\x1b[2A\x1b[?2026l"},
		{"a sequence", "\x1b[?25l", "\x1b[?25l"},
		{"the end", "\x1b[2K", "\r\x1b[J"},
		{"the full screen", "\x1b[?1049h", "\x1b[?1049h"},
		{"a frame of the full screen", "\x1b[Hone\r\n\x1b[2;1H", "\x1b[?2026h\x1b[Hone\r\n\x1b[2;1H\x1b[?2026l"},
		{"the way back", "\x1b[?1049l", "\x1b[?1049l"},
	} {
		out.Reset()
		if n, err := s.Write([]byte(step.in)); err != nil || n != len(step.in) {
			t.Errorf("%s: wrote %d, %v", step.name, n, err)
		}
		if got := out.String(); got != step.want {
			t.Errorf("%s:\n%q, want\n%q", step.name, got, step.want)
		}
	}
	s.moved()
	out.Reset()
	if _, err := s.Write([]byte("\x1b[4A" + liveMark + "one\r")); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "\x1b[?2026h\r\x1b[J\x1b[?7lone") {
		t.Errorf("after a resize the frame is %q", got)
	}
}
