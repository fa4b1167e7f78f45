package tui

import (
	"context"
	"reflect"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/clawless/clawless/tui/chat"
	"github.com/clawless/clawless/tui/kit"
	"github.com/clawless/clawless/tui/picker"
	"github.com/clawless/clawless/tui/sessions"
)

// page is what can have the keys.
type page interface {
	Update(tea.Msg) tea.Cmd
}

// overlay is a page that takes the place of the input.
type overlay interface {
	page
	View(width, height int) string
}

// place is where the program shows itself.
type place int

const (
	inFlow   place = iota // below the conversation, which is in the terminal's scrollback
	entering              // on the way to the full screen
	inFull                // in the full screen
	leaving               // on the way back
)

// The library's messages that say that it has printed lines and changed screens. It does not export their types.
var (
	printed = reflect.TypeOf(tea.Println()())
	entered = reflect.TypeOf(tea.EnterAltScreen())
	left    = reflect.TypeOf(tea.ExitAltScreen())
)

// program routes messages between the pages and moves finished lines into the scrollback.
type program struct {
	chat     *chat.Page
	sessions *sessions.Page
	picker   *picker.Page
	over     overlay // what has the keys instead of the chat, or nil

	th            kit.Theme
	out           *screen
	getenv        func(string) string
	width, height int

	place    place
	toggle   bool // another place is wanted
	inflight int  // pending lines that are being printed
	quitting bool
	hidden   bool
}

func newProgram(ctx context.Context, o Options, th kit.Theme, out *screen, width, height int) *program {
	m := &program{
		chat:     chat.New(ctx, o.Backend, chat.Options{Theme: th, SessionID: o.SessionID, Model: o.Model, Now: o.Now}),
		sessions: sessions.New(ctx, o.Backend, th, o.Now),
		picker:   picker.New(ctx, o.Backend, th),
		th:       th, out: out, getenv: o.Getenv, width: width, height: height,
	}
	if o.Full {
		m.place = inFull
		m.chat.Full(true)
	}
	m.chat.Resize(width, height)
	return m
}

// Init is the first command.
func (m *program) Init() tea.Cmd { return tea.Batch(m.chat.Init(), m.follow()) }

// Update takes a message.
func (m *program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	return m, tea.Batch(m.route(msg), m.follow())
}

func (m *program) route(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.chat.Resize(msg.Width, msg.Height)
	case tea.KeyMsg:
		if m.over != nil {
			return m.over.Update(msg)
		}
		return m.chat.Update(msg)
	case tea.ResumeMsg:
		m.hidden = false
	case kit.OpenSessions:
		m.over = m.sessions
		return m.sessions.Open(m.chat.SessionID())
	case kit.OpenModels:
		m.over = m.picker
		return m.picker.Open(m.chat.Model())
	case kit.Back:
		m.over = nil
	case kit.PickSession, kit.PickModel:
		m.over = nil
		return m.chat.Update(msg)
	case chat.ToggleFull:
		m.toggle = true
	case chat.Copy:
		return m.copy(msg.Text)
	case chat.Suspend:
		m.hidden = true
		return tea.Suspend
	case chat.Quit:
		m.over, m.quitting = nil, true
		m.chat.Leave()
	default:
		return m.other(msg)
	}
	return nil
}

// other takes the library's messages, and gives the rest to the pages, of which each knows its own.
func (m *program) other(msg tea.Msg) tea.Cmd {
	switch reflect.TypeOf(msg) {
	case printed:
		m.chat.Printed(m.inflight)
		m.inflight = 0
	case entered:
		m.place = inFull
		m.chat.Full(true)
	case left:
		m.place = inFlow
	default:
		return tea.Batch(m.chat.Update(msg), m.sessions.Update(msg), m.picker.Update(msg))
	}
	return nil
}

// follow is the next step of what takes several: printing, changing the place, leaving. Lines stay in the live part of
// the screen until the library has taken them for printing, so they are never missing from it; and one Println is
// on its way at a time, because commands may overtake each other.
func (m *program) follow() tea.Cmd {
	if m.inflight > 0 {
		return nil
	}
	switch m.place {
	case inFlow:
		pending := m.chat.Pending()
		switch {
		case len(pending) > 0:
			m.inflight = len(pending)
			return tea.Println(strings.Join(pending, "\n"))
		case m.quitting:
			return tea.Quit
		case m.toggle:
			m.place, m.toggle = entering, false
			return tea.EnterAltScreen
		}
	case inFull:
		if m.toggle || m.quitting {
			// The small view must be up before the screen changes.
			m.place, m.toggle = leaving, false
			m.chat.Full(false)
			return tea.ExitAltScreen
		}
	}
	return nil
}

// View is what is live, at most as tall as the screen.
func (m *program) View() string {
	mark := liveMark
	if m.place == inFull {
		mark = ""
	}
	switch {
	case m.hidden || m.quitting:
		return mark
	case m.over == nil:
		return mark + m.chat.View()
	}
	height := m.height
	if m.place != inFull {
		height = max(4, min(m.height, 18))
	}
	return mark + m.th.Rule(m.width) + "\n" + m.over.View(m.width, max(1, height-1))
}

// copy is the command that puts text on the clipboard through the terminal, which works over ssh too.
func (m *program) copy(text string) tea.Cmd {
	return func() tea.Msg {
		seq, via := ansi.SetSystemClipboard(text), "OSC 52"
		switch {
		case m.getenv("TMUX") != "":
			seq, via = ansi.TmuxPassthrough(seq)+seq, "OSC 52 through tmux"
		case m.getenv("STY") != "":
			seq, via = ansi.ScreenPassthrough(seq, 768), "OSC 52 through screen"
		}
		return chat.Copied{Text: text, Via: via, Err: m.out.send(seq)}
	}
}
