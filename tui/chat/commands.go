package chat

import (
	"slices"
	"strconv"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/chat/entries"
	"github.com/clawless/clawless/tui/kit"
	"github.com/clawless/clawless/tui/kit/markdown"
)

// command is something a person does by writing a slash and its name.
type command struct {
	name, args, help string
	run              func(p *Page, arg string) tea.Cmd
}

// commands are all of them, in the order of the help.
func commands() []command {
	return []command{
		{"/help", "", "show the commands and the keys", (*Page).help},
		{"/new", "", "begin a new session", func(p *Page, _ string) tea.Cmd { return p.switchTo(kit.Session{}) }},
		{"/sessions", "", "list the sessions and switch to one", (*Page).sessions},
		{"/model", "[name]", "choose the model that answers", (*Page).chooseModel},
		{"/thinking", "[level]", "choose how much it thinks: " + strings.Join(kit.ThinkingLevels, ", "), (*Page).think},
		{"/receipt", "", "why this model answered, and what the answer cost", (*Page).explain},
		{"/regenerate", "", "answer the last message again", (*Page).regenerate},
		{"/edit", "[text]", "replace the last message", (*Page).edit},
		{"/reset", "", "go on without what was said so far", change(kit.Reset)},
		{"/undo", "", "take the last reset back", change(kit.Undo)},
		{"/fork", "", "go on in a copy of the session", change(kit.Fork)},
		{"/retry", "", "ask again after a failure or a stop", (*Page).retry},
		{"/copy", "[n|all]", "copy the answer, its n-th code block, or everything", (*Page).copy},
		{"/full", "", "use the full screen, or leave it", func(*Page, string) tea.Cmd { return send(ToggleFull{}) }},
		{"/clear", "", "clear the screen", func(*Page, string) tea.Cmd { return send(Clear{}) }},
		{"/quit", "", "leave", func(*Page, string) tea.Cmd { return send(Quit{}) }},
	}
}

// command runs what the person wrote.
func (p *Page) command(text string) tea.Cmd {
	name, arg, _ := strings.Cut(text, " ")
	for _, c := range commands() {
		if c.name == name {
			return c.run(p, strings.TrimSpace(arg))
		}
	}
	p.flash = "no command " + kit.Line(name) + "; /help lists them"
	p.input.Set(text)
	return nil
}

func (p *Page) help(string) tea.Cmd {
	p.add(&entries.Entry{Gap: true, Paint: func(_ *entries.Entry, th kit.Theme, width int) []string {
		var rows [][2]string
		for _, c := range commands() {
			rows = append(rows, [2]string{strings.TrimSpace(c.name + " " + c.args), c.help})
		}
		lines := append([]string{th.Style(kit.Bold, "Commands")}, th.Table(rows, width)...)
		rows = nil
		for _, b := range p.keys.All() {
			rows = append(rows, [2]string{b.Help().Key, b.Help().Desc})
		}
		lines = append(lines, "", th.Style(kit.Bold, "Keys"))
		lines = append(lines, th.Table(append(rows, [2]string{"y / n", "when a tool waits for your word: allow it, deny it; esc denies too"}), width)...)
		return append(lines, "", th.Style(kit.Muted, th.Cut("Select and copy with the mouse as in any text.", width)))
	}})
	return nil
}

func (p *Page) sessions(string) tea.Cmd {
	if p.turn != nil {
		p.flash = "stop the answer first: esc"
		return nil
	}
	return send(kit.OpenSessions{})
}

func (p *Page) chooseModel(name string) tea.Cmd {
	if name == "" {
		return send(kit.OpenModels{})
	}
	known := len(p.models) == 0
	for _, m := range p.models {
		known = known || m.ID == name
	}
	if !known {
		p.flash = "no model " + kit.Line(name) + "; /model lists them"
		return nil
	}
	return p.Update(kit.PickModel{ID: name})
}

// think sets the level for the messages from now on.
func (p *Page) think(level string) tea.Cmd {
	switch {
	case slices.Contains(kit.ThinkingLevels, level):
		p.effort, p.flash = level, "thinking: "+level
	case level == sessionsOwn:
		p.effort, p.flash = "", "thinking: as the session has it"
	default:
		p.flash = "levels: " + strings.Join(kit.ThinkingLevels, ", ")
		p.input.Set("/thinking ")
		p.edited()
	}
	return nil
}

// sessionsOwn takes a chosen level back.
const sessionsOwn = "default"

// explain prints the receipt of the last answer.
func (p *Page) explain(string) tea.Cmd {
	if len(p.receipt) == 0 {
		p.flash = "no answer with a receipt yet"
		return nil
	}
	p.add(entries.Note(strings.Join(p.receipt, "\n"), kit.Muted))
	return nil
}

func (p *Page) retry(string) tea.Cmd {
	switch {
	case p.turn != nil:
		p.flash = "an answer is on its way; esc stops it"
	case !p.undone:
		p.flash = "the last answer is complete; there is nothing to ask again"
	case p.taken:
		return p.begin(kit.Ask{Text: p.asked, Again: true})
	default:
		return p.Send(p.asked)
	}
	return nil
}

// copy puts the last answer, one of its code blocks, or the whole conversation on the clipboard.
func (p *Page) copy(arg string) tea.Cmd {
	text := p.lastText
	if p.turn != nil {
		text = p.reply.String()
	}
	switch n, err := strconv.Atoi(arg); {
	case arg == "":
	case arg == "all":
		text = p.transcript()
	case err == nil:
		blocks := markdown.CodeBlocks(text)
		if n < 1 || n > len(blocks) {
			p.flash = "the last answer has " + kit.Plural(len(blocks), "code block")
			return nil
		}
		text = blocks[n-1]
	default:
		p.flash = "try /copy, /copy 2 or /copy all"
		return nil
	}
	if text == "" {
		p.flash = "there is nothing to copy yet"
		return nil
	}
	return send(Copy{Text: text})
}

// transcript is the conversation as markdown.
func (p *Page) transcript() string {
	var b strings.Builder
	for _, e := range p.entries {
		text := e.Text.String()
		switch {
		case e.Answer:
			b.WriteString(text + "\n\n")
		case e.Gap && text != "":
			b.WriteString("> " + strings.ReplaceAll(text, "\n", "\n> ") + "\n\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// menu offers completions of a command.
type menu struct {
	items []completion
	at    int
}

type completion struct{ name, help, insert string }

func (m *menu) open() bool { return len(m.items) > 0 }

// close reports whether there was something to close.
func (m *menu) close() bool {
	was := m.open()
	m.items, m.at = nil, 0
	return was
}

func (m *menu) move(by int) { m.at = (m.at + by + len(m.items)) % len(m.items) }

func (m *menu) selected() (completion, bool) {
	if !m.open() {
		return completion{}, false
	}
	return m.items[m.at], true
}

// exact reports that the text is the selected completion already.
func (m *menu) exact(text string) bool {
	it, _ := m.selected()
	return it.insert == text || it.name == text
}

// update finds what the input may be completed to.
func (m *menu) update(text string, models []kit.Model) {
	m.items, m.at = m.items[:0], 0
	name, arg, hasArg := strings.Cut(text, " ")
	switch {
	case !strings.HasPrefix(text, "/") || strings.Contains(text, "\n"):
	case !hasArg:
		for _, c := range commands() {
			if strings.HasPrefix(c.name, name) {
				insert := c.name
				if c.name == "/model" || c.name == "/thinking" {
					insert += " "
				}
				m.items = append(m.items, completion{c.name, c.help, insert})
			}
		}
	case name == "/model" && !slices.ContainsFunc(models, func(it kit.Model) bool { return it.ID == arg }):
		for _, it := range models {
			if strings.Contains(strings.ToLower(it.ID), strings.ToLower(arg)) {
				m.items = append(m.items, completion{kit.Line(it.ID), kit.Line(it.Note), "/model " + it.ID})
			}
		}
	case name == "/thinking" && !slices.Contains(kit.ThinkingLevels, arg):
		for _, level := range append(slices.Clone(kit.ThinkingLevels), sessionsOwn) {
			if strings.HasPrefix(level, arg) && level != arg {
				m.items = append(m.items, completion{level, "", "/thinking " + level})
			}
		}
	}
}
