package chat

import (
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/chat/entries"
	"github.com/clawless/clawless/tui/kit"
)

// lookFirst is how long a question has to be on the screen before a key answers it: what is typed sooner was meant for something else.
const lookFirst = 500 * time.Millisecond

// call takes what a tool does: one that is over becomes a line of the conversation, the others stay live.
func (p *Page) call(c kit.Call) {
	p.settle()
	if p.turn.Calls.Update(c) {
		look := kit.Muted
		if c.Status != kit.CallDone {
			look = kit.Warning
		}
		p.add(entries.Note(p.th.Sign("→ ", "> ")+c.Line(), look))
	}
	p.prompt()
}

// prompt asks about the first call that waits, if that is not what is asked about already. What there is to know goes into the scrollback, however long it is.
func (p *Page) prompt() {
	c, ok := p.turn.Calls.Waits()
	switch {
	case !ok:
		p.promptID, p.answering = "", false
	case c.ApprovalID != p.promptID:
		p.promptID, p.promptAt, p.answering = c.ApprovalID, p.now(), false
		p.add(&entries.Entry{Gap: true, Paint: func(_ *entries.Entry, th kit.Theme, width int) []string {
			lines := []string{th.Style(kit.Warning, th.Cut("? "+kit.Line(c.Name)+" waits for your word", width))}
			for _, line := range c.Question() {
				for _, part := range kit.Wrap(th, line, 0, max(width-2, 8)) {
					lines = append(lines, "  "+part)
				}
			}
			return lines
		}})
	}
}

// asks is the call that is asked about now.
func (p *Page) asks() (kit.Call, bool) {
	if p.turn == nil || p.promptID == "" {
		return kit.Call{}, false
	}
	return p.turn.Calls.Waits()
}

// decide takes a key while a call waits. Keys that mean something else everywhere keep their meaning; the rest is not for the input.
func (p *Page) decide(msg tea.KeyMsg, c kit.Call) tea.Cmd {
	deny := key.Matches(msg, p.keys.Stop)
	switch {
	case p.answering || msg.Paste:
		return nil
	case deny:
	case p.now().Sub(p.promptAt) < lookFirst:
		return nil
	case key.Matches(msg, p.keys.Deny):
		deny = true
	case !key.Matches(msg, p.keys.Allow):
		p.flash = "y allows, n denies"
		return nil
	}
	a := kit.Action{Kind: kit.Approve, RunID: p.turn.Run(), ApprovalID: c.ApprovalID}
	if deny {
		a.Kind = kit.Deny
	}
	p.answering = true
	return p.do(a)
}

// did says how an Action went.
type did struct {
	action  kit.Action
	session kit.Session
	err     error
}

// do is the command that has the server do something.
func (p *Page) do(a kit.Action) tea.Cmd {
	return func() tea.Msg {
		s, err := p.backend.Do(p.ctx, a)
		return did{a, s, err}
	}
}

func (p *Page) did(d did) tea.Cmd {
	if d.action.Kind == kit.Approve || d.action.Kind == kit.Deny {
		if d.err != nil && d.action.ApprovalID == p.promptID {
			p.answering = false
			p.settle()
			p.add(entries.Note("the server did not take your word: "+kit.Line(d.err.Error()), kit.Warning))
		}
		return nil
	}
	p.loading = false
	switch {
	case d.action.SessionID != p.session:
	case d.err != nil:
		p.add(entries.Failure(d.err, "nothing was changed"))
	case d.action.Kind == kit.Reset:
		p.before, p.asked, p.taken, p.undone = p.asked, "", false, false
		p.mark("reset", "the model no longer sees what is above; /undo takes that back")
	case d.action.Kind == kit.Undo:
		p.asked, p.taken = p.before, p.before != ""
		p.mark("reset undone", "the conversation before it goes on")
	case d.action.Kind == kit.Fork:
		p.session = kit.Line(d.session.ID)
		p.mark("copy", "it goes on from here; /sessions has the other one")
	}
	return p.next()
}

// mark sets off what comes from what was, and says why.
func (p *Page) mark(title, text string) {
	p.add(entries.Divider(title))
	note := entries.Note(text, kit.Muted)
	note.Gap = false
	p.add(note)
}

// change is a command that needs a session at rest.
func change(kind kit.ActionKind) func(*Page, string) tea.Cmd {
	return func(p *Page, _ string) tea.Cmd {
		if !p.rests() {
			return nil
		}
		p.loading = true
		return p.do(kit.Action{Kind: kind, SessionID: p.session})
	}
}

// rests reports whether there is a session that nothing is coming in for, and says so if not.
func (p *Page) rests() bool {
	switch {
	case p.turn != nil:
		p.flash = "an answer is on its way; esc stops it"
	case p.loading:
		p.flash = "the session is not there yet"
	case p.session == "":
		p.flash = "there is no conversation yet"
	default:
		return true
	}
	return false
}

// regenerate has the last message answered again, beside the answers it has.
func (p *Page) regenerate(string) tea.Cmd {
	if !p.rests() {
		return nil
	}
	if p.asked == "" {
		p.flash = "there is no message to answer again"
		return nil
	}
	return p.begin(kit.Ask{Text: p.asked, Again: true})
}

// edit puts a text, or first the last message into the input, to be sent in that message's place.
func (p *Page) edit(text string) tea.Cmd {
	switch {
	case !p.rests():
		return nil
	case p.asked == "" || !p.taken:
		p.flash = "there is no message to edit"
		return nil
	case text == "":
		p.input.Set(p.asked)
		p.editing, p.flash = true, "enter replaces your last message; esc leaves it"
		return nil
	}
	p.editing = true
	return p.Send(text)
}

// callLines are the calls that are not over, and the keys while one waits.
func (p *Page) callLines() []string {
	var lines []string
	for _, c := range p.turn.Calls {
		if c.Status == kit.CallRunning {
			lines = append(lines, p.th.Style(kit.Accent, p.spinner())+" "+p.th.Style(kit.Muted, p.th.Cut(c.Line(), p.textWidth()-2)))
		}
	}
	if c, ok := p.asks(); ok {
		keys := []string{}
		for _, b := range []key.Binding{p.keys.Allow, p.keys.Deny} {
			keys = append(keys, b.Help().Key+" "+b.Help().Desc)
		}
		dot := " " + p.th.Sign("·", "-") + " "
		ask := "  " + strings.Join(keys, dot)
		if p.answering {
			ask = "  telling the server"
		}
		question := p.th.Cut("May "+kit.Line(c.Name)+" run?", p.textWidth())
		if kit.Width(question+ask) <= p.textWidth() {
			return append(lines, p.th.Style(kit.Bold, question)+p.th.Style(kit.Accent, ask))
		}
		lines = append(lines, p.th.Style(kit.Bold, question), p.th.Style(kit.Accent, p.th.Cut(ask, p.textWidth())))
	}
	return lines
}
