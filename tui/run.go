// Package tui is the terminal chat: pages that know the server only through small interfaces, a program that routes
// messages between them, and a plain mode for screen readers and pipes.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/term"

	"github.com/clawless/clawless/tui/chat"
	"github.com/clawless/clawless/tui/kit"
	"github.com/clawless/clawless/tui/plain"
)

// Backend is the server as the terminal chat needs it. Its methods are called from several goroutines and never from
// the one that draws. Errors that implement kit.Hinter are shown with their hint.
type Backend interface {
	// Ask sends a message and yields the events of its answer; an error is the last thing it yields. When ctx ends it
	// returns soon, and the run goes on on the server.
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
	// Backend is required.
	Backend Backend
	// In and Out default to the standard streams. The chat is plain unless both are terminals.
	In  io.Reader
	Out io.Writer
	// SessionID continues a session, Model chooses a model, Thinking one of kit.ThinkingLevels; empty means a new
	// session, the tenant's default and the session's own level.
	SessionID, Model, Thinking string
	// Plain asks for lines without any control sequence, as ACCESSIBLE=1 and TERM=dumb do. Full begins in the full
	// screen.
	Plain, Full bool
	// Waits lets a call that waits for an approval wait where nobody can be asked, instead of denying it.
	Waits bool
	// Farewell is the last line that is printed, given the session in use if there is one; nil prints none.
	Farewell func(sessionID string) string
	// Getenv and Now default to os.Getenv and time.Now.
	Getenv func(string) string
	Now    func() time.Time
}

// Run shows the chat until the person leaves or ctx ends. Leaving is no error; an end of ctx is its error. It owns
// neither In nor Out.
func Run(ctx context.Context, o Options) error {
	if o.Backend == nil {
		return errors.New("the terminal chat needs a backend")
	}
	if o.In == nil {
		o.In = os.Stdin
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, out := asTerminal(o.In), asTerminal(o.Out)
	accessible := o.Getenv("ACCESSIBLE")
	if in == nil || out == nil || o.Plain || accessible != "" && accessible != "0" || o.Getenv("TERM") == "dumb" {
		return plain.Run(ctx, plain.Options{Backend: o.Backend, In: o.In, Out: o.Out, SessionID: o.SessionID, Model: o.Model,
			Thinking: o.Thinking, Echo: in == nil, Waits: o.Waits, Farewell: o.Farewell, Now: o.Now})
	}
	return runScreen(ctx, o, &console{in: in, out: out})
}

// asTerminal is the stream as a file if it is a terminal, else nil.
func asTerminal(stream any) *os.File {
	if f, ok := stream.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

func runScreen(ctx context.Context, o Options, c *console) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := c.prepare(); err != nil {
		return err
	}
	defer c.restore()
	s := newScreen(c.out)
	go s.run(cancel)
	s.begin()
	// What the pages began outlives ctx until the program has printed what there is of it.
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	p := tea.NewProgram(newProgram(inner, o, kit.NewTheme(o.Getenv), s, c),
		tea.WithInput(c.in), tea.WithOutput(io.Discard), tea.WithoutRenderer())
	go watchSize(inner, func() {
		width, height := c.size()
		p.Send(tea.WindowSizeMsg{Width: width, Height: height})
	})
	leave := context.AfterFunc(ctx, func() { p.Send(chat.Quit{}) })
	defer leave()
	m, err := p.Run()
	s.close()
	c.restore()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("chat ended: %w", context.Cause(ctx))
	case errors.Is(err, tea.ErrInterrupted):
		return fmt.Errorf("chat ended: %w", context.Canceled)
	case err != nil:
		return fmt.Errorf("terminal: %w", err)
	}
	if id := m.(*program).chat.SessionID(); o.Farewell != nil && id != "" {
		if _, err := fmt.Fprintf(o.Out, "\n%s\n", kit.Line(o.Farewell(id))); err != nil {
			return fmt.Errorf("terminal: %w", err)
		}
	}
	return nil
}
