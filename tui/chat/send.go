package chat

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/chat/entries"
	"github.com/clawless/clawless/tui/chat/turns"
	"github.com/clawless/clawless/tui/kit"
)

// Send asks the server, or queues the message while an answer or a session is coming in.
func (p *Page) Send(text string) tea.Cmd {
	p.past.Add(text)
	if p.turn != nil || p.loading {
		p.queue = append(p.queue, text)
		return nil
	}
	edit := p.editing
	p.editing = false
	return p.begin(kit.Ask{Text: text, Edit: edit})
}

// begin starts a turn.
func (p *Page) begin(ask kit.Ask) tea.Cmd {
	p.scroll, p.fresh = 0, 0
	switch {
	case ask.Again:
		p.add(entries.Note(p.th.Sign("↻ ", "")+"answering again: "+p.th.Cut(kit.Line(p.asked), max(10, p.textWidth()-20)), kit.Muted))
	case ask.Edit:
		p.add(entries.Note(p.th.Sign("↻ ", "")+"in place of your last message:", kit.Muted))
	}
	if !ask.Again {
		p.asked = ask.Text
		p.add(entries.Question(ask.Text))
	}
	p.taken = ask.Again
	p.undone, p.thinking, p.thoughts, p.spin, p.promptID = false, "", 0, 0, ""
	p.reply.Reset()
	ask.SessionID, ask.Model, ask.Thinking = p.session, p.model, p.effort
	p.turn = turns.New(p.ctx, p.backend, ask, p.now())
	return tea.Batch(p.turn.Start, spinAfter(p.turn))
}

// next sends the first of the messages that were queued.
func (p *Page) next() tea.Cmd {
	if len(p.queue) == 0 || p.turn != nil || p.loading {
		return nil
	}
	text := p.queue[0]
	p.queue = p.queue[1:]
	return p.Send(text)
}

// unqueue gives back the messages that will not be sent by themselves.
func (p *Page) unqueue() {
	if len(p.queue) > 0 {
		text := strings.Join(append(p.queue, p.input.String()), "\n")
		p.input.Set(strings.TrimRight(text, "\n"))
		p.queue = nil
	}
}
