// Package plain is the chat as lines, for screen readers, pipes and simple terminals: it only ever appends, moves no
// cursor and writes no control sequence.
package plain

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/clawless/clawless/tui/kit"
	"github.com/clawless/clawless/tui/kit/markdown"
)

// Backend is what the chat asks of the server.
type Backend interface {
	// Ask sends a message and yields the events of its answer; an error is the last thing it yields. When ctx ends it
	// returns soon.
	Ask(ctx context.Context, ask kit.Ask) iter.Seq2[kit.Event, error]
	// Do stops a run, decides about a call or changes a session; the session is what a Fork made, else empty.
	Do(ctx context.Context, a kit.Action) (kit.Session, error)
	// Sessions is a page of the sessions, newest first; an empty cursor asks for the first page.
	Sessions(ctx context.Context, cursor string) (kit.SessionPage, error)
	// Messages is a page of a session's messages, the newest page for an empty cursor.
	Messages(ctx context.Context, sessionID, cursor string) (kit.MessagePage, error)
	// Models are the models that may be asked for.
	Models(ctx context.Context) ([]kit.Model, error)
}

// Options say how to run the chat.
type Options struct {
	// Backend, In and Out are required.
	Backend Backend
	In      io.Reader
	Out     io.Writer
	// SessionID, Model and Thinking are empty for a new session, the tenant's default model and the session's own level.
	SessionID, Model, Thinking string
	// Waits lets a call that waits for an approval wait where nobody can be asked, instead of denying it.
	Waits bool
	// Echo says that nobody can be asked: In is no terminal. It repeats what is read, so that a transcript made through a pipe has both sides.
	Echo bool
	// Farewell is the last line, given the session in use if there is one; nil prints none.
	Farewell func(sessionID string) string
	// Now is the clock.
	Now func() time.Time
}

// width is beyond any line: whatever shows the text wraps it.
const width = 1 << 16

// chat is a conversation in lines.
type chat struct {
	Options
	err        error // of writing
	asked      string
	undone     bool
	taken      bool   // the server has the last message
	before     string // what asked was before the last reset
	listed     []kit.Session
	spent      kit.Spent
	receipt    []string
	calls      kit.Calls // of the turn, that are not over
	lines      chan string
	interrupts chan os.Signal
}

// Run reads messages and prints answers until In ends, the person leaves or ctx ends; only the last is an error, and so
// is an Out that cannot be written. An interrupt during an answer stops the answer.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &chat{Options: o, lines: make(chan string), interrupts: make(chan os.Signal, 1)}
	signal.Notify(c.interrupts, os.Interrupt)
	defer signal.Stop(c.interrupts)
	go c.read(ctx)
	c.print("Write a message and press enter; a line that ends in \\ goes on. /help lists the commands.")
	if c.SessionID != "" {
		c.show(ctx, kit.Session{ID: c.SessionID})
	}
	err := c.loop(ctx)
	if c.Farewell != nil && c.SessionID != "" {
		c.print(kit.Line(c.Farewell(c.SessionID)))
	}
	return errors.Join(err, c.err)
}

// read hands out the lines of In. It may outlive Run by the one read that nothing can interrupt.
func (c *chat) read(ctx context.Context) {
	defer close(c.lines)
	r := bufio.NewReader(c.In)
	for {
		line, err := r.ReadString('\n')
		if line != "" {
			select {
			case c.lines <- strings.TrimRight(line, "\r\n"):
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (c *chat) write(s string) {
	if _, err := io.WriteString(c.Out, s); err != nil && c.err == nil {
		c.err = fmt.Errorf("output: %w", err)
	}
}

func (c *chat) print(lines ...string) {
	for _, line := range lines {
		c.write(line + "\n")
	}
}

// loop is one message after the other.
func (c *chat) loop(ctx context.Context) error {
	for c.err == nil {
		c.write("You: ")
		text, ok, err := c.message(ctx)
		if err != nil || !ok {
			c.write("\n")
			return err
		}
		switch trimmed := strings.TrimSpace(text); {
		case trimmed == "":
		case trimmed == "/quit":
			return nil
		case strings.HasPrefix(text, "/") && !strings.Contains(text, "\n"):
			c.command(ctx, trimmed)
		default:
			c.ask(ctx, kit.Ask{Text: text})
		}
	}
	return nil
}

// message is the next message: lines that end in a backslash go on in the next one.
func (c *chat) message(ctx context.Context) (text string, ok bool, err error) {
	for {
		select {
		case line, open := <-c.lines:
			if !open {
				return text, text != "", nil
			}
			if c.Echo {
				c.print(kit.Line(line))
			}
			more := strings.HasSuffix(line, "\\")
			if text += strings.TrimSuffix(line, "\\"); !more {
				return text, true, nil
			}
			text += "\n"
		case <-c.interrupts:
			return "", false, nil
		case <-ctx.Done():
			return "", false, fmt.Errorf("chat ended: %w", ctx.Err())
		}
	}
}

// ask prints the answer in whole blocks: a screen reader gets sentences, not tokens.
func (c *chat) ask(ctx context.Context, ask kit.Ask) {
	ask.SessionID, ask.Model, ask.Thinking = c.SessionID, c.Model, c.Thinking
	c.taken = ask.Again
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done, runID, stop := make(chan struct{}), make(chan string, 1), make(chan error, 1)
	go func() { stop <- c.stopOnInterrupt(ctx, cancel, runID, done) }()
	err := c.answer(ctx, ask, runID)
	close(done)
	stopped := <-stop
	c.asked, c.undone = ask.Text, err != nil || stopped != nil
	switch {
	case stopped != nil:
		c.print("[stopped]")
		if !errors.Is(stopped, errStopped) {
			c.print("Error: " + kit.Line(stopped.Error()))
		}
	case err != nil:
		c.fail(err, "/retry asks again.")
	}
}

var errStopped = errors.New("stopped")

// stopOnInterrupt stops the answer at an interrupt, after it has told the server, which it does as soon as the run has a
// name. It returns nil if done comes first.
func (c *chat) stopOnInterrupt(ctx context.Context, cancel func(), runID <-chan string, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-c.interrupts:
	}
	defer cancel()
	select {
	case id := <-runID:
		ctx, end := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer end()
		if _, err := c.Backend.Do(ctx, kit.Action{Kind: kit.Stop, RunID: id}); err != nil {
			return fmt.Errorf("the server did not confirm the stop: %w", err)
		}
	case <-done:
	}
	return errStopped
}

func (c *chat) answer(ctx context.Context, ask kit.Ask, runID chan<- string) error {
	s := markdown.NewStream(kit.Theme{}, width)
	said := false
	begun, last, run := false, kit.Event{}, ""
	c.calls = nil
	defer func() {
		if begun {
			c.bill(last)
		}
	}()
	put := func(lines []string) {
		for _, line := range lines {
			if !said && line != "" {
				c.write("Assistant: ")
				said = true
			}
			c.print(line)
		}
	}
	for e, err := range c.Backend.Ask(ctx, ask) {
		if err != nil {
			put(s.Close())
			return err
		}
		switch e.Kind {
		case kit.Started:
			begun, c.taken = true, true
			if e.SessionID != "" {
				c.SessionID = e.SessionID
			}
			if e.RunID != "" {
				run = e.RunID
				select {
				case runID <- e.RunID:
				default:
				}
			}
		case kit.Text:
			put(s.Write(e.Text))
		case kit.Tool:
			put(s.Close())
			s = markdown.NewStream(kit.Theme{}, width)
			c.call(ctx, e.Call, run)
		case kit.Notice:
			c.print("Note: " + kit.Line(e.Text))
		case kit.Done:
			last = e
		}
	}
	put(s.Close())
	return ctx.Err()
}

// bill says which model answered and what it cost, given the last event of the answer. One that was stopped or failed
// has none: it cost what nobody says.
func (c *chat) bill(last kit.Event) {
	c.spent.Add(last.Cost)
	c.receipt = last.Receipt
	if !last.Cost.Told {
		return
	}
	line := "Answered by " + kit.Line(last.Model) + ", " + last.Cost.String()
	if total := c.spent.String(); total != "" {
		line += ", " + total
	}
	c.print(line + ".")
}

func (c *chat) fail(err error, next string) {
	c.print("Error: " + kit.Line(err.Error()))
	if hint := kit.Hint(err); hint != "" {
		c.print(hint)
	}
	c.print(next)
}
