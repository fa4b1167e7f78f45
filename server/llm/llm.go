// Package llm is the vocabulary between the use case and the model providers: a request, the chunks of its answer, usage and classified errors.
package llm

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"net/http"
	"time"
)

// Provider runs models. Stream starts one call when the range begins and ends it when the range does: leaving the range or cancelling ctx cancels the call at the
// provider at once. It yields zero or more chunks, then either ends (the answer is complete: some chunk carried a FinishReason) or yields one *Error and ends.
// An implementation never ends without one of the two, never yields after an error, never splices, and retries nothing.
type Provider interface {
	Name() string
	Stream(ctx context.Context, req *Request) iter.Seq2[Chunk, error]
}

// ModelLister is the optional capability of a provider that can say which models it offers. It is asked rarely and its answer is cached by the caller.
type ModelLister interface {
	Models(ctx context.Context) ([]Model, error)
}

// Model is one entry of a provider's list. ID is the provider's own name, without our "provider/" prefix.
type Model struct {
	ID            string
	OwnedBy       string
	Created       int64 // Unix seconds; zero when the provider does not say
	ContextWindow int   // tokens; zero when unknown
}

// Request is one call. It is read-only for providers. Anything the caller did not send is absent, and absent is not zero.
type Request struct {
	Model    string // the provider's own name
	Messages []Message
	Tools    []Tool
	// Params are the other generation parameters in OpenAI's chat dialect, as the caller's bytes, keyed by their JSON name: temperature, top_p, seed, stop,
	// presence_penalty, frequency_penalty, logit_bias, logprobs, top_logprobs, response_format, tool_choice, parallel_tool_calls,
	// max_tokens, max_completion_tokens, and nothing else (see ForwardedParams). A driver whose dialect has no such thing yields ClassInvalid with the parameter's name.
	Params map[string]json.RawMessage
	// Effort is how much the model shall think; empty leaves it to the model. A driver maps it to its vendor's own parameter, and yields ClassInvalid for
	// "reasoning_effort" where the vendor has nothing like it.
	Effort Effort
	// CachePrompt asks the provider to keep the beginning of the prompt for the next turn, where it must be asked; other drivers ignore it.
	CachePrompt bool
	// Stream is false when nobody watches: a driver may then ask for one JSON answer and yield it as a single chunk, which costs less on both sides.
	Stream bool
}

// ForwardedParams are the parameters that reach providers; everything else a client sends is ignored, so that no field can redirect a call or carry a credential.
var ForwardedParams = []string{
	"temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs",
	"response_format", "tool_choice", "parallel_tool_calls", "max_tokens", "max_completion_tokens",
}

// Message is one message in OpenAI's chat dialect. Content stays the caller's bytes: a JSON string, an array of parts, null, or nil when absent.
type Message struct {
	Role       string          `json:"role"` // system, developer, user, assistant or tool
	Content    json.RawMessage `json:"content,omitempty"`
	Name       string          `json:"name,omitempty"`
	ToolCalls  []ToolCall      `json:"tool_calls,omitempty"`
	ToolCallID string          `json:"tool_call_id,omitempty"`
}

// Tool is a function the model may call; Parameters are a JSON schema that nobody rewrites.
type Tool struct {
	Type     string       `json:"type"` // "function"
	Function ToolFunction `json:"function"`
}

// ToolFunction describes a Tool.
type ToolFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	Strict      *bool           `json:"strict,omitempty"`
}

// ToolCall is a call that the model asked for. Arguments are a JSON text, kept byte for byte; "{}" when the model gave none.
type ToolCall struct {
	ID       string           `json:"id"`
	Type     string           `json:"type"` // "function"
	Function ToolCallFunction `json:"function"`
}

// ToolCallFunction names the function and its arguments.
type ToolCallFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// Chunk is one step of an answer (there is always exactly one choice). Its zero fields say nothing. Drivers never yield an empty chunk.
type Chunk struct {
	Text         string          // visible text to append
	Reasoning    string          // thinking text to append; never part of Text
	Refusal      string          // refusal text to append
	ToolCalls    []ToolCallDelta // fragments, already normalised as ToolCallDelta says
	Logprobs     json.RawMessage // the provider's logprobs object for this step, in OpenAI's form
	FinishReason FinishReason    // set on exactly one chunk of a complete answer
	Usage        *Usage          // the totals of the whole call; set at most once, on or after the chunk with the FinishReason
	Model        string          // the model that the provider says it used; on the first chunk, where it says so
}

// ToolCallDelta is a fragment of a call. Index counts 0,1,2… per answer whatever the provider numbered; ID and Name are set on the first fragment of an index only
// (an ID is made up when the provider has none), Arguments is text to append. A call without arguments yields a fragment with "{}".
type ToolCallDelta struct {
	Index     int
	ID        string
	Name      string
	Arguments string
}

// FinishReason is one of OpenAI's words; drivers map everything else.
type FinishReason string

// The finish reasons. A call that contains tool calls ends with FinishToolCalls even where the provider said "stop".
const (
	FinishStop          FinishReason = "stop"
	FinishLength        FinishReason = "length"
	FinishToolCalls     FinishReason = "tool_calls"
	FinishContentFilter FinishReason = "content_filter"
)

// Usage counts the tokens of one call, never negative. Input includes Cached and CacheWrite; Output includes Reasoning.
type Usage struct {
	Input      int64 `json:"input_tokens"`
	Output     int64 `json:"output_tokens"`
	Cached     int64 `json:"cached_tokens,omitempty"`      // read from the provider's prompt cache
	CacheWrite int64 `json:"cache_write_tokens,omitempty"` // written to it
	Reasoning  int64 `json:"reasoning_tokens,omitempty"`
}

// Total is input plus output.
func (u Usage) Total() int64 { return u.Input + u.Output }

// Config is what a driver needs to make a provider. Secrets come from the settings and are never logged; String hides them.
type Config struct {
	Name      string // the provider's name in model ids, for example "openai" or an operator's own "lab"
	BaseURL   string // empty: the driver's default
	APIKey    string
	AccountID string        // Cloudflare's account
	Client    *http.Client  // nil: the driver makes a warm one of its own
	Connect   time.Duration // how long making a connection may take; zero: 10 s. A Client that is given has its own
	First     time.Duration // until a streamed answer begins; zero: Idle, or ten minutes where that is zero too, as models may think that long
	Idle      time.Duration // the longest wait between two pieces of an answer; zero: 60 s
	Answer    time.Duration // until an answer in one piece is complete; zero: ten minutes, or where Idle is set, that for each piece
	Log       *slog.Logger  // nil: slog.Default
}

// String shows the configuration without its secrets.
func (c Config) String() string { return c.Name + " at " + c.BaseURL }

// LogValue keeps secrets out of structured logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Driver makes providers of one kind. Drivers are values in a list (server/llm/all), not registered from init.
type Driver struct {
	Name       string // "openai"
	Title      string // "OpenAI and servers that speak its chat dialect"
	DefaultURL string // empty when the operator must give one
	NeedsKey   bool
	Env        []string // environment variables of the vendor's own tools that hold the key, tried in order
	AccountEnv []string // the same for Config.AccountID, at vendors that need one; empty elsewhere
	New        func(Config) (Provider, error)
}
