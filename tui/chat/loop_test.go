package chat

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/clawless/clawless/tui/internal/scripttest"
	"github.com/clawless/clawless/tui/kit"
)

// loop runs a page as the library does: commands on goroutines, their messages one after the other.
type loop struct {
	t    *testing.T
	p    *Page
	msgs chan tea.Msg
	// sent are the messages for the program around the page, printed the lines for the scrollback.
	sent    []tea.Msg
	printed []string
}

var clock = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func newLoop(t *testing.T, b Backend) *loop {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	p := New(ctx, b, Options{Theme: kit.Theme{SGR: true, Color: true, Rich: true}, Now: func() time.Time { return clock }})
	p.Resize(80, 24)
	l := &loop{t: t, p: p, msgs: make(chan tea.Msg, 100)}
	l.run(p.Init())
	return l
}

func (l *loop) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		msg := cmd()
		if batch, ok := msg.(tea.BatchMsg); ok {
			for _, c := range batch {
				l.run(c)
			}
			return
		}
		if msg != nil {
			l.msgs <- msg
		}
	}()
}

// until feeds the page its messages until it is as it should be.
func (l *loop) until(what string, ok func() bool) {
	l.t.Helper()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	for !ok() {
		select {
		case msg := <-l.msgs:
			switch msg.(type) {
			case Quit, Suspend, Clear, ToggleFull, Copy, kit.OpenModels, kit.OpenSessions:
				l.sent = append(l.sent, msg)
			}
			l.run(l.p.Update(msg))
		case <-late.C:
			l.t.Fatalf("waited for %s; the view is\n%s\npending\n%s", what, l.view(), l.pending())
		}
	}
}

func (l *loop) idle() {
	l.t.Helper()
	l.until("the end of the answer", func() bool { return !l.p.Busy() && !l.p.loading })
}

func (l *loop) gets(want tea.Msg) {
	l.t.Helper()
	l.until("a message", func() bool { return slices.Contains(l.sent, want) })
	l.sent = nil
}

// pending is what was given to the scrollback, without looks.
func (l *loop) pending() string {
	l.printed = append(l.printed, l.p.Take()...)
	return ansi.Strip(strings.Join(l.printed, "\n"))
}

func (l *loop) view() string { return ansi.Strip(strings.Join(l.p.View(), "\n")) }

// shows holds the view to a text.
func (l *loop) shows(text string) {
	l.t.Helper()
	l.until("the sight of "+text, func() bool { return strings.Contains(l.view(), text) })
}

var names = map[string]tea.KeyMsg{
	"enter": {Type: tea.KeyEnter}, "esc": {Type: tea.KeyEsc}, "ctrl+c": {Type: tea.KeyCtrlC}, "ctrl+d": {Type: tea.KeyCtrlD},
	"ctrl+j": {Type: tea.KeyCtrlJ}, "alt+enter": {Type: tea.KeyEnter, Alt: true}, "up": {Type: tea.KeyUp}, "down": {Type: tea.KeyDown},
	"tab": {Type: tea.KeyTab}, "left": {Type: tea.KeyLeft}, "right": {Type: tea.KeyRight}, "home": {Type: tea.KeyHome}, "end": {Type: tea.KeyEnd},
	"backspace": {Type: tea.KeyBackspace}, "delete": {Type: tea.KeyDelete}, "ctrl+w": {Type: tea.KeyCtrlW}, "ctrl+u": {Type: tea.KeyCtrlU},
	"ctrl+k": {Type: tea.KeyCtrlK}, "alt+b": {Type: tea.KeyRunes, Runes: []rune("b"), Alt: true}, "alt+f": {Type: tea.KeyRunes, Runes: []rune("f"), Alt: true},
	"alt+d": {Type: tea.KeyRunes, Runes: []rune("d"), Alt: true}, "pgup": {Type: tea.KeyPgUp}, "pgdown": {Type: tea.KeyPgDown},
	"ctrl+home": {Type: tea.KeyCtrlHome}, "ctrl+end": {Type: tea.KeyCtrlEnd}, "ctrl+z": {Type: tea.KeyCtrlZ}, "ctrl+l": {Type: tea.KeyCtrlL},
	"space": {Type: tea.KeySpace, Runes: []rune(" ")},
}

// press is keys by name; what is no name is typed.
func (l *loop) press(keys ...string) {
	for _, k := range keys {
		msg, ok := names[k]
		if !ok {
			msg = tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(k)}
		}
		l.run(l.p.Update(msg))
	}
}

func script() *scripttest.Backend {
	return &scripttest.Backend{Answer: "A short answer.\n", Answers: scripttest.Texts(), Piece: 8, FailAfter: -1,
		Names: []kit.Model{{ID: "mock/echo", Note: "repeats"}, {ID: "openai/gpt-4o"}, {ID: "openai/gpt-4o-mini"}}}
}

func gate(t *testing.T, b *scripttest.Backend, n int) {
	t.Helper()
	for range n {
		select {
		case b.Gate <- struct{}{}:
		case <-time.After(20 * time.Second):
			t.Fatal("the answer takes no further piece")
		}
	}
}
