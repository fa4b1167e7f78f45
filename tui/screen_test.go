package tui

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/clawless/clawless/tui/internal/vttest"
)

// TestScreenShowsEveryFrame shows random frames with random lines printed above them and compares the terminal with
// what it should be: the printed lines once and in order, then what is live.
func TestScreenShowsEveryFrame(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	word := func() string {
		return [...]string{"", "word", "漢字", strings.Repeat("full ", 4), "\x1b[1mbold\x1b[m", "👋"}[r.IntN(6)]
	}
	for round := range 300 {
		const width = 20
		height := 3 + r.IntN(12)
		vt := vttest.New(width, height)
		s := newScreen(vt)
		s.begin()
		var said []string
		for step := range 25 {
			f := frame{width: width, full: r.IntN(8) == 0}
			for range r.IntN(height + 1) {
				f.lines = append(f.lines, word())
			}
			var printed []string
			for i := range r.IntN(4) * r.IntN(2) * r.IntN(height) {
				printed = append(printed, ansi.Truncate(fmt.Sprintf("%d.%d.%d %s", round, step, i, word()), width, ""))
			}
			said = append(said, printed...)
			if r.IntN(5) == 0 {
				s.moved()
			}
			s.show(f, printed)
			if err := s.next(); err != nil {
				t.Fatal(err)
			}
			want := plainText(f.lines)
			got := vt.Lines()
			if !f.full {
				want = append(plainText(said), want...)
				got = vt.All()
			}
			if !slices.Equal(trim(got), trim(want)) {
				t.Fatalf("round %d step %d full %v:\n%q, want\n%q", round, step, f.full, trim(got), trim(want))
			}
		}
		s.rest()
		if got := trim(vt.All()); !slices.Equal(got, trim(plainText(said))) {
			t.Fatalf("at the end there is\n%q, want\n%q", got, plainText(said))
		}
		if odd := vt.Strange(); len(odd) > 0 {
			t.Fatalf("sequences that are not known: %v", odd)
		}
	}
}

func plainText(lines []string) (out []string) {
	for _, line := range lines {
		line = strings.NewReplacer("\x1b[1m", "", "\x1b[m", "").Replace(line)
		out = append(out, strings.TrimRight(line, " "))
	}
	return out
}

func trim(lines []string) []string {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// count is a terminal that counts.
type count struct {
	writes int
	bytes  int
	fails  error
}

func (c *count) Write(p []byte) (int, error) {
	c.writes, c.bytes = c.writes+1, c.bytes+len(p)
	return len(p), c.fails
}

func TestWhatDidNotChangeIsNotPainted(t *testing.T) {
	out := &count{}
	s := newScreen(out)
	lines := []string{strings.Repeat("a", 80), strings.Repeat("b", 80), strings.Repeat("c", 80)}
	s.show(frame{lines: lines, width: 80}, nil)
	if err := s.next(); err != nil || out.bytes < 240 {
		t.Fatalf("the first frame is %d bytes, %v", out.bytes, err)
	}
	*out = count{}
	s.show(frame{lines: lines, width: 80}, nil)
	if err := s.next(); err != nil || out.writes != 0 {
		t.Errorf("an equal frame took %d writes, %v", out.writes, err)
	}
	s.show(frame{lines: []string{lines[0], "new", lines[2]}, width: 80}, nil)
	if err := s.next(); err != nil || out.writes != 1 || out.bytes > 60 {
		t.Errorf("a frame with one new word took %d writes of %d bytes, %v", out.writes, out.bytes, err)
	}
}

func TestATerminalThatIsGone(t *testing.T) {
	gone := errors.New("gone")
	s := newScreen(&count{fails: gone})
	failed := make(chan error, 1)
	go s.run(func(err error) { failed <- err })
	s.show(frame{lines: []string{"x"}, width: 80}, nil)
	select {
	case err := <-failed:
		if !errors.Is(err, gone) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("nobody is told")
	}
	s.close()
}
