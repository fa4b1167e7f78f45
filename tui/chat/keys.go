package chat

import (
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/kit"
)

func send(msg tea.Msg) tea.Cmd { return func() tea.Msg { return msg } }

// key takes a key. No key waits for anything.
func (p *Page) key(msg tea.KeyMsg) tea.Cmd {
	k := p.keys
	armed := p.armed
	p.armed, p.flash = false, ""
	isScroll := p.isFull && key.Matches(msg, k.PageUp, k.PageDown, k.Top, k.Bottom)
	if c, ok := p.asks(); ok && !isScroll && !key.Matches(msg, k.Cancel, k.Clear, k.Suspend) {
		return p.decide(msg, c)
	}
	switch {
	case msg.Paste:
		p.input.Insert(string(msg.Runes))
		p.edited()
	case key.Matches(msg, k.Cancel):
		return p.interrupt(armed)
	case key.Matches(msg, k.Stop):
		return p.escape()
	case key.Matches(msg, k.Quit) && p.input.String() == "":
		return send(Quit{})
	case key.Matches(msg, k.Clear):
		return send(Clear{})
	case key.Matches(msg, k.Suspend):
		return send(Suspend{})
	case key.Matches(msg, k.Newline):
		p.input.Insert("\n")
		p.edited()
	case key.Matches(msg, k.Send):
		return p.enter()
	case key.Matches(msg, k.Complete):
		p.complete()
	case key.Matches(msg, k.Up):
		p.vertical(-1)
	case key.Matches(msg, k.Down):
		p.vertical(1)
	case p.isFull && key.Matches(msg, k.PageUp, k.PageDown, k.Top, k.Bottom):
		return p.page(msg)
	default:
		if p.input.Key(msg) {
			p.edited()
		}
	}
	return nil
}

// escape closes the menu, gives up an edit, or stops the answer.
func (p *Page) escape() tea.Cmd {
	switch {
	case p.menu.close():
	case p.editing:
		p.editing = false
		p.input.Set("")
	default:
		return p.Stop()
	}
	return nil
}

// interrupt is ctrl+c: it stops the answer, else clears the input; the second one in a row quits.
func (p *Page) interrupt(armed bool) tea.Cmd {
	if armed {
		return send(Quit{})
	}
	p.armed = true
	if p.turn != nil {
		return p.Stop()
	}
	p.past.Add(p.input.String())
	p.input.Set("")
	p.editing = false
	p.edited()
	return nil
}

// enter sends the input, or runs the command in it. A backslash before the cursor makes it a new line instead.
func (p *Page) enter() tea.Cmd {
	if strings.HasSuffix(p.input.Before(), "\\") {
		p.input.Key(tea.KeyMsg{Type: tea.KeyBackspace})
		p.input.Insert("\n")
		return nil
	}
	if p.menu.open() && !p.menu.exact(p.input.String()) {
		if p.complete(); strings.HasSuffix(p.input.String(), " ") {
			return nil
		}
	}
	text := strings.TrimRight(p.input.String(), " \n\t")
	if strings.TrimSpace(text) == "" {
		return nil
	}
	p.input.Set("")
	p.menu.items = nil
	if strings.HasPrefix(text, "/") && !strings.Contains(text, "\n") {
		p.past.Add(text)
		return p.command(text)
	}
	return p.Send(text)
}

// edited follows a change of the input: the menu of completions depends on it.
func (p *Page) edited() {
	p.past.Rest()
	p.menu.update(p.input.String(), p.models)
}

// complete takes the selected completion.
func (p *Page) complete() {
	if it, ok := p.menu.selected(); ok {
		p.input.Set(it.insert)
		p.menu.update(p.input.String(), p.models)
	}
}

// vertical moves in the menu, in the input, or, past its first and last row, in the history.
func (p *Page) vertical(by int) {
	if p.menu.open() {
		p.menu.move(by)
		return
	}
	if p.input.Vertical(by, p.width) {
		return
	}
	if text, ok := p.past.Move(by, p.input.String()); ok {
		p.input.Set(text)
	}
}

// page scrolls the full screen; past its top it asks for older messages.
func (p *Page) page(msg tea.KeyMsg) tea.Cmd {
	step := max(1, p.bodyRoom()-2)
	switch {
	case key.Matches(msg, p.keys.PageUp):
		p.scroll += step
	case key.Matches(msg, p.keys.PageDown):
		p.scroll -= step
	case key.Matches(msg, p.keys.Top):
		p.scroll = 1 << 30
	default:
		p.scroll = 0
	}
	top := p.clampScroll()
	if p.scroll <= 0 {
		p.scroll, p.fresh = 0, 0
	}
	if top && p.older != "" && !p.loading {
		return p.load(kit.Session{ID: p.session}, p.older)
	}
	return nil
}
