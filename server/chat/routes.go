package chat

import (
	"context"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sse"
)

// ChatRequest documents the body of a chat call. Fields that are not listed are ignored; null is the same as absent.
type ChatRequest struct {
	Model               string           `json:"model" doc:"provider/model, a name from GET /v1/models, or default for the tenant's default"`
	Messages            []ChatMessage    `json:"messages" doc:"With session_id only what is new"`
	SessionID           string           `json:"session_id,omitempty" doc:"Continues this session; without it the call is stateless"`
	Stream              bool             `json:"stream,omitempty" doc:"Answer as server-sent events"`
	StreamOptions       *StreamOptions   `json:"stream_options,omitempty"`
	Tools               []llm.Tool       `json:"tools,omitempty" doc:"Functions that the caller will execute"`
	ToolChoice          *json.RawMessage `json:"tool_choice,omitempty" doc:"none, auto, required, or an object naming a function"`
	ParallelToolCalls   *bool            `json:"parallel_tool_calls,omitempty"`
	MaxTokens           *int64           `json:"max_tokens,omitempty"`
	MaxCompletionTokens *int64           `json:"max_completion_tokens,omitempty"`
	Temperature         *float64         `json:"temperature,omitempty"`
	TopP                *float64         `json:"top_p,omitempty"`
	Stop                *json.RawMessage `json:"stop,omitempty" doc:"A string or a list of strings"`
	Seed                *int64           `json:"seed,omitempty"`
	PresencePenalty     *float64         `json:"presence_penalty,omitempty"`
	FrequencyPenalty    *float64         `json:"frequency_penalty,omitempty"`
	LogitBias           *json.RawMessage `json:"logit_bias,omitempty"`
	Logprobs            *bool            `json:"logprobs,omitempty"`
	TopLogprobs         *int64           `json:"top_logprobs,omitempty"`
	ReasoningEffort     *string          `json:"reasoning_effort,omitempty"`
	ResponseFormat      *json.RawMessage `json:"response_format,omitempty"`
	User                string           `json:"user,omitempty" doc:"Your id of the end user, for the ledger"`
}

// StreamOptions are the options of a streamed answer.
type StreamOptions struct {
	IncludeUsage bool `json:"include_usage,omitempty" doc:"Send one more chunk with the tokens used"`
}

// ChatMessage is one message of a request.
type ChatMessage struct {
	Role       string         `json:"role" enum:"system,developer,user,assistant,tool"`
	Content    api.Content    `json:"content,omitempty"`
	Name       string         `json:"name,omitempty"`
	ToolCalls  []llm.ToolCall `json:"tool_calls,omitempty"`
	ToolCallID string         `json:"tool_call_id,omitempty"`
}

// ChatCompletion is a whole answer.
type ChatCompletion struct {
	ID       string          `json:"id"`
	Object   string          `json:"object" enum:"chat.completion"`
	Created  int64           `json:"created" doc:"Unix seconds"`
	Model    string          `json:"model" doc:"provider/model that answered"`
	Choices  []ChatChoice    `json:"choices" nullable:"false"`
	Usage    CompletionUsage `json:"usage"`
	Clawless *Receipt        `json:"clawless,omitempty"`
}

// ChatChoice is the one choice of an answer.
type ChatChoice struct {
	Index        int             `json:"index"`
	Message      ChatAnswer      `json:"message"`
	Logprobs     json.RawMessage `json:"logprobs"`
	FinishReason string          `json:"finish_reason" enum:"stop,length,tool_calls,content_filter"`
}

// ChatAnswer is what the assistant said.
type ChatAnswer struct {
	Role      string         `json:"role" enum:"assistant"`
	Content   *string        `json:"content" doc:"null when there are only tool calls"`
	Refusal   *string        `json:"refusal"`
	Reasoning string         `json:"reasoning_content,omitempty"`
	ToolCalls []llm.ToolCall `json:"tool_calls,omitempty"`
}

// CompletionUsage counts tokens in OpenAI's words.
type CompletionUsage struct {
	PromptTokens     int64              `json:"prompt_tokens"`
	CompletionTokens int64              `json:"completion_tokens"`
	TotalTokens      int64              `json:"total_tokens"`
	PromptDetails    *PromptDetails     `json:"prompt_tokens_details,omitempty"`
	CompletionDetail *CompletionDetails `json:"completion_tokens_details,omitempty"`
}

// PromptDetails splits the prompt's tokens.
type PromptDetails struct {
	CachedTokens int64 `json:"cached_tokens"`
}

// CompletionDetails splits the answer's tokens.
type CompletionDetails struct {
	ReasoningTokens int64 `json:"reasoning_tokens"`
}

// Receipt says where an answer belongs and which model gave it.
type Receipt struct {
	Model     string `json:"model"`
	SessionID string `json:"session_id,omitempty"`
	RunID     string `json:"run_id,omitempty"`
}

// ChatChunk is one event of a streamed answer.
type ChatChunk struct {
	ID       string            `json:"id"`
	Object   string            `json:"object" enum:"chat.completion.chunk"`
	Created  int64             `json:"created"`
	Model    string            `json:"model"`
	Choices  []ChatChunkChoice `json:"choices" nullable:"false" doc:"Empty on the usage chunk only"`
	Usage    *CompletionUsage  `json:"usage,omitempty"`
	Clawless *Receipt          `json:"clawless,omitempty" doc:"On the chunk with the finish_reason"`
}

// ChatChunkChoice is a step of the one choice.
type ChatChunkChoice struct {
	Index        int       `json:"index"`
	Delta        ChatDelta `json:"delta"`
	FinishReason *string   `json:"finish_reason"`
}

// ChatDelta is what a step adds.
type ChatDelta struct {
	Role      string          `json:"role,omitempty"`
	Content   string          `json:"content,omitempty"`
	Refusal   string          `json:"refusal,omitempty"`
	Reasoning string          `json:"reasoning_content,omitempty"`
	ToolCalls []ChatCallDelta `json:"tool_calls,omitempty"`
}

// ChatCallDelta is a fragment of a tool call.
type ChatCallDelta struct {
	Index    int                   `json:"index"`
	ID       string                `json:"id,omitempty"`
	Type     string                `json:"type,omitempty"`
	Function *llm.ToolCallFunction `json:"function,omitempty"`
}

func usageBody(u llm.Usage) CompletionUsage {
	b := CompletionUsage{PromptTokens: u.Input, CompletionTokens: u.Output, TotalTokens: u.Total()}
	if u.Cached > 0 {
		b.PromptDetails = &PromptDetails{u.Cached}
	}
	if u.Reasoning > 0 {
		b.CompletionDetail = &CompletionDetails{u.Reasoning}
	}
	return b
}

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
	a.Schema(ChatChunk{}, "ChatChunk") // named by the stream's x-sse-event
	op := huma.Operation{OperationID: "create-chat-completion", Method: "POST", Path: "/v1/chat/completions", Summary: "Ask for an answer", Tags: []string{"chat"},
		SkipValidateBody: true, // parse is more liberal than a schema and says more
		Description:      "OpenAI's chat completions, plus session_id. A session's turn is a run: its id is in the Clawless-Run-Id header, and it goes on when this connection ends.",
		Responses: map[string]*huma.Response{"200": {Description: "A completion, or its chunks when stream is true.", Content: map[string]*huma.MediaType{
			"application/json":  {Schema: a.Schema(ChatCompletion{}, "ChatCompletion")},
			"text/event-stream": {Schema: &huma.Schema{Type: "string", Extensions: map[string]any{"x-sse-event": "ChatChunk"}}}}}}}
	api.Handle(a, api.KeyOrVisitor(auth.ScopeChat), api.Dialect(op), r.create)
	a.BodySchema(op, ChatRequest{}, "ChatRequest")
}

func (r Routes) create(ctx context.Context, in *chatIn) (*chatOut, error) {
	req, err := parse(in.RawBody)
	if err != nil {
		return nil, err
	}
	if req.sessionID == "" {
		req.sessionID = in.Session
	}
	if req.sessionID != "" {
		return r.session(ctx, req, in.EventIDs == "1")
	}
	k, err := r.Chat.stateless(ctx, req)
	if err != nil {
		return nil, err
	}
	if !req.stream {
		body, err := r.Chat.complete(ctx, k)
		return jsonOut(body), err
	}
	o, err := r.Chat.open(ctx, k)
	if err != nil {
		return nil, err
	}
	return &chatOut{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		defer o.stop()
		out := sse.Start(w, r.Chat.opts.WriteTimeout)
		pump(out, k, o, req.includeUsage)
	}}, nil
}

// pump writes a stateless answer's frames until it ends or the reader is gone; leaving cancels the provider.
func pump(out *sse.Writer, k *call, o *opened, includeUsage bool) {
	var failed error
	write := func(b []byte) {
		if failed == nil {
			failed = out.Data(0, b)
		}
	}
	k.answer.frames(o.first, write)
	for failed == nil {
		chunk, err, ok := o.next()
		if err != nil {
			write(api.ErrorJSON(err, k.requestID))
			return
		}
		if !ok {
			break
		}
		k.answer.frames(chunk, write)
	}
	if includeUsage {
		write(k.answer.usageFrame(k.prompt))
	}
	write([]byte("[DONE]"))
}

// session answers from a run's log: a new turn's, or that of the run to which a repeated request is attached.
func (r Routes) session(ctx context.Context, req *request, withIDs bool) (*chatOut, error) {
	live, err := r.attach(ctx)
	if err == nil && live == nil {
		live, err = r.Chat.turn(ctx, req)
	}
	if err != nil {
		return nil, err
	}
	if !req.stream {
		return r.whole(ctx, live)
	}
	first, err := live.Log.First(ctx)
	if err != nil {
		return nil, err
	}
	if first.Kind == runs.Failure {
		return nil, first.Err
	}
	return &chatOut{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		w.Header().Set("Clawless-Run-Id", live.Run.ID)
		runs.Follow(ctx, w, live, 0, r.Chat.opts.WriteTimeout, withIDs, req.includeUsage)
	}}, nil
}

// attach finds the run that an earlier request with the same Idempotency-Key started; nil when there is none.
func (r Routes) attach(ctx context.Context) (*runs.Live, error) {
	id := api.AttachedRun(ctx)
	if id == "" {
		return nil, nil
	}
	p := auth.From(ctx)
	if live, ok := r.Chat.hub.Get(p.TenantID, p.VisitorID, id); ok {
		return live, nil
	}
	return nil, fault.New(fault.RunExpired, "this request was carried out as the run %s, whose events are no longer kept; read the session's messages", id)
}

// whole waits for the run's end and returns its answer as one body.
func (r Routes) whole(ctx context.Context, live *runs.Live) (*chatOut, error) {
	for e, err := range live.Log.Read(ctx, 0) {
		switch {
		case err != nil:
			return nil, err
		case e.Kind == runs.Failure:
			return nil, e.Err
		case e.Kind == runs.Answer:
			return &chatOut{Body: func(hc huma.Context) {
				hc.SetHeader("Clawless-Run-Id", live.Run.ID)
				hc.SetHeader("Content-Type", "application/json")
				hc.SetStatus(200)
				_, _ = hc.BodyWriter().Write(e.Data)
			}}, nil
		}
	}
	return nil, fault.New(fault.Internal, "the run ended without an answer; quote the request id to the operator")
}

func jsonOut(body ChatCompletion) *chatOut {
	return &chatOut{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/json")
		hc.SetStatus(200)
		enc := json.NewEncoder(hc.BodyWriter())
		enc.SetEscapeHTML(false)
		_ = enc.Encode(body) // the connection is the only thing that can fail here
	}}
}
