// Package openaichat speaks OpenAI's chat completions dialect, which most providers and local servers understand.
package openaichat

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
	"github.com/clawless/clawless/server/llm/wire/sse"
)

// Dialect is how a server differs from OpenAI's. The zero value is OpenAI's own.
type Dialect struct {
	NoDeveloper  bool // the server does not know the role developer; it becomes system
	OldMaxTokens bool // the server knows max_tokens and not max_completion_tokens
	NewMaxTokens bool // the server's newer models know max_completion_tokens only; max_tokens becomes it
	PlainContent bool // the server wants content to be a string: lists of text parts are joined, and null becomes ""
	// Prepare looks at a request before it is sent. It returns the request, or a copy with what the server needs, or the error of one that the server would not
	// honour. Nil for none.
	Prepare func(*llm.Request) (*llm.Request, *llm.Error)
	// Think writes an effort as the JSON members that ask the model for it, such as `"reasoning_effort":"low"`, nothing where the model does so anyway, or the error
	// of a level that it does not have. It is not asked for the empty effort. Nil for OpenAI's own words.
	Think func(model string, e llm.Effort) (string, *llm.Error)
	// Schema is the answer to llm.Abilities. Nil where every answer can be held to its format.
	Schema func(*llm.Request) bool
}

// Client is a provider that speaks the dialect. It is safe for concurrent use.
type Client struct {
	e *wire.Endpoint
	d Dialect
}

// New makes a client of the endpoint.
func New(e *wire.Endpoint, d Dialect) *Client { return &Client{e: e, d: d} }

// Name is the provider's name in model ids.
func (c *Client) Name() string { return c.e.Provider }

// NativeSchema implements llm.Abilities.
func (c *Client) NativeSchema(req *llm.Request) bool { return c.d.Schema == nil || c.d.Schema(req) }

// Stream makes the call and yields its answer as llm.Provider promises. A chunk is yielded as soon as its frame is complete; only the finish reason waits for the
// usage and the end of the stream, which a healthy server sends in the same breath.
func (c *Client) Stream(ctx context.Context, req *llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		body, fail := c.encode(req)
		if fail != nil {
			fail.Provider = c.e.Provider
			yield(llm.Chunk{}, fail)
			return
		}
		post := c.e.Post
		if !req.Stream {
			post = c.e.PostWhole
		}
		a, fail := post(ctx, "/chat/completions", body)
		if fail != nil {
			yield(llm.Chunk{}, fail)
			return
		}
		defer a.Close()
		d := &decoder{e: c.e}
		if a.IsStream() {
			fail = d.stream(a, yield)
		} else {
			fail = d.whole(a, yield)
		}
		if fail != nil {
			yield(llm.Chunk{}, fail)
		}
	}
}

// stream relays the frames. It returns the failure that is still to be yielded, nil when there is none or the reader left.
func (d *decoder) stream(a *wire.Answer, yield func(llm.Chunk, error) bool) *llm.Error {
	frames := sse.NewReader(a)
	for {
		ev, err := frames.Next()
		if err != nil && !d.finished {
			return a.Fail(err)
		}
		if err != nil || isDone(ev.Data) { // a finished answer needs no [DONE], and what breaks after it breaks nothing
			if !d.finished {
				return d.broken("the stream ended without a finish reason", nil)
			}
			last, fail := d.end()
			if fail == nil {
				yield(last, nil)
			}
			a.Drain()
			return fail
		}
		was := d.finished
		chunk, ok, fail := d.read(ev.Data)
		switch {
		case fail != nil && fail.Class == llm.ClassBroken && was:
			continue // the answer is complete; a torn frame after it can only have been the usage
		case fail != nil:
			return fail
		case ev.Name == "error":
			return d.e.Failure(0, "", ev.Data)
		}
		if ok && !yield(chunk, nil) {
			return nil
		}
		if d.finished && !was {
			a.Complete()
		}
	}
}

// whole yields an answer that comes as one JSON object as one chunk.
func (d *decoder) whole(a *wire.Answer, yield func(llm.Chunk, error) bool) *llm.Error {
	body, fail := a.ReadAll()
	if fail != nil {
		return fail
	}
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || trimmed[0] != '{' {
		if w, ok := wire.ReadWords(trimmed); ok {
			return d.e.FromWords(0, w)
		}
		return d.broken("the answer is not a chat completion", nil)
	}
	var c chunk
	if err := json.Unmarshal(body, &c); err != nil {
		return d.broken("the answer is not a chat completion", err)
	}
	if !isError(&c, body) && (len(c.Choices) == 0 || c.Choices[0].Message == nil && c.Choices[0].Delta == nil) {
		return d.broken("the answer has no choices", nil)
	}
	chunk, _, fail := d.read(body)
	if fail != nil {
		return fail
	}
	d.finished = true
	last, fail := d.end()
	if fail != nil {
		return fail
	}
	chunk.FinishReason, chunk.Usage, chunk.Model = last.FinishReason, last.Usage, d.model
	for _, t := range last.ToolCalls {
		chunk.ToolCalls[t.Index].Arguments = t.Arguments
	}
	yield(chunk, nil)
	return nil
}

// Models lists what the server offers.
func (c *Client) Models(ctx context.Context) ([]llm.Model, error) {
	body, fail := c.e.Get(ctx, "/models")
	if fail != nil {
		return nil, fail
	}
	type entry struct {
		ID            string  `json:"id"`
		OwnedBy       string  `json:"owned_by"`
		Created       float64 `json:"created"`
		ContextWindow int     `json:"context_window"` // Groq's word
		ContextLength int     `json:"context_length"` // OpenRouter's
		MaxModelLen   int     `json:"max_model_len"`  // vLLM's
	}
	var list struct {
		Data []entry `json:"data"` // null at Ollama when there are none
	}
	err := json.Unmarshal(body, &list)
	if strings.HasPrefix(string(body), "[") {
		err = json.Unmarshal(body, &list.Data) // Together's list has no envelope
	}
	if err != nil {
		return nil, &llm.Error{Class: llm.ClassBroken, Provider: c.e.Provider, Message: "the list of models cannot be read", Err: err}
	}
	out := make([]llm.Model, 0, len(list.Data))
	for _, m := range list.Data {
		if m.ID != "" {
			out = append(out, llm.Model{ID: m.ID, OwnedBy: m.OwnedBy, Created: int64(m.Created), ContextWindow: max(m.ContextWindow, m.ContextLength, m.MaxModelLen)})
		}
	}
	return out, nil
}
