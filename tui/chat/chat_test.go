package chat

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/clawless/clawless/tui/chat/entries"
	"github.com/clawless/clawless/tui/chat/turns"
	"github.com/clawless/clawless/tui/internal/scripttest"
	"github.com/clawless/clawless/tui/kit"
)

func TestAnAnswerGoesToTheScrollback(t *testing.T) {
	b := script()
	l := newLoop(t, b)
	l.press("how", "space", "so?", "enter")
	l.idle()
	if got := l.pending(); got != "\n❯ how so?\n\nA short answer." {
		t.Errorf("pending is %q", got)
	}
	if got := b.Asks(); len(got) != 1 || got[0].Text != "how so?" || got[0].SessionID != "" {
		t.Errorf("asked %+v", got)
	}
	if l.p.SessionID() != "ses_1" {
		t.Errorf("the session is %q", l.p.SessionID())
	}
	l.shows("mock/script")
	l.shows("1 in · 2 out")
	l.printed = nil
	l.press("more", "enter")
	l.idle()
	if got := l.pending(); got != "\n❯ more\n\nA short answer." {
		t.Errorf("after printing, pending is %q", got)
	}
	if got := b.Asks()[1]; got.SessionID != "ses_1" {
		t.Errorf("the second question went to %q", got.SessionID)
	}
}

func TestEscapeKeepsWhatIsThere(t *testing.T) {
	b := script()
	b.Answer, b.Gate = "One two three four five six seven.", make(chan struct{})
	l := newLoop(t, b)
	l.press("go", "enter")
	gate(t, b, 3)
	l.shows("One two three fo")
	l.press("next", "enter", "draft")
	l.shows("next: next")
	l.press("esc")
	if l.p.Busy() {
		t.Error("still busy after esc")
	}
	if got := l.pending(); !strings.HasSuffix(got, "One two three fo\n[stopped]") {
		t.Errorf("pending is %q", got)
	}
	if got := l.p.input.String(); got != "next\ndraft" {
		t.Errorf("the queued message is not given back: %q", got)
	}
	l.until("the stop on the server", func() bool { return slices.Equal(b.Cancelled(), []string{"run_1"}) || wake(l) })
	// What still arrives of the answer changes nothing.
	before := l.pending()
	l.p.Update(turns.Batch{Turn: &turns.Turn{}, Events: []kit.Event{{Kind: kit.Text, Text: "late"}}})
	if got := l.pending(); got != before {
		t.Errorf("a late piece was shown: %q", got)
	}
}

// wake lets until look again although no message is on its way.
func wake(l *loop) bool {
	select {
	case l.msgs <- nil:
	default:
	}
	return false
}

func TestStopBeforeTheRunHasAName(t *testing.T) {
	b := script()
	b.Gate = make(chan struct{})
	l := newLoop(t, b)
	l.press("go", "enter", "esc")
	if got := l.pending(); got != "\n❯ go\n\n[stopped]" {
		t.Errorf("pending is %q", got)
	}
	gate(t, b, 1)
	l.until("the stop on the server", func() bool { return slices.Equal(b.Cancelled(), []string{"run_1"}) || wake(l) })
}

func TestMessagesWaitForTheAnswer(t *testing.T) {
	b := script()
	b.Gate = make(chan struct{})
	l := newLoop(t, b)
	l.press("first", "enter", "second", "enter", "last", "enter")
	l.shows("next: second")
	close(b.Gate)
	l.until("three answers", func() bool { return len(b.Asks()) == 3 && !l.p.Busy() })
	if got := strings.Count(l.pending(), "A short answer."); got != 3 {
		t.Errorf("%d answers in %q", got, l.pending())
	}
	if strings.Index(l.pending(), "❯ second") < strings.Index(l.pending(), "A short") {
		t.Errorf("the order is %q", l.pending())
	}
}

func TestFailureHintAndRetry(t *testing.T) {
	b := script()
	b.Err, b.FailAfter = scripttest.Failure{Text: "connection refused\x1b[2J", Next: "try: clawless serve"}, 1
	l := newLoop(t, b)
	l.press("/retry", "enter")
	l.shows("nothing to ask again")
	l.press("go", "enter")
	l.idle()
	if got := l.pending(); got != "\n❯ go\n\nA short\n\n✗ connection refused␛[2J\n  try: clawless serve\n  /retry asks again" {
		t.Errorf("pending is %q", got)
	}
	b.Err = nil
	l.press("/retry", "enter")
	l.idle()
	if got := b.Asks(); len(got) != 2 || got[1].Text != "go" || !got[1].Again {
		t.Errorf("asked %+v", got)
	}
	if !strings.HasSuffix(l.pending(), "↻ answering again: go\n\nA short answer.") {
		t.Errorf("pending is %q", l.pending())
	}
}

func TestThinkingAndToolsAreFolded(t *testing.T) {
	b := script()
	b.Gate = make(chan struct{})
	b.Before = []kit.Event{{Kind: kit.Thinking, Text: "First this.\nThen "}, {Kind: kit.Thinking, Text: "that\x1b[2J."},
		{Kind: kit.Tool, Call: kit.Call{ID: "a", Name: "search\n\x1b[2J", Status: kit.CallDone, Took: 1230 * time.Millisecond}}, {Kind: kit.Notice, Text: "the connection is opened again"}}
	l := newLoop(t, b)
	l.press("go", "enter")
	gate(t, b, 3)
	l.shows("thinking: Then that␛[2J.")
	close(b.Gate)
	l.idle()
	want := "\n❯ go\n\nthought for 0s\n→ search ␛[2J done in 1.2s\nthe connection is opened again\n\nA short answer."
	if got := l.pending(); got != want {
		t.Errorf("pending is %q, want %q", got, want)
	}
}

func TestControlCAsksBeforeItQuits(t *testing.T) {
	b := script()
	b.Gate = make(chan struct{})
	l := newLoop(t, b)
	l.press("draft", "ctrl+c")
	l.shows("ctrl+c again quits")
	if l.p.input.String() != "" {
		t.Errorf("the input is still %q", l.p.input.String())
	}
	l.press("x")
	if strings.Contains(l.view(), "again quits") {
		t.Error("another key does not call it off")
	}
	l.press("backspace", "up")
	if l.p.input.String() != "draft" {
		t.Errorf("what was cleared is lost: %q", l.p.input.String())
	}
	l.press("enter", "ctrl+c")
	if l.p.Busy() {
		t.Error("ctrl+c does not stop the answer")
	}
	l.press("ctrl+c")
	l.gets(Quit{})
	l.press("ctrl+d")
	l.gets(Quit{})
}

func TestLinesAndHistory(t *testing.T) {
	b := script()
	l := newLoop(t, b)
	l.press("a\\", "enter", "b", "alt+enter", "c", "ctrl+j", "d")
	if l.p.input.String() != "a\nb\nc\nd" {
		t.Errorf("the input is %q", l.p.input.String())
	}
	l.press("enter")
	l.idle()
	l.run(l.p.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("x\ry\r\nz"), Paste: true}))
	if l.p.input.String() != "x\ny\nz" || len(b.Asks()) != 1 {
		t.Errorf("the paste became %q and %d messages", l.p.input.String(), len(b.Asks()))
	}
	l.press("enter")
	l.idle()
	l.press("draft", "up")
	if l.p.input.String() != "x\ny\nz" {
		t.Errorf("up gives %q", l.p.input.String())
	}
	l.press("up", "up", "up")
	if l.p.input.String() != "a\nb\nc\nd" {
		t.Errorf("up to the first row and beyond gives %q", l.p.input.String())
	}
	l.press("down", "down", "down", "down")
	if l.p.input.String() != "draft" {
		t.Errorf("down gives %q", l.p.input.String())
	}
	l.press("ctrl+u", "space", "enter")
	if n := len(b.Asks()); n != 2 {
		t.Errorf("an empty message was sent: %d", n)
	}
}

func TestCommands(t *testing.T) {
	b := script()
	l := newLoop(t, b)
	l.until("the models", func() bool { return len(l.p.models) == 3 })
	l.press("/")
	l.shows("/sessions    list the sessions")
	l.press("se", "enter")
	l.gets(kit.OpenSessions{})
	l.press("/mod", "tab")
	if l.p.input.String() != "/model " {
		t.Errorf("tab completes to %q", l.p.input.String())
	}
	l.press("gpt", "down", "enter")
	if l.p.Model() != "openai/gpt-4o-mini" {
		t.Errorf("the model is %q", l.p.Model())
	}
	l.press("/model openai/gpt-4o", "enter")
	if l.p.Model() != "openai/gpt-4o" {
		t.Errorf("a whole name gives %q", l.p.Model())
	}
	l.press("/model nothing", "enter")
	l.shows("no model nothing; /model lists them")
	l.press("ctrl+u", "/model", "enter")
	l.gets(kit.OpenModels{})
	l.press("/full", "enter")
	l.gets(ToggleFull{})
	l.press("/nonsense", "enter")
	l.shows("no command /nonsense")
	if n := len(b.Asks()); n != 0 {
		t.Errorf("%d commands were sent as messages", n)
	}
	l.press("ctrl+u", "/help", "enter")
	for _, c := range commands() {
		if !strings.Contains(l.pending(), c.name) || !strings.Contains(l.pending(), c.help) {
			t.Errorf("help says nothing of %s", c.name)
		}
	}
	l.press("space", "/not a command", "enter")
	l.idle()
	if got := b.Asks(); len(got) != 1 || got[0].Text != " /not a command" {
		t.Errorf("a space before the slash does not send it: %+v", got)
	}
	l.press("/new", "enter")
	if l.p.SessionID() != "" {
		t.Errorf("the session is still %q", l.p.SessionID())
	}
	l.press("/quit", "enter")
	l.gets(Quit{})
	l.press("/c", "esc", "esc")
	if l.p.menu.open() || l.p.input.String() != "/c" {
		t.Error("esc does not just close the menu")
	}
}

func TestCopy(t *testing.T) {
	b := script()
	b.Answer = "See:\n\n```go\na := 1\n```\n\nand\n\n    indented\n"
	l := newLoop(t, b)
	l.press("/copy", "enter")
	l.shows("nothing to copy yet")
	l.press("go", "enter")
	l.idle()
	for arg, want := range map[string]string{"": b.Answer, " 1": "a := 1\n", " 2": "indented\n", " all": "> go\n\n" + strings.TrimRight(b.Answer, "\n")} {
		l.press("/copy"+arg, "enter")
		l.gets(Copy{Text: want})
	}
	l.press("/copy 3", "enter")
	l.shows("the last answer has 2 code blocks")
	l.press("/copy x", "enter")
	l.shows("try /copy")
	l.run(l.p.Update(Copied{Text: "abc", Via: "OSC 52"}))
	l.shows("copied 3 characters by OSC 52")
	l.run(l.p.Update(Copied{Err: errors.New("broken pipe")}))
	l.shows("not copied: broken pipe")
}

func said(n int) (m []kit.Message) {
	for i := range n {
		m = append(m, kit.Message{Role: [...]string{"user", "assistant"}[i%2], Text: fmt.Sprintf("message %d", i)})
	}
	return m
}

func TestSwitchPrintsTheEndOfTheSession(t *testing.T) {
	b := script()
	b.Said = map[string][]kit.Message{"ses_x": said(130)}
	l := newLoop(t, b)
	l.run(l.p.Update(kit.PickSession{Session: kit.Session{ID: "ses_x", Title: "Old\x1b talk"}}))
	l.idle()
	got := l.pending()
	if !strings.Contains(got, "── Old␛ talk ──") || !strings.Contains(got, "earlier messages") || strings.Contains(got, "message 109\n") ||
		!strings.Contains(got, "\n❯ message 110\n\nmessage 111\n") || !strings.HasSuffix(got, "message 129") {
		t.Errorf("pending is %q", got)
	}
	l.p.Full(true)
	for range 60 {
		l.press("pgup")
		l.idle()
	}
	l.shows("❯ message 0")
	l.press("ctrl+end")
	l.shows("message 129")
	l.press("up")
	if l.p.input.String() != "message 128" {
		t.Errorf("up gives %q", l.p.input.String())
	}
	l.run(l.p.Update(kit.PickSession{Session: kit.Session{ID: "gone"}}))
	l.idle()
	if !strings.Contains(l.pending(), "✗ no such session") {
		t.Errorf("pending is %q", l.pending())
	}
}

func TestScrolledBackStaysInPlace(t *testing.T) {
	b := script()
	b.Gate = make(chan struct{})
	b.Answer = strings.Repeat("A line of the answer.\n\n", 60)
	b.Said = map[string][]kit.Message{"ses_x": said(60)}
	l := newLoop(t, b)
	l.run(l.p.Update(kit.PickSession{Session: kit.Session{ID: "ses_x"}}))
	l.idle()
	l.p.Full(true)
	l.press("go", "enter")
	gate(t, b, 10)
	l.shows("A line of the answer.")
	l.press("pgup", "pgup")
	top := strings.Split(l.view(), "\n")[0]
	for range 20 {
		before := l.p.reply.Len()
		gate(t, b, 4)
		l.until("a piece", func() bool { return l.p.reply.Len() > before })
	}
	close(b.Gate)
	l.idle()
	if got := strings.Split(l.view(), "\n")[0]; got != top {
		t.Errorf("the first line was %q and is %q", top, got)
	}
	l.shows("new lines")
	l.press("ctrl+end")
	if strings.Contains(l.view(), "new lines") {
		t.Error("the count of new lines stays")
	}
}

// TestViewFitsTheScreen looks at many states in many sizes.
func TestViewFitsTheScreen(t *testing.T) {
	for _, full := range []bool{false, true} {
		b := script()
		b.Answer, b.Gate, b.Piece = scripttest.Long+scripttest.World, make(chan struct{}), 60
		l := newLoop(t, b)
		l.p.Full(full)
		check := func(state string) {
			t.Helper()
			for _, size := range [][2]int{{120, 40}, {80, 24}, {40, 12}, {20, 5}, {13, 3}, {200, 9}} {
				l.p.Resize(size[0], size[1])
				lines := l.p.View()
				if len(lines) > size[1] {
					t.Errorf("%s, full %v: %d lines in %v", state, full, len(lines), size)
				}
				for i, line := range lines {
					limit := size[0]
					if i == len(lines)-1 {
						limit--
					}
					if w := ansi.StringWidth(line); w > limit {
						t.Errorf("%s, full %v: %d columns in %v: %q", state, full, w, size, line)
					}
				}
			}
		}
		check("empty")
		l.press("a question that is long enough to wrap 漢字漢字漢字漢字漢字漢字漢字 in a small window")
		check("typing")
		l.press("enter")
		check("waiting")
		for range 15 {
			before := l.p.reply.Len()
			gate(t, b, 2)
			l.until("a piece", func() bool { return l.p.reply.Len() > before })
			check("streaming")
		}
		l.press("queued one", "enter", "/")
		check("menu")
		l.press("esc", "esc")
		check("stopped")
		l.press("/help", "enter")
		check("help")
	}
}

func TestLeavePrintsWhatIsOpen(t *testing.T) {
	b := script()
	b.Gate = make(chan struct{})
	b.Answer = "Half an answer that is"
	l := newLoop(t, b)
	l.press("go", "enter")
	gate(t, b, 3)
	l.shows("Half an answer")
	l.p.Leave()
	if got := l.pending(); !strings.Contains(got, "Half an answer") || !strings.HasSuffix(got, "[left; the server finishes the answer]") {
		t.Errorf("pending is %q", got)
	}
	if l.p.View() != nil || len(b.Cancelled()) != 0 {
		t.Errorf("view %q, cancelled %v", l.p.View(), b.Cancelled())
	}
}

// refusing is a server that cannot stop a run.
type refusing struct{ *scripttest.Backend }

func (refusing) Do(context.Context, kit.Action) (kit.Session, error) {
	return kit.Session{}, errors.New("no\x1b route")
}

func TestStopThatTheServerDidNotConfirm(t *testing.T) {
	b := script()
	b.Gate = make(chan struct{})
	l := newLoop(t, refusing{b})
	l.press("go", "enter")
	gate(t, b, 2)
	l.shows("A short")
	l.press("esc")
	l.until("the remark", func() bool { return strings.Contains(l.pending(), "did not confirm the stop: no␛ route") })
}

// silent answers nothing.
type silent struct{ *scripttest.Backend }

func (silent) Ask(context.Context, kit.Ask) iter.Seq2[kit.Event, error] {
	return func(yield func(kit.Event, error) bool) { yield(kit.Event{Kind: kit.Done}, nil) }
}

func TestAnAnswerWithoutText(t *testing.T) {
	l := newLoop(t, silent{script()})
	l.press("go", "enter")
	l.idle()
	if !strings.HasSuffix(l.pending(), "the answer has no text") {
		t.Errorf("pending is %q", l.pending())
	}
}

// BenchmarkView is a frame with 2,000 messages and an answer that is open: in the flow, and in the full screen.
func BenchmarkView(b *testing.B) {
	for _, full := range []bool{false, true} {
		b.Run(map[bool]string{false: "flow", true: "full"}[full], func(b *testing.B) {
			p := New(b.Context(), script(), Options{Theme: kit.Theme{SGR: true, Color: true, Rich: true}})
			p.Resize(120, 40)
			p.Full(full)
			p.show(loaded{page: kit.MessagePage{Messages: said(2000)}})
			for range 3 {
				p.add(entries.Answer(scripttest.Long))
			}
			p.Take()
			p.turn = turns.New(b.Context(), script(), kit.Ask{}, p.now())
			p.text(scripttest.Long)
			p.Take()
			for b.Loop() {
				p.text("word ")
				p.Take()
				p.View()
			}
		})
	}
}
