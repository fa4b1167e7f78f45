package client

import (
	"context"
	"iter"
	"sync"

	"github.com/clawless/clawless/sdk"
)

// ConversationOptions say how a conversation begins. All may be left out.
type ConversationOptions struct {
	SessionID    string // goes on with this session; the other fields are then not used, but for Model
	Model        string // provider/model; empty takes the session's, else the tenant's default
	Title        string // empty takes the first words of the first message
	SystemPrompt string // empty takes the tenant's
	User         string // your id of the end user
	Metadata     map[string]string
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

// Send is Ask for more than a text, such as the results of tools; the request's SessionID is set here, and its Model when it is empty.
func (v *Conversation) Send(ctx context.Context, req ChatRequest) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		id, err := v.open(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		req.SessionID = id
		if req.Model == "" {
			req.Model = v.opts.Model
		}
		if req.Model == "" {
			req.Model = "default" // which a session takes for its own
		}
		v.client.Chat(ctx, req)(yield)
	}
}

// open makes the session once.
func (v *Conversation) open(ctx context.Context) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.id != "" {
		return v.id, nil
	}
	o := v.opts
	s, err := v.client.CreateSession(ctx, sdk.CreateSessionRequest{Title: o.Title, Model: o.Model, SystemPrompt: o.SystemPrompt, User: o.User, Metadata: o.Metadata})
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
	_, err := v.client.ResetSession(ctx, id)
	return err
}
