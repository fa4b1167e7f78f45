// Package picker is the list of models, from which one is chosen to answer.
package picker

import (
	"context"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/kit"
)

// Backend is what the list asks of the server. It is called outside of Update.
type Backend interface {
	// Models are the models that may be asked for.
	Models(ctx context.Context) ([]kit.Model, error)
}

// Page is the list. Its methods are for the goroutine of the program's Update.
type Page struct {
	ctx     context.Context
	backend Backend
	list    kit.List
	current string
}

// New makes the page; ctx ends its requests.
func New(ctx context.Context, b Backend, th kit.Theme) *Page {
	return &Page{ctx: ctx, backend: b, list: kit.List{Theme: th, Instant: true, Heading: "Models",
		Empty: "this key may use no model; an operator can allow some"}}
}

type loaded struct {
	list []kit.Model
	err  error
}

// Open asks for the models anew; current is the id of the one in use.
func (p *Page) Open(current string) tea.Cmd {
	p.list.Reset()
	p.current, p.list.Loading = current, true
	return func() tea.Msg {
		list, err := p.backend.Models(p.ctx)
		return loaded{list, err}
	}
}

// Update takes a message. Messages of other pages are ignored.
func (p *Page) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		return p.key(msg)
	case loaded:
		p.list.Reset()
		p.list.Loading, p.list.Failure = false, msg.err
		for _, m := range msg.list {
			p.list.Append(kit.Item{ID: m.ID, Title: m.ID, Note: m.Note, Current: m.ID == p.current})
		}
		p.list.Select(p.current)
	}
	return nil
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
			return send(kit.PickModel{ID: it.ID})
		}
	default:
		p.list.Key(msg)
	}
	return nil
}

// View is at most height lines of at most width columns.
func (p *Page) View(width, height int) []string {
	foot := "enter chooses, type to filter, esc back"
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
