package edit

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/clawless/clawless/tui/kit"
)

var names = map[string]tea.KeyMsg{
	"left": {Type: tea.KeyLeft}, "right": {Type: tea.KeyRight}, "home": {Type: tea.KeyHome}, "end": {Type: tea.KeyEnd},
	"backspace": {Type: tea.KeyBackspace}, "delete": {Type: tea.KeyDelete}, "ctrl+w": {Type: tea.KeyCtrlW}, "ctrl+u": {Type: tea.KeyCtrlU},
	"ctrl+k": {Type: tea.KeyCtrlK}, "alt+b": {Type: tea.KeyRunes, Runes: []rune("b"), Alt: true}, "alt+f": {Type: tea.KeyRunes, Runes: []rune("f"), Alt: true},
	"alt+d": {Type: tea.KeyRunes, Runes: []rune("d"), Alt: true},
}

func written(text string, keys ...string) *Text {
	e := &Text{}
	e.Set(text)
	for _, k := range keys {
		if k == "up" || k == "down" {
			e.Vertical(map[string]int{"up": -1, "down": 1}[k], 22)
			continue
		}
		e.Key(names[k])
	}
	return e
}

func TestEditing(t *testing.T) {
	for _, c := range []struct {
		text string
		keys []string
		want string // | is the cursor
	}{
		{"abc", []string{"left", "backspace"}, "a|c"},
		{"abc", []string{"home", "delete"}, "|bc"},
		{"漢字", []string{"left"}, "漢|字"},
		{"a👩‍👩‍👧b", []string{"left", "backspace"}, "a|b"},
		{"e\u0301x", []string{"left", "left"}, "|e\u0301x"},
		{"one two", []string{"ctrl+w"}, "one |"},
		{"one two", []string{"alt+b", "ctrl+k"}, "one |"},
		{"one two", []string{"home", "alt+f"}, "one| two"},
		{"one two", []string{"home", "alt+d"}, "| two"},
		{"one\ntwo", []string{"ctrl+u"}, "one\n|"},
		{"one\ntwo", []string{"ctrl+u", "backspace"}, "one|"},
		{"one\ntwo", []string{"home", "left"}, "one|\ntwo"},
		{"one\ntwo", []string{"up"}, "one|\ntwo"},
		{"a\nlong line\nb", []string{"up", "up"}, "a|\nlong line\nb"},
		{"long line\na\nlong line", []string{"up", "up"}, "long line|\na\nlong line"},
		{"a line that is longer than twenty columns", []string{"home", "down"}, "a line that is |longer than twenty columns"},
		{"", []string{"backspace", "delete", "left", "right", "ctrl+w", "alt+d", "up", "down"}, "|"},
	} {
		e := written(c.text, c.keys...)
		if got := e.text[:e.at] + "|" + e.text[e.at:]; got != c.want {
			t.Errorf("%q %v = %q, want %q", c.text, c.keys, got, c.want)
		}
	}
}

// TestEditorSurvivesAnything presses random keys in random text and looks at every state.
func TestEditorSurvivesAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	parts := []string{"word", " ", "漢字", "👩‍👩‍👧", "e\u0301", "\n", "\t", "\x1b[31m", "\u202e", "longlonglonglongword", "\r\n"}
	keys := []string{"left", "right", "home", "end", "backspace", "delete", "ctrl+w", "alt+b", "alt+f", "alt+d", "ctrl+k"}
	for range 400 {
		e := &Text{}
		e.Set("")
		for range 60 {
			switch r.IntN(3) {
			case 0:
				e.Insert(parts[r.IntN(len(parts))])
			case 1:
				e.Key(names[keys[r.IntN(len(keys))]])
			case 2:
				e.Vertical(r.IntN(3)-1, 5+r.IntN(20))
			}
			if e.at < 0 || e.at > len(e.text) || !utf8.ValidString(e.text[:e.at]) {
				t.Fatalf("the cursor is at %d in %q", e.at, e.text)
			}
			width, height := 8+r.IntN(30), 1+r.IntN(6)
			lines := e.View(kit.Theme{SGR: true, Rich: true}, width, height)
			if len(lines) > height || len(lines) == 0 {
				t.Fatalf("%d lines of %d", len(lines), height)
			}
			cursors := 0
			for _, line := range lines {
				cursors += strings.Count(line, "\x1b[7m")
				if w := ansi.StringWidth(line); w > width && width > 12 {
					t.Fatalf("%d columns of %d: %q", w, width, line)
				}
			}
			if cursors != 1 {
				t.Fatalf("%d cursors in %q at %d: %q", cursors, e.text, e.at, lines)
			}
		}
	}
}

func TestHistory(t *testing.T) {
	var h History
	for _, s := range []string{"one", "two", "two", ""} {
		h.Add(s)
	}
	for _, step := range []struct {
		by      int
		current string
		want    string
		ok      bool
	}{{1, "draft", "", false}, {-1, "draft", "two", true}, {-1, "two", "one", true}, {-1, "one", "", false}, {1, "one", "two", true}, {1, "two", "draft", true}} {
		if got, ok := h.Move(step.by, step.current); got != step.want || ok != step.ok {
			t.Errorf("%+v gives %q %v", step, got, ok)
		}
	}
	h.Move(-1, "draft")
	h.Rest()
	if got, _ := h.Move(-1, "other"); got != "two" {
		t.Errorf("after Rest up gives %q", got)
	}
}
