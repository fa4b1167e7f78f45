// Package chat is the conversation: its input, its commands, the answer as it streams in, and what is waiting to be
// printed into the terminal's scrollback.
package chat

import (
	"context"
	"iter"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/chat/entries"
	"github.com/clawless/clawless/tui/chat/turns"
	"github.com/clawless/clawless/tui/kit"
	"github.com/clawless/clawless/tui/kit/edit"
	"github.com/clawless/clawless/tui/kit/markdown"
)

// Backend is what a conversation asks of the server. Its methods are called outside of Update.
type Backend interface {
	// Ask sends a message and yields the events of its answer; an error is the last thing it yields. When ctx ends it
	// returns soon.
	Ask(ctx context.Context, ask kit.Ask) iter.Seq2[kit.Event, error]
	// Do stops a run, decides about a call or changes a session; the session is what a Fork made, else empty.
	Do(ctx context.Context, a kit.Action) (kit.Session, error)
	// Messages is a page of a session, the newest page for an empty cursor.
	Messages(ctx context.Context, sessionID, cursor string) (kit.MessagePage, error)
	// Models are the models that may be asked for.
	Models(ctx context.Context) ([]kit.Model, error)
}

// What the page asks of the program around it.
type (
	// Quit asks to leave; what is pending is printed first.
	Quit struct{}
	// Suspend asks to hand the terminal back to the shell.
	Suspend struct{}
	// Clear asks for a screen with nothing but what is live.
	Clear struct{}
	// ToggleFull asks to enter or leave the full screen.
	ToggleFull struct{}
	// Copy asks to put text on the clipboard; a Copied answers it.
	Copy struct{ Text string }
	// Copied says how a Copy went: Via names the ways that were taken.
	Copied struct {
		Text, Via string
		Err       error
	}
)

// Options are what a page begins with.
type Options struct {
	// Theme paints; SessionID, Model and Thinking are empty for a new session, the tenant's default model and the
	// session's own level.
	Theme                      kit.Theme
	SessionID, Model, Thinking string
	// Now is the clock.
	Now func() time.Time
}

// shownMessages is how many messages of a session are printed when it is opened.
const shownMessages = 20

// maxText is how wide text is painted at most: longer lines are hard to read.
const maxText = 110

// Page is the conversation. Its methods are for the goroutine of the program's Update.
type Page struct {
	ctx     context.Context
	backend Backend
	th      kit.Theme
	keys    kit.Keys
	now     func() time.Time

	width, height int
	isFull        bool
	scroll, fresh int // lines scrolled back in the full screen, and lines that came since

	input   edit.Text
	past    edit.History
	menu    menu
	armed   bool   // the next ctrl+c quits
	flash   string // a word in the status line until the next key
	leaving bool

	entries []*entries.Entry
	pending []string       // lines that wait to be printed into the scrollback
	open    *entries.Entry // the answer that is coming in
	older   string         // the cursor of the messages before the first entry
	loading bool

	turn     *turns.Turn
	queue    []string // messages to send after the answer
	reply    strings.Builder
	lastText string // the last complete or partial answer
	asked    string // the last message that was sent
	before   string // what asked was before the last reset
	editing  bool   // the input takes the place of asked
	undone   bool   // its answer failed or was stopped
	thinking string
	thoughts int // bytes
	spin     int

	promptID  string    // of the approval that is asked for on the screen
	promptAt  time.Time // when that began
	answering bool      // the server has not taken the decision yet

	taken bool // the server has the last message, so that it can be answered again

	session, model, served string
	effort                 string // the level of thinking that is asked for
	usage                  kit.Usage
	cost                   kit.Cost // of the last turn
	spent                  kit.Spent
	receipt                []string
	models                 []kit.Model
}

// New makes a page; ctx ends everything that it starts.
func New(ctx context.Context, b Backend, o Options) *Page {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Page{ctx: ctx, backend: b, th: o.Theme, keys: kit.NewKeys(), now: o.Now, width: 80, height: 24,
		session: o.SessionID, model: o.Model, effort: o.Thinking}
	p.input.Set("")
	return p
}

// Init is the first command: it loads the session, if there is one, and the models that completion offers.
func (p *Page) Init() tea.Cmd {
	cmds := []tea.Cmd{p.loadModels}
	if p.session != "" {
		cmds = append(cmds, p.load(kit.Session{ID: p.session}, ""))
	}
	return tea.Batch(cmds...)
}

// SessionID is the session in use; empty before the first message of a new one.
func (p *Page) SessionID() string { return p.session }

// Model is the model that was chosen; empty for the tenant's default.
func (p *Page) Model() string { return p.model }

// Busy reports whether an answer is coming in.
func (p *Page) Busy() bool { return p.turn != nil }

// Take hands out the lines that are to be printed into the scrollback, in order and once.
func (p *Page) Take() []string {
	lines := p.pending
	p.pending = nil
	return lines
}

// Full says whether the page has the whole screen.
func (p *Page) Full(on bool) { p.isFull, p.scroll, p.fresh = on, 0, 0 }

// Resize tells the size of the screen.
func (p *Page) Resize(width, height int) {
	p.width, p.height = width, height
	if p.open != nil {
		p.open.Stream.Resize(p.textWidth())
	}
}

func (p *Page) textWidth() int { return max(10, min(p.width, maxText)) }

type (
	tick   struct{ turn *turns.Turn }
	models struct{ list []kit.Model }
	loaded struct {
		session kit.Session
		cursor  string
		page    kit.MessagePage
		err     error
	}
)

func spinAfter(t *turns.Turn) tea.Cmd {
	return tea.Tick(120*time.Millisecond, func(time.Time) tea.Msg { return tick{t} })
}

// Update takes a message. Messages of other pages are ignored.
func (p *Page) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		return p.key(msg)
	case turns.Batch:
		return p.take(msg)
	case tick:
		if msg.turn != p.turn || p.turn == nil {
			return nil
		}
		p.spin++
		return spinAfter(msg.turn)
	case loaded:
		p.show(msg)
		return p.next()
	case models:
		p.models = msg.list
	case did:
		return p.did(msg)
	case turns.NotStopped:
		p.add(entries.Note("the server did not confirm the stop: "+kit.Line(msg.Err.Error()), kit.Warning))
	case Copied:
		p.flash = "copied " + kit.Plural(len([]rune(msg.Text)), "character") + " by " + msg.Via
		if msg.Err != nil {
			p.flash = "not copied: " + kit.Line(msg.Err.Error())
		}
	case kit.PickModel:
		p.model, p.served, p.flash = msg.ID, "", "model: "+msg.ID
	case kit.PickSession:
		return p.switchTo(msg.Session)
	}
	return nil
}

// add appends an entry and lets it be printed.
func (p *Page) add(e *entries.Entry) {
	if n := len(p.entries); e.Note && n > 0 && p.entries[n-1].Note {
		e.Gap = false
	}
	p.entries = append(p.entries, e)
	p.pending = append(p.pending, e.Lines(p.th, p.textWidth())...)
}

// take applies what came in for the answer. What belongs to an answer that was stopped is ignored.
func (p *Page) take(b turns.Batch) tea.Cmd {
	if b.Turn != p.turn || p.turn == nil {
		return nil
	}
	p.holding(func() { p.apply(b.Events) })
	if !b.Ended {
		return b.Turn.Next
	}
	return p.finish(b.Err)
}

func (p *Page) apply(events []kit.Event) {
	for _, e := range events {
		switch e.Kind {
		case kit.Started:
			keep(&p.session, e.SessionID)
			keep(&p.served, e.Model)
			p.turn.Begun, p.taken = true, true
		case kit.Text:
			p.text(e.Text)
		case kit.Thinking:
			p.thoughts += len(e.Text)
			p.thinking = lastLine(p.thinking + e.Text)
		case kit.Tool:
			p.call(e.Call)
		case kit.Notice:
			p.settle()
			p.add(entries.Note(kit.Line(e.Text), kit.Warning))
		case kit.Done:
			keep(&p.served, e.Model)
			p.usage, p.cost, p.receipt = e.Usage, e.Cost, e.Receipt
			p.turn.Billed = true
		}
	}
}

func keep(field *string, value string) {
	if value != "" {
		*field = kit.Line(value)
	}
}

// lastLine is the end of a text that fits a status line.
func lastLine(s string) string {
	s = strings.TrimRight(s, "\n")
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	if r := []rune(s); len(r) > 400 {
		s = string(r[len(r)-400:])
	}
	return s
}

// text adds a piece of the answer.
func (p *Page) text(piece string) {
	if piece == "" {
		return
	}
	if p.open == nil {
		p.thought()
		p.open = entries.Answer("")
		p.open.Stream = markdown.NewStream(p.th, p.textWidth())
		p.entries = append(p.entries, p.open)
		p.pending = append(p.pending, "")
	}
	p.reply.WriteString(piece)
	p.pending = append(p.pending, p.open.Write(piece)...)
}

// thought folds the reasoning before an answer into one line.
func (p *Page) thought() {
	if p.thoughts > 0 && p.turn != nil {
		p.add(entries.Note("thought for "+p.elapsed(), kit.Muted))
		p.thinking, p.thoughts = "", 0
	}
}

func (p *Page) elapsed() string {
	return p.now().Sub(p.turn.Began).Truncate(time.Second).String()
}

// settle closes the part of the answer that is open.
func (p *Page) settle() {
	p.thought()
	if p.open != nil {
		p.pending = append(p.pending, p.open.Close()...)
		p.open = nil
	}
}

// finish ends the turn: with nil when the answer is complete.
func (p *Page) finish(err error) tea.Cmd {
	p.settle()
	p.bill()
	p.lastText, p.turn = p.reply.String(), nil
	if err != nil {
		p.undone = true
		p.add(entries.Failure(err, "/retry asks again"))
		p.unqueue()
		return nil
	}
	if p.reply.Len() == 0 {
		p.add(entries.Note("the answer has no text", kit.Muted))
	}
	return p.next()
}

// Stop ends the answer here and now, keeps what has arrived, and tells the server.
func (p *Page) Stop() tea.Cmd {
	t := p.turn
	if t == nil {
		return nil
	}
	b := t.Drain()
	p.holding(func() { p.apply(b.Events) })
	if b.Ended {
		return p.finish(b.Err)
	}
	p.settle()
	p.bill()
	p.lastText, p.turn, p.undone = p.reply.String(), nil, true
	mark := entries.Note("[stopped]", kit.Warning)
	mark.Gap = p.reply.Len() == 0
	p.add(mark)
	p.unqueue()
	return t.Stop
}

// Leave ends the page: what is open is printed as it is, and the run goes on on the server.
func (p *Page) Leave() {
	p.leaving = true
	if p.turn != nil {
		p.apply(p.turn.Drain().Events)
		p.settle()
		p.add(entries.Note("[left; the server finishes the answer]", kit.Warning))
		p.turn.Cancel()
		p.turn = nil
	}
}
