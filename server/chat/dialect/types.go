// Package dialect is OpenAI's chat dialect as this server speaks it: it reads requests as liberally as clients need, and writes completions and their chunks strictly.
package dialect

import (
	"encoding/json"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/llm"
)

// ChatRequest documents the body of a chat call. Fields that are not listed are ignored; null is the same as absent.
type ChatRequest struct {
	Model               string           `json:"model" doc:"provider/model, a name from GET /v1/models, default for the tenant's default, or auto to have one chosen"`
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
	ReasoningEffort     *string          `json:"reasoning_effort,omitempty" doc:"How much to think: off (or none), minimal, low, medium, high"`
	Thinking            *string          `json:"thinking,omitempty" doc:"The same as reasoning_effort, which wins"`
	Fallback            *json.RawMessage `json:"fallback,omitempty" doc:"Whether another model may answer when this one fails: true, false, or a list of models to try before the tenant's own"`
	ResponseFormat      *json.RawMessage `json:"response_format,omitempty"`
	User                string           `json:"user,omitempty" doc:"Your id of the end user, for the ledger"`
	Regenerate          string           `json:"regenerate,omitempty" doc:"With session_id: the id of a message that is answered again, beside the answers it has; without messages"`
	Edit                string           `json:"edit,omitempty" doc:"With session_id: the id of a user message that the new one replaces; what followed it stays readable"`
	ServerTools         *[]string        `json:"server_tools,omitempty" doc:"With session_id: names or patterns of the server's tools that this turn may use; absent for all that are allowed, [] for none"`
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

// ChatChunk is one event of a streamed answer.
type ChatChunk struct {
	ID       string            `json:"id"`
	Object   string            `json:"object" enum:"chat.completion.chunk"`
	Created  int64             `json:"created"`
	Model    string            `json:"model"`
	Choices  []ChatChunkChoice `json:"choices" nullable:"false" doc:"Empty on the usage chunk only"`
	Usage    *CompletionUsage  `json:"usage,omitempty"`
	Clawless *Receipt          `json:"clawless,omitempty" doc:"The receipt, on the chunk with the finish_reason; on others what a tool of the server does"`
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
