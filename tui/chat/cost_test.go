package chat

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/clawless/clawless/tui/internal/scripttest"
	"github.com/clawless/clawless/tui/kit"
)

// statusLine is the last line of the view.
func (l *loop) statusLine() string {
	lines := strings.Split(l.view(), "\n")
	return lines[len(lines)-1]
}

func priced(micros int64) *scripttest.Backend {
	b := script()
	b.Cost, b.Receipt = kit.Cost{Told: true, Micros: micros}, []string{"answered by mock/small: score 0.31 under the threshold 0.34", "cost " + kit.Dollars(micros)}
	b.Names = append([]kit.Model{{ID: "auto", Note: "the server chooses"}}, b.Names...)
	return b
}

func TestCostOfTheTurnAndOfTheConversation(t *testing.T) {
	b := priced(3)
	l := newLoop(t, b)
	l.until("the models", func() bool { return len(l.p.models) == 4 })
	l.press("/model auto", "enter", "/receipt", "enter")
	l.shows("no answer with a receipt yet")
	l.press("one", "enter")
	l.idle()
	if got := l.statusLine(); got != "auto → mock/small · $0.000003 · total $0.000003                    0 in · 2 out" {
		t.Errorf("the status is %q", got)
	}
	b.Cost.Micros = 2100
	l.press("two", "enter")
	l.idle()
	l.shows("auto → mock/small · $0.0021 · total $0.002103")
	l.press("/receipt", "enter")
	if !strings.HasSuffix(l.pending(), "\n\nanswered by mock/small: score 0.31 under the threshold 0.34\ncost $0.000003") {
		t.Errorf("pending is %q", l.pending())
	}
	b.Cost = kit.Cost{Told: true, Unknown: true}
	l.press("three", "enter")
	l.idle()
	l.shows("mock/small · price unknown · total over $0.002103")
	b.Cost = kit.Cost{}
	l.press("four", "enter")
	l.idle()
	l.shows("auto → mock/small · total over $0.002103")
	l.press("/new", "enter")
	if got := l.statusLine(); strings.Contains(got, "$") {
		t.Errorf("a new session begins with %q", got)
	}
}

// TestStatusGivesWay narrows the window: tokens go first, then the name that was asked for, the level and the sum; the turn's cost stays.
func TestStatusGivesWay(t *testing.T) {
	b := priced(3)
	l := newLoop(t, b)
	l.until("the models", func() bool { return len(l.p.models) == 4 })
	l.press("/model auto", "enter", "/thinking low", "enter", "one", "enter")
	l.idle()
	if got := b.Asks(); got[0].Thinking != "low" || got[0].Model != "auto" {
		t.Errorf("asked %+v", got)
	}
	for width, want := range map[int]string{
		120: "auto → mock/small · thinking low · $0.000003 · total $0.000003" + strings.Repeat(" ", 45) + "0 in · 2 out",
		70:  "auto → mock/small · thinking low · $0.000003 · total $0.000003",
		60:  "mock/small · thinking low · $0.000003 · total $0.000003",
		45:  "mock/small · $0.000003 · total $0.000003",
		40:  "mock/small · $0.000003 · Σ $0.000003",
		36:  "mock/small · $0.000003",
		20:  "mock/small",
	} {
		l.p.Resize(width, 12)
		if got := l.statusLine(); got != want {
			t.Errorf("in %d columns it is %q, want %q", width, got, want)
		}
	}
	l.p.Resize(20, 12)
	l.press("ctrl+c")
	if got := l.statusLine(); got != "ctrl+c again quits" {
		t.Errorf("what matters now is hidden: %q", got)
	}
	l.p.Resize(80, 12)
	l.shows("ctrl+c again quits")
}

// TestStoppedAndOlderAnswersAreNotCounted: their cost is not known here, and the sum says so.
func TestStoppedAndOlderAnswersAreNotCounted(t *testing.T) {
	b := priced(5)
	b.Said = map[string][]kit.Message{"ses_x": said(2), "ses_empty": {}}
	l := newLoop(t, b)
	b.Gate = make(chan struct{})
	l.press("go", "enter")
	gate(t, b, 2)
	l.shows("A short")
	l.press("esc")
	if got := l.statusLine(); strings.Contains(got, "$") {
		t.Errorf("after a stop it is %q", got)
	}
	close(b.Gate)
	l.press("again", "enter")
	l.idle()
	l.shows("mock/script · $0.000005 · total over $0.000005")
	for id, want := range map[string]string{"ses_x": "total over $0.000005", "ses_empty": "total $0.000005"} {
		l.run(l.p.Update(kit.PickSession{Session: kit.Session{ID: id}}))
		l.idle()
		l.press("more", "enter")
		l.idle()
		if got := l.statusLine(); !strings.Contains(got, want) {
			t.Errorf("%s: the status is %q, want %q", id, got, want)
		}
	}
}

func TestThinkingCommand(t *testing.T) {
	b := script()
	l := newLoop(t, b)
	l.press("/think", "enter")
	if l.p.input.String() != "/thinking " {
		t.Errorf("enter completes to %q", l.p.input.String())
	}
	l.shows("  minimal")
	l.press("m", "down", "enter")
	l.shows("thinking: medium")
	l.press("one", "enter")
	l.idle()
	l.press("/thinking deep", "enter")
	l.shows("levels: off, minimal, low, medium, high")
	l.press("default", "enter")
	l.shows("thinking: as the session has it")
	l.press("two", "enter")
	l.idle()
	if got := b.Asks(); len(got) != 2 || got[0].Thinking != "medium" || got[1].Thinking != "" {
		t.Errorf("asked %+v", got)
	}
}

// TestLooks: the status is faint in the terminal's own colours, so that it can be read on light and on dark, and plain without looks.
func TestLooks(t *testing.T) {
	b := priced(3)
	l := newLoop(t, b)
	l.press("one", "enter")
	l.idle()
	lines := l.p.View()
	if got := lines[len(lines)-1]; !strings.HasPrefix(got, "\x1b[2mmock/script · $0.000003 · total $0.000003\x1b[m") {
		t.Errorf("the status is %q", got)
	}
	l.p.th = kit.Theme{}
	lines = l.p.View()
	if got := lines[len(lines)-1]; got != ansi.Strip(got) || !strings.HasPrefix(got, "mock/script - $0.000003 - total $0.000003") {
		t.Errorf("without looks it is %q", got)
	}
}
