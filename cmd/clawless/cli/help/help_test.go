package help

import (
	"strings"
	"testing"
)

func TestReflow(t *testing.T) {
	text := "One paragraph that is\nbroken somewhere else.\n\nThen a list:\n  kept as it is however long it may become\n  and this too\nand a last paragraph"
	want := "One paragraph that is broken\nsomewhere else.\n\nThen a list:\n  kept as it is however long it may become\n  and this too\nand a last paragraph"
	if got := reflow(text, 30); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		text    string
		columns int
		want    string
	}{
		{"", 40, ""},
		{"short", 40, "short"},
		{"aaaaaaaaaa bbbbbbbbbb cccccccccc", 24, "aaaaaaaaaa bbbbbbbbbb\n  cccccccccc"},
		{"aaaaaaaaaa bbbbbbbbbb" + noBreak + "cccccccccc", 24, "aaaaaaaaaa\n  bbbbbbbbbb cccccccccc"},
		{strings.Repeat("x", 60) + " y", 24, strings.Repeat("x", 60) + "\n  y"},
		{"at least twenty-four columns", 3, "at least twenty-four\n  columns"},
	} {
		if got := wrap(tt.text, tt.columns, "  "); got != tt.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}
