package messages

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sse"
)

// Core answers questions of any dialect; chat.Chat is one.
type Core interface {
	Ask(ctx context.Context, r *dialect.Request) (*chat.Reply, error)
}

// Routes serves Anthropic's Messages API.
type Routes struct {
	Core         Core
	WriteTimeout time.Duration // of one event to one reader; zero is no limit
}

type (
	askIn struct {
		api.Idempotent
		Session string `header:"Clawless-Session" maxLength:"64" doc:"Continues this session; without it the call is stateless"`
		RawBody []byte `contentType:"application/json"`
	}
	askOut  struct{ Body func(huma.Context) }
	countIn struct {
		RawBody []byte `contentType:"application/json"`
	}
	countOut struct{ Body AnthropicCount }
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	failure := &huma.Response{Description: "A failure in Anthropic's form.", Content: map[string]*huma.MediaType{"application/json": {Schema: a.Schema(api.AnthropicError{}, "AnthropicError")}}}
	a.Schema(AnthropicEvent{}, "AnthropicEvent") // named by the stream's x-event-schema. Our own SDK reads x-sse-event, streams that end with [DONE], and this one does not
	ask := api.Anthropic(huma.Operation{OperationID: "create-message", Method: "POST", Path: "/v1/messages", Summary: "Ask for an answer in Anthropic's dialect", Tags: []string{"chat"},
		SkipValidateBody: true, // Read is more liberal than a schema and says more
		Description: "Anthropic's Messages API for clients that speak only that. The key may also come in the header x-api-key; anthropic-version and anthropic-beta are ignored. " +
			"A session's turn is a run: its id is in the Clawless-Run-Id header. Events have an event line; a failure after the first is the event error and the end.",
		Responses: map[string]*huma.Response{"default": failure, "200": {Description: "A message, or its events when stream is true.", Content: map[string]*huma.MediaType{
			"application/json":  {Schema: a.Schema(AnthropicAnswer{}, "AnthropicAnswer")},
			"text/event-stream": {Schema: &huma.Schema{Type: "string", Extensions: map[string]any{"x-event-schema": "AnthropicEvent"}}}}}}})
	api.Handle(a, api.KeyWith(auth.ScopeChat), ask, r.ask)
	a.BodySchema(ask, AnthropicRequest{}, "AnthropicRequest")
	count := api.Anthropic(huma.Operation{OperationID: "count-message-tokens", Method: "POST", Path: "/v1/messages/count_tokens", Summary: "Estimate how many tokens a prompt has", Tags: []string{"chat"},
		SkipValidateBody: true, Responses: map[string]*huma.Response{"default": failure},
		Description: "The same body as for an answer. No provider is asked: the estimate is made here, without the instructions that the tenant or a session adds."})
	api.Handle(a, api.KeyWith(auth.ScopeChat), count, r.count)
	a.BodySchema(count, AnthropicRequest{}, "AnthropicRequest")
}

func (r Routes) count(_ context.Context, in *countIn) (*countOut, error) {
	req, err := Read(in.RawBody)
	if err != nil {
		return nil, err
	}
	size := dialect.Prompt(req.Messages, req.Tools)
	size.AddParams(req.Params)
	return &countOut{AnthropicCount{InputTokens: size.Tokens()}}, nil
}

func (r Routes) ask(ctx context.Context, in *askIn) (*askOut, error) {
	req, err := Read(in.RawBody)
	if err != nil {
		return nil, err
	}
	req.SessionID = in.Session
	reply, err := r.Core.Ask(ctx, req)
	if err != nil {
		return nil, err
	}
	if reply.RunID != "" {
		api.SetHeader(ctx, "Clawless-Run-Id", reply.RunID)
	}
	if req.Stream {
		return &askOut{Body: func(hc huma.Context) {
			defer reply.Close()
			_, w := humago.Unwrap(hc)
			out := sse.Start(w, r.WriteTimeout)
			defer out.Close()
			out.BeatEvent(sse.BeatEvery, "ping", func() []byte { return []byte(`{"type":"ping"}`) })
			stream(ctx, out, reply.Answer, reply.Input, reply.Chunks())
		}}, nil
	}
	defer reply.Close()
	body := NewBody()
	for chunk, err := range reply.Chunks() {
		if err != nil {
			return nil, err
		}
		body.Add(chunk)
	}
	return &askOut{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/json")
		hc.SetStatus(http.StatusOK)
		enc := json.NewEncoder(hc.BodyWriter())
		enc.SetEscapeHTML(false)
		_ = enc.Encode(body.End(reply.Answer, reply.Input)) // the connection is the only thing that can fail here
	}}, nil
}

// stream writes the events of an answer until it ends or the reader is gone, which ends the range and with it the provider's call.
func stream(ctx context.Context, w *sse.Writer, a *dialect.Answer, input int64, chunks iter.Seq2[llm.Chunk, error]) {
	var gone error
	events := NewEvents(a, input, func(name string, data []byte) {
		if gone == nil {
			gone = w.Event(name, data)
		}
	})
	for chunk, err := range chunks {
		if err != nil {
			api.Spoil(ctx)
			_ = w.Event("error", api.AnthropicErrorJSON(err, api.RequestID(ctx))) // the last word; a reader that is gone misses nothing
			return
		}
		events.Add(chunk)
		if gone != nil {
			return
		}
	}
	events.End(a, input)
}
