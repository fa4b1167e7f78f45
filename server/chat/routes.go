package chat

import (
	"context"
	"encoding/json"
	"github.com/clawless/clawless/server/chat/engine"
	"net/http"
	"sync/atomic"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sse"
)

// Routes serves the chat endpoint.
type Routes struct{ Chat *Chat }

type (
	chatIn struct {
		api.Idempotent
		Session  string `header:"Clawless-Session" maxLength:"64" doc:"The same as session_id in the body"`
		EventIDs string `header:"Clawless-Event-Ids" maxLength:"8" doc:"1 adds an id line to each event of a session's turn"`
		RawBody  []byte `contentType:"application/json"`
	}
	chatOut struct{ Body func(huma.Context) }
)

// Register adds the operation.
func (r Routes) Register(a *api.API) {
	a.Schema(dialect.ChatChunk{}, "ChatChunk") // named by the stream's x-sse-event
	op := huma.Operation{OperationID: "create-chat-completion", Method: "POST", Path: "/v1/chat/completions", Summary: "Ask for an answer", Tags: []string{"chat"},
		SkipValidateBody: true, // Read is more liberal than a schema and says more
		Description:      "OpenAI's chat completions, plus session_id. A session's turn is a run: its id is in the Clawless-Run-Id header, and it goes on when this connection ends.",
		Responses: map[string]*huma.Response{"200": {Description: "A completion, or its chunks when stream is true.", Content: map[string]*huma.MediaType{
			"application/json":  {Schema: a.Schema(dialect.ChatCompletion{}, "ChatCompletion")},
			"text/event-stream": {Schema: &huma.Schema{Type: "string", Extensions: map[string]any{"x-sse-event": "ChatChunk"}}}}}}}
	api.Handle(a, api.KeyOrVisitor(auth.ScopeChat), api.Dialect(op), r.create)
	a.BodySchema(op, dialect.ChatRequest{}, "ChatRequest")
}

func (r Routes) create(ctx context.Context, in *chatIn) (*chatOut, error) {
	req, err := dialect.Read(in.RawBody)
	if err != nil {
		return nil, err
	}
	if req.SessionID == "" {
		req.SessionID = in.Session
	}
	if req.SessionID != "" {
		return r.session(ctx, req, in.EventIDs == "1")
	}
	f, err := r.Chat.stateless(ctx, req)
	if err != nil {
		return nil, err
	}
	if !req.Stream {
		body, err := r.Chat.complete(ctx, f)
		if err != nil {
			return nil, err
		}
		return jsonOut(body), nil
	}
	o, err := r.Chat.open(ctx, f)
	if err != nil {
		return nil, err
	}
	return &chatOut{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		defer o.stop()
		pump(ctx, sse.Start(w, r.Chat.opts.WriteTimeout), f.Call, o, req.IncludeUsage)
	}}, nil
}

// pump writes a stateless answer's frames until it ends or the reader is gone; leaving cancels the provider.
func pump(ctx context.Context, out *sse.Writer, k *engine.Call, o *opened, includeUsage bool) {
	var failed error
	var newest atomic.Pointer[[]byte]
	write := func(b []byte) {
		if failed == nil {
			failed = out.Data(0, b)
			newest.Store(&b)
		}
	}
	waiting := k.Answer.BeatFrame()
	defer out.Close()
	out.Beat(sse.BeatEvery, func() []byte {
		if b := newest.Load(); b != nil {
			return runs.BeatOf(*b)
		}
		return waiting
	})
	for failed == nil {
		chunk, err, ok := o.next()
		if err != nil {
			api.Spoil(ctx)
			write(api.ErrorJSON(err, k.RequestID))
			return
		}
		if !ok {
			break
		}
		k.Answer.Frames(chunk, write)
	}
	if includeUsage {
		write(k.Answer.UsageFrame(k.Input()))
	}
	write([]byte("[DONE]"))
}

// session answers from a run's log: a new turn's, or that of the run to which a repeated request is attached.
func (r Routes) session(ctx context.Context, req *dialect.Request, withIDs bool) (*chatOut, error) {
	live, err := r.Chat.Attach(ctx)
	if err == nil && live == nil {
		live, err = r.Chat.Start(ctx, req)
	}
	if err != nil {
		return nil, err
	}
	api.SetHeader(ctx, "Clawless-Run-Id", live.Run.ID)
	if !req.Stream {
		return whole(ctx, live)
	}
	if err := r.Chat.begun(ctx, live); err != nil {
		return nil, err
	}
	return &chatOut{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		runs.Follow(ctx, w, live, 0, r.Chat.opts.WriteTimeout, withIDs, req.IncludeUsage)
	}}, nil
}

// begun waits for a run's first event, whose failure keeps its own status, but not until readers and proxies take the silence for an end.
func (c *Chat) begun(ctx context.Context, live *runs.Live) error {
	wait, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	first, err := live.Log.First(wait)
	switch {
	case err != nil && ctx.Err() == nil && wait.Err() != nil:
		return nil
	case err != nil:
		return err
	case first.Kind == runs.Failure:
		return first.Err
	}
	nameModel(ctx, first)
	return nil
}

// whole waits for the run's end and returns its answer as one body.
func whole(ctx context.Context, live *runs.Live) (*chatOut, error) {
	for e, err := range live.Log.Read(ctx, 0) {
		switch {
		case err != nil:
			return nil, err
		case e.Kind == runs.Failure:
			return nil, e.Err
		case e.Kind == runs.Answer:
			tell(ctx, e.Data)
			return jsonOut(json.RawMessage(e.Data)), nil
		}
	}
	return nil, fault.New(fault.Internal, "the run ended without an answer; quote the request id to the operator")
}

// nameModel says in a header which model began to answer.
func nameModel(ctx context.Context, first runs.Event) {
	var frame struct {
		Model string `json:"model"`
	}
	if json.Unmarshal(first.Data, &frame) == nil && frame.Model != "" && auth.From(ctx).Kind != auth.Visitor {
		api.SetHeader(ctx, "Clawless-Model", frame.Model)
	}
}

// tell repeats a finished run's receipt in the headers.
func tell(ctx context.Context, answer []byte) {
	var body struct {
		Clawless dialect.Receipt `json:"clawless"`
	}
	if json.Unmarshal(answer, &body) == nil && body.Clawless.Route != nil {
		api.SetHeader(ctx, "Clawless-Model", body.Clawless.Model)
		api.SetHeader(ctx, "Clawless-Route", body.Clawless.Route.Reason)
		engine.CostHeaders(ctx, body.Clawless)
	}
}

func jsonOut(body any) *chatOut {
	return &chatOut{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/json")
		hc.SetStatus(http.StatusOK)
		enc := json.NewEncoder(hc.BodyWriter())
		enc.SetEscapeHTML(false)
		_ = enc.Encode(body) // the connection is the only thing that can fail here
	}}
}
