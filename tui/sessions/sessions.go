// Package sessions is the list of conversations: it filters as one types, loads further pages as one scrolls, and
// switches the chat to the one that is picked.
package sessions

import (
	"context"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/kit"
)

// Backend is what the list asks of the server. It is called outside of Update.
type Backend interface {
	// Sessions is a page of the sessions, newest first; an empty cursor asks for the first page.
	Sessions(ctx context.Context, cursor string) (kit.SessionPage, error)
}

// Page is the list. Its methods are for the goroutine of the program's Update.
type Page struct {
	ctx     context.Context
	backend Backend
	now     func() time.Time
	list    kit.List
	byID    map[string]kit.Session
	current string
	next    string
	opening int // counts the openings, so that a late page of an earlier one is recognised
}

// New makes the page; ctx ends its requests.
func New(ctx context.Context, b Backend, th kit.Theme, now func() time.Time) *Page {
	return &Page{ctx: ctx, backend: b, now: now,
		list: kit.List{Theme: th, Heading: "Sessions", Empty: "no sessions yet; write a message to begin one"}}
}

type loaded struct {
	opening int
	page    kit.SessionPage
	err     error
}

// Open begins anew with the first page; current is the id of the session in use.
func (p *Page) Open(current string) tea.Cmd {
	p.list.Reset()
	p.opening++
	p.byID, p.current = map[string]kit.Session{}, current
	return p.load("")
}

func (p *Page) load(cursor string) tea.Cmd {
	p.list.Loading, p.next = true, ""
	opening := p.opening
	return func() tea.Msg {
		page, err := p.backend.Sessions(p.ctx, cursor)
		return loaded{opening: opening, page: page, err: err}
	}
}

// Update takes a message. Messages of other pages are ignored.
func (p *Page) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		return p.key(msg)
	case loaded:
		if msg.opening != p.opening {
			return nil
		}
		p.list.Loading, p.list.Failure, p.next = false, msg.err, msg.page.Next
		for _, s := range msg.page.Sessions {
			p.byID[s.ID] = s
			p.list.Append(p.item(s))
		}
		return p.more()
	}
	return nil
}

func (p *Page) item(s kit.Session) kit.Item {
	title := s.Title
	if title == "" {
		title = s.ID
	}
	note := kit.Plural(s.Messages, "message")
	if ago := kit.Ago(s.UpdatedAt, p.now()); ago != "" {
		note += ", " + ago
	}
	return kit.Item{ID: s.ID, Title: title, Note: note, Current: s.ID == p.current}
}

// more loads the next page when the end of what is shown is near. A filter that matches little makes it load on.
func (p *Page) more() tea.Cmd {
	if p.next == "" || p.list.Loading || !p.list.AtEnd(20) {
		return nil
	}
	return p.load(p.next)
}

func (p *Page) key(msg tea.KeyMsg) tea.Cmd {
	switch name := msg.String(); {
	case name == "esc" && p.list.Escape():
	case name == "esc" || name == "ctrl+c":
		return send(kit.Back{})
	case name == "enter":
		if p.list.Failure != nil {
			return p.Open(p.current)
		}
		if it, ok := p.list.Selected(); ok {
			return send(kit.PickSession{Session: p.byID[it.ID]})
		}
	case name == "n" && !p.list.Filtering():
		return send(kit.PickSession{})
	default:
		p.list.Key(msg)
	}
	return p.more()
}

// View is at most height lines of at most width columns.
func (p *Page) View(width, height int) []string {
	foot := "enter opens, n new, / filters, esc back"
	if p.list.Failure != nil {
		foot = "enter tries again, esc back"
	}
	th := p.list.Theme
	if height < 3 {
		return p.list.View(width, height)
	}
	return append(p.list.View(width, height-1), th.Style(kit.Muted, th.Cut(foot, width)))
}

func send(msg tea.Msg) tea.Cmd { return func() tea.Msg { return msg } }
