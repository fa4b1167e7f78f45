package responses

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

// Routes serves OpenAI's Responses API.
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
	askOut struct{ Body func(huma.Context) }
)

// Register adds the operation.
func (r Routes) Register(a *api.API) {
	a.Schema(ResponsesEvent{}, "ResponsesEvent") // named by the stream's x-event-schema. Our own SDK reads x-sse-event, streams that end with [DONE], and this one does not
	op := api.Dialect(huma.Operation{OperationID: "create-response", Method: "POST", Path: "/v1/responses", Summary: "Ask for an answer in the Responses dialect", Tags: []string{"chat"},
		SkipValidateBody: true, // Read is more liberal than a schema and says more
		Description: "OpenAI's Responses API for clients that speak only that. Answers are not kept: store is always false in the answer, and a conversation goes on in a session " +
			"(header Clawless-Session) or with its items in input. A session's turn is a run: its id is in the Clawless-Run-Id header. A failure after the first event is response.failed, then error.",
		Responses: map[string]*huma.Response{"200": {Description: "A response, or its events when stream is true.", Content: map[string]*huma.MediaType{
			"application/json":  {Schema: a.Schema(ResponsesAnswer{}, "ResponsesAnswer")},
			"text/event-stream": {Schema: &huma.Schema{Type: "string", Extensions: map[string]any{"x-event-schema": "ResponsesEvent"}}}}}}})
	api.Handle(a, api.KeyWith(auth.ScopeChat), op, r.ask)
	a.BodySchema(op, ResponsesRequest{}, "ResponsesRequest")
}

func (r Routes) ask(ctx context.Context, in *askIn) (*askOut, error) {
	req, echo, err := Read(in.RawBody)
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
			out.Beat(sse.BeatEvery, func() []byte { return nil }) // the dialect has no event for it; this rests the deadline of a stream that says nothing
			stream(ctx, out, echo, reply.Answer, reply.Input, reply.Chunks())
		}}, nil
	}
	defer reply.Close()
	body := NewWriter(reply.Answer, echo, nil)
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
func stream(ctx context.Context, w *sse.Writer, echo *Echo, a *dialect.Answer, input int64, chunks iter.Seq2[llm.Chunk, error]) {
	var gone error
	events := NewWriter(a, echo, func(name string, data []byte) {
		if gone == nil {
			gone = w.Event(name, data)
		}
	})
	for chunk, err := range chunks {
		if err != nil {
			api.Spoil(ctx)
			events.Fail(err, a, api.RequestID(ctx))
			return
		}
		events.Add(chunk)
		if gone != nil {
			return
		}
	}
	events.End(a, input)
}

// Schema implements huma.SchemaProvider: an answer without an error has null there.
func (ResponsesError) Schema(huma.Registry) *huma.Schema {
	return object("Why the answer broke off; null when it did not", "code", "message")
}

// Schema implements huma.SchemaProvider: an answer that is complete has null there.
func (ResponsesIncomplete) Schema(huma.Registry) *huma.Schema {
	return object("Why the answer is cut; null when it is whole", "reason")
}

// object is the schema of an object of strings that may be null.
func object(what string, fields ...string) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, Nullable: true, Description: what, Properties: map[string]*huma.Schema{}, Required: fields}
	for _, f := range fields {
		s.Properties[f] = &huma.Schema{Type: huma.TypeString}
	}
	return s
}
