package tui

import (
	"context"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/clawless/clawless/tui/chat"
	"github.com/clawless/clawless/tui/kit"
	"github.com/clawless/clawless/tui/picker"
	"github.com/clawless/clawless/tui/sessions"
)

// overlay is a page that takes the place of the input.
type overlay interface {
	Update(msg tea.Msg) tea.Cmd
	View(width, height int) []string
}

// program routes messages between the pages and tells the screen what it should show. Nothing in it waits.
type program struct {
	chat     *chat.Page
	sessions *sessions.Page
	picker   *picker.Page
	over     overlay // what has the keys instead of the chat, or nil

	th            kit.Theme
	out           *screen
	console       *console
	getenv        func(string) string
	width, height int
	full, quits   bool
}

func newProgram(ctx context.Context, o Options, th kit.Theme, out *screen, c *console) *program {
	m := &program{
		chat:     chat.New(ctx, o.Backend, chat.Options{Theme: th, SessionID: o.SessionID, Model: o.Model, Thinking: o.Thinking, Now: o.Now}),
		sessions: sessions.New(ctx, o.Backend, th, o.Now),
		picker:   picker.New(ctx, o.Backend, th),
		th:       th, out: out, console: c, getenv: o.Getenv, full: o.Full,
	}
	m.width, m.height = c.size()
	m.chat.Resize(m.width, m.height)
	m.chat.Full(m.full)
	return m
}

// Init is the first command.
func (m *program) Init() tea.Cmd {
	m.draw()
	return m.chat.Init()
}

// Update takes a message.
func (m *program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.route(msg)
	m.draw()
	return m, cmd
}

// View is empty: the screen paints, not the library.
func (m *program) View() string { return "" }

func (m *program) draw() {
	f := frame{full: m.full, width: m.width}
	switch {
	case m.quits:
		f.full = false
	case m.over == nil:
		f.lines = m.chat.View()
	default:
		height := m.height
		if !m.full {
			height = max(4, min(m.height, 18))
		}
		f.lines = append([]string{m.th.Rule(m.width)}, m.over.View(m.width, max(1, height-1))...)
	}
	m.out.show(f, m.chat.Take())
}

func (m *program) route(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.chat.Resize(msg.Width, msg.Height)
		m.out.moved()
	case tea.KeyMsg:
		if m.over != nil {
			return m.over.Update(msg)
		}
		return m.chat.Update(msg)
	case tea.ResumeMsg:
		return m.resume
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
	default:
		return m.asked(msg)
	}
	return nil
}

// asked does what the chat asks of the program, and gives the rest to the pages, of which each knows its own.
func (m *program) asked(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case chat.Clear:
		m.out.clean()
	case chat.ToggleFull:
		m.full = !m.full
		m.chat.Full(m.full)
	case chat.Copy:
		return m.copy(msg.Text)
	case chat.Suspend:
		return m.suspend
	case chat.Quit:
		m.over, m.quits = nil, true
		m.chat.Leave()
		return tea.Quit
	default:
		return tea.Batch(m.chat.Update(msg), m.sessions.Update(msg), m.picker.Update(msg))
	}
	return nil
}

// suspend is the command that gives the terminal to the shell.
func (m *program) suspend() tea.Msg {
	m.out.rest()
	m.console.restore()
	return tea.SuspendMsg{}
}

// resume is the command that takes the terminal back; its size may have changed.
func (m *program) resume() tea.Msg {
	if err := m.console.prepare(); err != nil {
		return tea.Quit()
	}
	m.out.begin()
	width, height := m.console.size()
	return tea.WindowSizeMsg{Width: width, Height: height}
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
		m.out.send(seq)
		return chat.Copied{Text: text, Via: via}
	}
}
