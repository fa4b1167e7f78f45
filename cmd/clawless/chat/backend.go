package chat

import (
	"context"
	"fmt"
	"iter"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/tui/kit"
)

// backend is the server as the terminal chat needs it, through the client.
type backend struct{ c *client.Client }

// Ask implements tui.Backend. A question without a session starts one, so that the conversation is kept.
func (b backend) Ask(ctx context.Context, ask kit.Ask) iter.Seq2[kit.Event, error] {
	return func(yield func(kit.Event, error) bool) {
		session := ask.SessionID
		if session == "" {
			s, err := b.c.CreateSession(ctx, sdk.CreateSessionRequest{})
			if err != nil {
				yield(kit.Event{}, err)
				return
			}
			session = s.ID
		}
		req := client.ChatRequest{Model: ask.Model, SessionID: session, Messages: []sdk.ChatMessage{{Role: "user", Content: sdk.Text(ask.Text)}}}
		if req.Model == "" {
			req.Model = defaultModel
		}
		for ev, err := range b.c.Chat(ctx, req) {
			if err != nil {
				yield(kit.Event{}, err)
				return
			}
			if e, ok := event(ev, session); ok && !yield(e, nil) {
				return
			}
		}
	}
}

// defaultModel is what the server calls the tenant's default.
const defaultModel = "default"

// event translates one step; those that the terminal does not show are left out.
func event(ev client.Event, session string) (kit.Event, bool) {
	switch e := ev.(type) {
	case client.Started:
		return kit.Event{Kind: kit.Started, RunID: e.RunID, SessionID: session, Model: e.Model}, true
	case client.TextDelta:
		return kit.Event{Kind: kit.Text, Text: e.Text}, true
	case client.RefusalDelta:
		return kit.Event{Kind: kit.Text, Text: e.Text}, true
	case client.ReasoningDelta:
		return kit.Event{Kind: kit.Thinking, Text: e.Text}, true
	case client.Reconnecting:
		return kit.Event{Kind: kit.Notice, Text: fmt.Sprintf("the connection was lost; taking the answer up again (try %d)", e.Attempt)}, true
	case client.Usage:
		return kit.Event{Kind: kit.Done, Usage: kit.Usage{Input: int(e.Input), Output: int(e.Output)}}, true
	}
	return kit.Event{}, false
}

// Cancel implements tui.Backend.
func (b backend) Cancel(ctx context.Context, runID string) error {
	_, err := b.c.Cancel(ctx, runID)
	return err
}

// Sessions implements tui.Backend.
func (b backend) Sessions(ctx context.Context, cursor string) (kit.SessionPage, error) {
	page, err := b.c.ListSessions(ctx, &sdk.ListSessionsParams{Limit: 50, Cursor: cursor})
	if err != nil {
		return kit.SessionPage{}, err
	}
	out := kit.SessionPage{Next: page.NextCursor}
	for _, s := range page.Data {
		out.Sessions = append(out.Sessions, kit.Session{ID: s.ID, Title: s.Title, Model: s.Model, Messages: int(s.MessageCount), UpdatedAt: s.UpdatedAt})
	}
	return out, nil
}

// Messages implements tui.Backend: pages go from the newest back, each in order within itself.
func (b backend) Messages(ctx context.Context, sessionID, cursor string) (kit.MessagePage, error) {
	page, err := b.c.ListMessages(ctx, sessionID, &sdk.ListMessagesParams{Limit: 50, Cursor: cursor, Order: "desc"})
	if err != nil {
		return kit.MessagePage{}, err
	}
	out := kit.MessagePage{Next: page.NextCursor, Messages: make([]kit.Message, len(page.Data))}
	for i, m := range page.Data {
		out.Messages[len(page.Data)-1-i] = kit.Message{Role: string(m.Role), Text: m.Content.String()}
	}
	return out, nil
}

// Models implements tui.Backend.
func (b backend) Models(ctx context.Context) ([]kit.Model, error) {
	list, err := b.c.ListModels(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]kit.Model, len(list.Data))
	for i, m := range list.Data {
		out[i] = kit.Model{ID: m.ID, Note: m.OwnedBy}
	}
	return out, nil
}
