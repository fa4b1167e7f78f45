// Package scripttest is a server for tests of the terminal chat: it answers from a script, at a pace, and fails, waits
// and stops as it is told.
package scripttest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/clawless/clawless/tui/kit"
)

// Backend answers from Answers by the words that a question contains, else from Answer. Its fields are set before use.
type Backend struct {
	// Answer is the markdown of every answer that Answers has no better one for.
	Answer  string
	Answers map[string]string
	// Piece is how many bytes come at once, Pace how long it is from one piece to the next.
	Piece int
	Pace  time.Duration
	// Gate, if set, is received from before every piece, so that a test decides when it comes.
	Gate chan struct{}
	// Before are events that come before the text.
	Before []kit.Event
	// Waits is a call of a tool that comes before the text and waits until Decided has a word. Refuse is the error of Do.
	Waits   *kit.Call
	Decided chan bool
	Refuse  error
	// FailAfter ends an answer with Err after so many pieces; -1 is never.
	FailAfter int
	Err       error
	// Cost and Receipt are those of every complete answer.
	Cost    kit.Cost
	Receipt []string
	// Said are the messages of the sessions in List.
	List  []kit.Session
	Said  map[string][]kit.Message
	Names []kit.Model

	mu   sync.Mutex
	asks []kit.Ask
	done []kit.Action
}

// Asks are the questions so far.
func (b *Backend) Asks() []kit.Ask {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]kit.Ask(nil), b.asks...)
}

// Cancelled are the ids of the runs that were stopped.
func (b *Backend) Cancelled() []string {
	var ids []string
	for _, a := range b.Done() {
		if a.Kind == kit.Stop {
			ids = append(ids, a.RunID)
		}
	}
	return ids
}

// Failure is an error with a hint.
type Failure struct{ Text, Next string }

// Error is what went wrong.
func (f Failure) Error() string { return f.Text }

// Hint is what to do next.
func (f Failure) Hint() string { return f.Next }

// Ask plays an answer.
func (b *Backend) Ask(ctx context.Context, ask kit.Ask) iter.Seq2[kit.Event, error] {
	b.mu.Lock()
	b.asks = append(b.asks, ask)
	n := len(b.asks)
	b.mu.Unlock()
	return func(yield func(kit.Event, error) bool) {
		session, model := ask.SessionID, ask.Model
		if session == "" {
			session = fmt.Sprintf("ses_%d", n)
		}
		if model == "" {
			model = "mock/script"
		}
		events := append([]kit.Event{{Kind: kit.Started, RunID: fmt.Sprintf("run_%d", n), SessionID: session, Model: answered(model)}}, b.Before...)
		for _, e := range events {
			if !b.wait(ctx) || !yield(e, nil) {
				return
			}
		}
		if b.Waits != nil && !b.waiting(ctx, yield) {
			return
		}
		answer := b.answer(ask.Text)
		sent := 0
		for rest := answer; rest != ""; sent++ {
			if b.Err != nil && sent == b.FailAfter {
				yield(kit.Event{}, b.Err)
				return
			}
			if !b.wait(ctx) {
				yield(kit.Event{}, ctx.Err())
				return
			}
			n := min(len(rest), max(1, b.Piece))
			for n < len(rest) && rest[n]&0xc0 == 0x80 {
				n++
			}
			if !yield(kit.Event{Kind: kit.Text, Text: rest[:n]}, nil) {
				return
			}
			rest = rest[n:]
		}
		yield(kit.Event{Kind: kit.Done, Model: answered(model), Usage: kit.Usage{Input: len(ask.Text) / 4, Output: sent}, Cost: b.Cost, Receipt: b.Receipt}, nil)
	}
}

// waiting plays the call that waits.
func (b *Backend) waiting(ctx context.Context, yield func(kit.Event, error) bool) bool {
	c := *b.Waits
	c.Status = kit.CallWaiting
	if !yield(kit.Event{Kind: kit.Tool, Call: c}, nil) {
		return false
	}
	select {
	case allowed := <-b.Decided:
		c.Status, c.Why = kit.CallDenied, "a person said no"
		if allowed {
			c.Status, c.Why, c.Took = kit.CallDone, "", 12*time.Millisecond
		}
	case <-ctx.Done():
		yield(kit.Event{}, ctx.Err())
		return false
	}
	return yield(kit.Event{Kind: kit.Tool, Call: c}, nil)
}

// answered is the model that answers when another is asked for.
func answered(model string) string {
	if model == "auto" {
		return "mock/small"
	}
	return model
}

func (b *Backend) answer(question string) string {
	for word, text := range b.Answers {
		if strings.Contains(question, word) {
			return text
		}
	}
	return b.Answer
}

// wait is the pace and the gate; false when the asker is gone.
func (b *Backend) wait(ctx context.Context) bool {
	if b.Gate != nil {
		select {
		case <-b.Gate:
		case <-ctx.Done():
			return false
		}
	}
	if b.Pace > 0 {
		timer := time.NewTimer(b.Pace)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// Do notes what was done. A fork is of the name of its session with _fork behind it, and a decision is given to Decided.
func (b *Backend) Do(ctx context.Context, a kit.Action) (kit.Session, error) {
	b.mu.Lock()
	b.done = append(b.done, a)
	err := b.Refuse
	b.mu.Unlock()
	switch a.Kind {
	case kit.Fork:
		return kit.Session{ID: a.SessionID + "_fork"}, err
	case kit.Approve, kit.Deny:
		if err == nil && b.Decided != nil {
			select {
			case b.Decided <- a.Kind == kit.Approve:
			case <-ctx.Done():
			}
		}
	}
	return kit.Session{}, err
}

// Done is what was done so far.
func (b *Backend) Done() []kit.Action {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]kit.Action(nil), b.done...)
}

// Sessions is List in pages of ten.
func (b *Backend) Sessions(_ context.Context, cursor string) (kit.SessionPage, error) {
	from := 0
	if cursor != "" {
		if _, err := fmt.Sscan(cursor, &from); err != nil {
			return kit.SessionPage{}, fmt.Errorf("cursor: %w", err)
		}
	}
	to := min(len(b.List), from+10)
	page := kit.SessionPage{Sessions: b.List[from:to]}
	if to < len(b.List) {
		page.Next = fmt.Sprint(to)
	}
	return page, nil
}

// Messages is the messages of a session in pages of fifty, the newest first.
func (b *Backend) Messages(_ context.Context, sessionID, cursor string) (kit.MessagePage, error) {
	all, ok := b.Said[sessionID]
	if !ok {
		return kit.MessagePage{}, errors.New("no such session")
	}
	to := len(all)
	if cursor != "" {
		if _, err := fmt.Sscan(cursor, &to); err != nil {
			return kit.MessagePage{}, fmt.Errorf("cursor: %w", err)
		}
	}
	from := max(0, to-50)
	page := kit.MessagePage{Messages: all[from:to]}
	if from > 0 {
		page.Next = fmt.Sprint(from)
	}
	return page, nil
}

// Models is Names.
func (b *Backend) Models(context.Context) ([]kit.Model, error) { return b.Names, nil }
