package chat

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli/answer"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/tui/kit"
)

// backend is the server as the terminal chat needs it, through the client.
type backend struct {
	c        *client.Client
	fallback any // of every request
}

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
		req := client.ChatRequest{Model: ask.Model, SessionID: session, Fallback: b.fallback, Messages: []sdk.ChatMessage{{Role: "user", Content: sdk.Text(ask.Text)}}}
		if ask.Again || ask.Edit {
			id, err := b.question(ctx, session)
			if err != nil {
				yield(kit.Event{}, err)
				return
			}
			if req.Edit = id; ask.Again {
				req.Regenerate, req.Edit, req.Messages = id, "", nil
			}
		}
		if req.Model == "" {
			req.Model = defaultModel
		}
		if ask.Thinking != "" {
			req.Thinking = &ask.Thinking
		}
		var end client.Finish
		for ev, err := range b.c.Chat(ctx, req) {
			if err != nil {
				yield(kit.Event{}, err)
				return
			}
			if f, ok := ev.(client.Finish); ok {
				end = f
			}
			if e, ok := event(ev, session, end); ok && !yield(e, nil) {
				return
			}
		}
	}
}

// What the server calls the tenant's default, and the choice by the question.
const (
	defaultModel = "default"
	autoModel    = "auto"
)

// event translates one step, given the end of the answer when it has come; those that the terminal does not show are left out.
func event(ev client.Event, session string, end client.Finish) (kit.Event, bool) {
	switch e := ev.(type) {
	case client.Started:
		return kit.Event{Kind: kit.Started, RunID: e.RunID, SessionID: session, Model: e.Model}, true
	case client.TextDelta:
		return kit.Event{Kind: kit.Text, Text: e.Text}, true
	case client.RefusalDelta:
		return kit.Event{Kind: kit.Text, Text: e.Text}, true
	case client.ReasoningDelta:
		return kit.Event{Kind: kit.Thinking, Text: e.Text}, true
	case client.ToolUse:
		return kit.Event{Kind: kit.Tool, Call: answer.Call(e)}, true
	case client.Reconnecting:
		return kit.Event{Kind: kit.Notice, Text: fmt.Sprintf("the connection was lost; taking the answer up again (try %d)", e.Attempt)}, true
	case client.Usage:
		done := kit.Event{Kind: kit.Done, Model: end.Model, Usage: kit.Usage{Input: int(e.Input), Output: int(e.Output)}, Cost: cost(end.Receipt)}
		if end.Receipt != nil {
			done.Receipt = told(end.Receipt)
		}
		return done, true
	}
	return kit.Event{}, false
}

// question is the id of the newest message of the user that the session's model still sees.
func (b backend) question(ctx context.Context, session string) (string, error) {
	s, err := b.c.GetSession(ctx, session)
	if err != nil {
		return "", err
	}
	for m, err := range b.c.ListMessagesAll(ctx, session, &sdk.ListMessagesParams{Limit: 50, Order: "desc", Epoch: s.Epoch}) {
		if err != nil {
			return "", err
		}
		if m.Role == sdk.MessageRoleUser {
			return m.ID, nil
		}
	}
	return "", errors.New("the conversation has no message of yours since it was reset")
}

// Do implements tui.Backend.
func (b backend) Do(ctx context.Context, a kit.Action) (kit.Session, error) {
	var err error
	switch a.Kind {
	case kit.Stop:
		_, err = b.c.Cancel(ctx, a.RunID)
	case kit.Approve, kit.Deny:
		_, err = b.c.Approve(ctx, a.RunID, a.ApprovalID, a.Kind == kit.Approve)
	case kit.Reset:
		_, err = b.c.ResetSession(ctx, a.SessionID, sdk.ResetSessionRequest{})
	case kit.Undo:
		_, err = b.c.UndoSession(ctx, a.SessionID)
	case kit.Fork:
		s, err := b.c.ForkSession(ctx, a.SessionID, sdk.ForkSessionRequest{})
		if err != nil {
			return kit.Session{}, err
		}
		return kit.Session{ID: s.ID, Title: s.Title, Model: s.Model}, nil
	}
	return kit.Session{}, err
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

// Models implements tui.Backend: the names that stand for a model, then the models.
func (b backend) Models(ctx context.Context) ([]kit.Model, error) {
	list, err := b.c.ListModels(ctx)
	if err != nil {
		return nil, err
	}
	out := []kit.Model{{ID: autoModel, Note: "the server chooses for each question"}, {ID: defaultModel, Note: "the session's or the tenant's"}}
	for _, m := range list.Data {
		if m.ID != autoModel && m.ID != defaultModel {
			out = append(out, kit.Model{ID: m.ID, Note: m.OwnedBy})
		}
	}
	return out, nil
}
