package chat

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/chat/entries"
	"github.com/clawless/clawless/tui/kit"
)

// loadModels is the command that asks which models there are. Without an answer completion has nothing to offer,
// and /model still takes any name.
func (p *Page) loadModels() tea.Msg {
	list, err := p.backend.Models(p.ctx)
	if err != nil {
		return nil
	}
	return models{list}
}

// load is the command that reads a page of a session.
func (p *Page) load(s kit.Session, cursor string) tea.Cmd {
	p.loading = true
	return func() tea.Msg {
		page, err := p.backend.Messages(p.ctx, s.ID, cursor)
		return loaded{session: s, cursor: cursor, page: page, err: err}
	}
}

// switchTo continues another session, or begins a new one.
func (p *Page) switchTo(s kit.Session) tea.Cmd {
	if p.turn != nil {
		p.flash = "stop the answer first: esc"
		return nil
	}
	p.session, p.served, p.entries, p.older = s.ID, "", nil, ""
	p.lastText, p.asked, p.before, p.undone, p.taken, p.editing = "", "", "", false, false, false
	p.usage, p.cost, p.spent, p.receipt = kit.Usage{}, kit.Cost{}, kit.Spent{}, nil
	if s.ID == "" {
		p.add(entries.Divider("new session"))
		return nil
	}
	keep(&p.served, s.Model)
	return p.load(s, "")
}

// show puts the messages of a session into the conversation: the newest ones with a heading, older ones before what
// is there.
func (p *Page) show(l loaded) {
	p.loading = false
	if l.session.ID != p.session {
		return
	}
	if l.err != nil {
		p.add(entries.Failure(l.err, "/sessions tries again"))
		return
	}
	p.older = l.page.Next
	if len(l.page.Messages) > 0 {
		p.spent.Add(kit.Cost{}) // what was said before cost what nobody says
	}
	var said []*entries.Entry
	for _, m := range l.page.Messages {
		switch {
		case m.Text == "":
		case m.Role == "user":
			said = append(said, entries.Question(m.Text))
		case m.Role == "assistant":
			said = append(said, entries.Answer(m.Text))
		}
	}
	if l.cursor != "" {
		p.entries = append(said, p.entries...)
		return
	}
	title := kit.Line(l.session.Title)
	if title == "" {
		title = l.session.ID
	}
	p.add(entries.Divider(title))
	skip := max(0, len(said)-shownMessages)
	if skip > 0 || p.older != "" {
		p.add(entries.Note("earlier messages: /full, then pgup", kit.Muted))
	}
	// What is not printed stands before the divider in the full screen, so that scrolling back reaches it.
	p.entries = append(said[:skip:skip], p.entries...)
	for i, e := range said {
		if i >= skip {
			p.add(e)
		}
	}
	for _, m := range l.page.Messages {
		switch m.Role {
		case "user":
			p.past.Add(m.Text)
			p.asked, p.taken = m.Text, true
		case "assistant":
			p.lastText = m.Text
		}
	}
}

// bill counts what the turn cost. One that was stopped or failed after it had begun cost what nobody says.
func (p *Page) bill() {
	if !p.turn.Billed {
		p.usage, p.cost, p.receipt = kit.Usage{}, kit.Cost{}, nil
	}
	if p.turn.Billed || p.turn.Begun {
		p.spent.Add(p.cost)
	}
}
