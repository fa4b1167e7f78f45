package kit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
)

var rich = Theme{SGR: true, Color: true, Rich: true}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain text\n\ttab": "plain text\n\ttab",
		"\x1b[31mred":       "␛[31mred",
		"a\r\nb\rc":         "a\nb␍c",
		"\x00\x07\x7f":      "␀␇␡",
		"\u009b2J":          "‹U+009B›2J",
		"\u202eevil\u2066":  "‹U+202E›evil‹U+2066›",
		"a\xffb":            "a\ufffdb",
		"漢字 👩‍👩‍👧 é":        "漢字 👩‍👩‍👧 é",
		"cut \xe6\xbc":      "cut \ufffd\ufffd",
	} {
		if got := Visible(in); got != want {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Line(" a\n\tb  c "); got != "a b c" {
		t.Errorf("Line gave %q", got)
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\x1b[0m\u009b\xff\r\n\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := Visible(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		for _, r := range got {
			if r < 0x20 && r != '\n' && r != '\t' || r == 0x7f || r != utf8.RuneError && r >= 0x80 && unsafeRune(r) {
				t.Fatalf("%U in Visible(%q)", r, s)
			}
		}
		if Visible(got) != got {
			t.Fatalf("Visible changes what it gave: %q", got)
		}
	})
}

func TestUnfinished(t *testing.T) {
	for in, want := range map[string]int{"": 0, "abc": 0, "a\r": 1, "漢": 0, "漢\xe5": 1, "漢\xe5\xad": 2, "\xf0\x9f\x91": 3, "\xff": 0, "\xbf\xbf": 0} {
		if got := Unfinished(in); got != want {
			t.Errorf("Unfinished(%q) = %d, want %d", in, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, []string{""}},
		{"one two three", 8, []string{"one two", "three"}},
		{"  indented line", 12, []string{"  indented", "line"}},
		{"a\n\nb\n", 10, []string{"a", "", "b", ""}},
		{"abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"a\tb", 10, []string{"a    b"}},
		{"漢字漢字", 5, []string{"漢字", "漢字"}},
		{"漢字。漢字", 4, []string{"漢", "字。", "漢字"}},
		{"「漢字」漢", 6, []string{"「漢", "字」漢"}},
		{"see https://example.com/long/path", 12, []string{"see", "https://exam", "ple.com/long", "/path"}},
		{"e\u0301e\u0301e\u0301", 2, []string{"e\u0301e\u0301", "e\u0301"}},
	} {
		if got := Wrap(Theme{}, c.text, 0, c.width); !slices.Equal(got, c.want) {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// TestWrapLosesNothing: whatever the width, the lines together are the text.
func TestWrapLosesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	words := []string{"word", "漢字", "。", "👩‍👩‍👧", "a-b", "(", ")", "é", "e\u0301", "verylongwordwithoutanyspace", "\n", " ", "  ", "🇫🇷"}
	for range 3000 {
		var b strings.Builder
		for range r.IntN(20) {
			b.WriteString(words[r.IntN(len(words))])
			if r.IntN(2) == 0 {
				b.WriteByte(' ')
			}
		}
		width := 2 + r.IntN(30)
		lines := Wrap(rich, b.String(), Bold|Cyan, width)
		squeeze := func(s string) string { return strings.Join(strings.Fields(ansi.Strip(s)), "") }
		if got := squeeze(strings.Join(lines, "")); got != squeeze(b.String()) {
			t.Fatalf("Wrap(%q, %d) = %q", b.String(), width, lines)
		}
		for _, line := range lines {
			if Width(line) > width {
				t.Fatalf("%q is wider than %d", line, width)
			}
		}
	}
}

func TestThemeWritesWhatItMay(t *testing.T) {
	for name, c := range map[string]struct {
		th   Theme
		want string
	}{
		"color":   {rich, "\x1b[1;36mx\x1b[m"},
		"nocolor": {NewTheme(func(string) string { return "1" }), "\x1b[1mx\x1b[m"},
		"plain":   {Theme{}, "x"},
	} {
		if got := c.th.Style(Bold|Cyan, "x"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := NewTheme(func(string) string { return "" }).Style(Cyan, "x"); got != "\x1b[36mx\x1b[m" {
		t.Errorf("without NO_COLOR: %q", got)
	}
	if got := NewTheme(func(string) string { return "1" }).Style(Cyan, "x"); got != "x" {
		t.Errorf("a colour alone under NO_COLOR: %q", got)
	}
}

func TestStatusLine(t *testing.T) {
	th := Theme{}
	for _, c := range []struct {
		left, right string
		width       int
		want        string
	}{{"left", "right", 12, "left   right"}, {"left", "right", 10, "left"}, {"a long left", "", 6, "a l..."}} {
		if got := th.Status(c.left, c.right, c.width); got != c.want {
			t.Errorf("Status(%q, %q, %d) = %q, want %q", c.left, c.right, c.width, got, c.want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -12: "-12"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q", n, got)
		}
	}
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		then time.Time
		want string
	}{{time.Time{}, ""}, {now, "now"}, {now.Add(-5 * time.Minute), "5 min ago"}, {now.Add(-3 * time.Hour), "3 h ago"},
		{now.AddDate(0, -2, 0), "1 Jun"}, {now.AddDate(-2, 0, 0), "1 Aug 2024"}} {
		if got := Ago(c.then, now); got != c.want {
			t.Errorf("Ago(%v) = %q, want %q", c.then, got, c.want)
		}
	}
}

type hinting struct{}

func (hinting) Error() string { return "it\x1b failed" }
func (hinting) Hint() string  { return "try: again\x1b" }

func TestFailedShowsTheHint(t *testing.T) {
	got := Failed(Theme{}, fmt.Errorf("outer: %w", hinting{}), 60)
	if want := []string{"error: outer: it␛ failed", "  try: again␛"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if Hint(errors.New("x")) != "" {
		t.Error("an error without a hint has one")
	}
}

func press(s string) tea.KeyMsg {
	switch s {
	case "down":
		return tea.KeyMsg{Type: tea.KeyDown}
	case "up":
		return tea.KeyMsg{Type: tea.KeyUp}
	case "end":
		return tea.KeyMsg{Type: tea.KeyEnd}
	case "backspace":
		return tea.KeyMsg{Type: tea.KeyBackspace}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(s)}
}

func view(l *List, width, height int) string { return strings.Join(l.View(width, height), "\n") }

func TestListFiltersAndScrolls(t *testing.T) {
	l := List{Theme: Theme{}, Heading: "Things", Empty: "none"}
	if got := view(&l, 40, 5); got != "Things\n  none" {
		t.Errorf("an empty list is %q", got)
	}
	for i := range 30 {
		l.Append(Item{ID: fmt.Sprint(i), Title: fmt.Sprintf("Thing %d", i), Note: "note", Current: i == 1})
	}
	if got := view(&l, 40, 4); got != "Things\n> Thing 0                           note\n  Thing 1 *                         note\n  Thing 2                           note" {
		t.Errorf("the list is\n%s", got)
	}
	l.Key(press("end"))
	if it, _ := l.Selected(); it.ID != "29" || !strings.Contains(view(&l, 40, 4), "> Thing 29") {
		t.Errorf("the end is %v:\n%s", it, view(&l, 40, 4))
	}
	if l.Key(press("x")) {
		t.Error("a letter was taken without a filter")
	}
	l.Key(press("/thing 2"))
	if !l.Filtering() || !strings.Contains(view(&l, 40, 20), "/thing 2") {
		t.Errorf("the filter is not shown:\n%s", view(&l, 40, 20))
	}
	if it, _ := l.Selected(); it.ID != "2" {
		t.Errorf("the filter selects %v", it)
	}
	l.Key(press("9"))
	if it, _ := l.Selected(); it.ID != "29" {
		t.Errorf("the filter selects %v", it)
	}
	l.Key(press("9"))
	if _, ok := l.Selected(); ok || !strings.Contains(view(&l, 60, 5), "nothing matches") {
		t.Errorf("nothing should match:\n%s", view(&l, 60, 5))
	}
	l.Key(press("backspace"))
	if !l.Escape() || l.Escape() {
		t.Error("Escape gives up a filter once")
	}
	if it, _ := l.Selected(); it.ID != "0" {
		t.Errorf("without a filter %v is selected", it)
	}
	for _, size := range [][2]int{{10, 1}, {20, 3}, {5, 2}} {
		lines := l.View(size[0], size[1])
		if len(lines) > size[1] {
			t.Errorf("%d lines in %v", len(lines), size)
		}
		for _, line := range lines {
			if Width(line) > size[0] {
				t.Errorf("%q is wider than %d", line, size[0])
			}
		}
	}
}
