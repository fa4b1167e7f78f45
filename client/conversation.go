package client

import (
	"context"
	"iter"
	"sync"

	"github.com/clawless/clawless/sdk"
)

// ConversationOptions say how a conversation begins. All may be left out.
type ConversationOptions struct {
	SessionID    string // goes on with this session; of the other fields those are then used that are sent with every turn
	Title        string // empty takes the first words of the first message
	SystemPrompt string // empty takes the tenant's
	User         string // your id of the end user
	Metadata     map[string]string

	// These are sent with every turn whose request does not say otherwise. A new session keeps Model and Thinking for its later turns.
	Model          string   // provider/model, or auto to have one chosen for each turn; empty takes the session's, else the tenant's default
	Thinking       string   // off, minimal, low, medium or high; empty takes the session's, else the tenant's
	Fallback       bool     // another model may answer when the chosen one fails: one of its class, or of the tenant's list
	FallbackModels []string // the models that may, in order, before those; they imply Fallback
}

// Conversation is a session that is made when it is first needed. Its turns come one after another; the server makes a second one wait for the first.
type Conversation struct {
	client *Client
	opts   ConversationOptions

	mu sync.Mutex
	id string
}

// NewConversation makes a conversation. It sends nothing.
func (c *Client) NewConversation(o ConversationOptions) *Conversation {
	return &Conversation{client: c, opts: o, id: o.SessionID}
}

// SessionID is the session's id; empty while there is none.
func (v *Conversation) SessionID() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.id
}

// Ask sends a text and gives out the answer, as Chat does.
func (v *Conversation) Ask(ctx context.Context, text string) iter.Seq2[Event, error] {
	return v.Send(ctx, ChatRequest{Messages: []sdk.ChatMessage{{Role: sdk.MessageRoleUser, Content: sdk.Text(text)}}})
}

// Send is Ask for more than a text, such as the results of tools; the request's SessionID is set here, and what it leaves out is taken from the options.
func (v *Conversation) Send(ctx context.Context, req ChatRequest) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		id, err := v.open(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		req.SessionID = id
		v.complete(&req)
		v.client.Chat(ctx, req)(yield)
	}
}

// Regenerate has a message answered again, the user's or the answer to it; the answers it has stay, beside the new one, which the conversation goes on with.
func (v *Conversation) Regenerate(ctx context.Context, messageID string) iter.Seq2[Event, error] {
	return v.Send(ctx, ChatRequest{Regenerate: messageID})
}

// Edit puts a text in the place of a message of the user and has it answered. What followed the old one stays readable.
func (v *Conversation) Edit(ctx context.Context, messageID, text string) iter.Seq2[Event, error] {
	return v.Send(ctx, ChatRequest{Edit: messageID, Messages: []sdk.ChatMessage{{Role: sdk.MessageRoleUser, Content: sdk.Text(text)}}})
}

// complete puts into a request what it leaves to the conversation.
func (v *Conversation) complete(req *ChatRequest) {
	o := v.opts
	if req.Model == "" {
		req.Model = o.Model
	}
	if req.Model == "" {
		req.Model = "default" // which a session takes for its own
	}
	if o.Thinking != "" && req.Thinking == nil && req.ReasoningEffort == nil {
		req.Thinking = &o.Thinking
	}
	if req.Fallback == nil {
		req.Fallback = AllowFallback(o.Fallback, o.FallbackModels...)
	}
}

// AllowFallback is the Fallback of a ChatRequest: nil, which is no, unless another model is allowed or some are named.
func AllowFallback(allowed bool, models ...string) any {
	switch {
	case len(models) > 0:
		return models
	case allowed:
		return true
	}
	return nil
}

// open makes the session once.
func (v *Conversation) open(ctx context.Context) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.id != "" {
		return v.id, nil
	}
	o := v.opts
	s, err := v.client.CreateSession(ctx, sdk.CreateSessionRequest{Title: o.Title, Model: o.Model, Thinking: o.Thinking, SystemPrompt: o.SystemPrompt, User: o.User, Metadata: o.Metadata})
	if err != nil {
		return "", err
	}
	v.id = s.ID
	return v.id, nil
}

// History goes over the conversation's messages, oldest first; there are none before the session is made.
func (v *Conversation) History(ctx context.Context) iter.Seq2[sdk.Message, error] {
	id := v.SessionID()
	if id == "" {
		return func(func(sdk.Message, error) bool) {}
	}
	return v.client.ListMessagesAll(ctx, id, nil)
}

// Reset starts over with an empty context; the messages stay readable. Without a session there is nothing to do.
func (v *Conversation) Reset(ctx context.Context) error {
	id := v.SessionID()
	if id == "" {
		return nil
	}
	_, err := v.client.ResetSession(ctx, id, sdk.ResetSessionRequest{})
	return err
}

// Undo takes the last Reset back. Without a session, or without a reset, it is an error.
func (v *Conversation) Undo(ctx context.Context) error {
	_, err := v.client.UndoSession(ctx, v.SessionID())
	return err
}

// Fork makes a conversation that goes on where this one is now, with the same options; this one stays as it is. Without a session it is a new conversation.
func (v *Conversation) Fork(ctx context.Context) (*Conversation, error) {
	o := v.opts
	o.SessionID = v.SessionID()
	if o.SessionID != "" {
		s, err := v.client.ForkSession(ctx, o.SessionID, sdk.ForkSessionRequest{})
		if err != nil {
			return nil, err
		}
		o.SessionID = s.ID
	}
	return v.client.NewConversation(o), nil
}
