// Package messages is Anthropic's Messages dialect as this server speaks it: it reads requests as liberally as clients need, and writes answers and their events.
package messages

import (
	"encoding/json"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/llm"
)

// AnthropicRequest documents the body of a call. Fields that are not listed are ignored; null is the same as absent.
type AnthropicRequest struct {
	Model         string             `json:"model" doc:"provider/model, a name from GET /v1/models, or default for the tenant's default"`
	MaxTokens     *int64             `json:"max_tokens,omitempty" doc:"The most tokens that the answer may have"`
	Messages      []AnthropicMessage `json:"messages" doc:"With the header Clawless-Session only what is new"`
	System        api.Content        `json:"system,omitempty" doc:"A text or blocks of text"`
	Tools         []AnthropicTool    `json:"tools,omitempty" doc:"Functions that the caller will execute"`
	ToolChoice    *json.RawMessage   `json:"tool_choice,omitempty" doc:"An object with type auto, any, tool or none"`
	StopSequences []string           `json:"stop_sequences,omitempty"`
	Temperature   *float64           `json:"temperature,omitempty"`
	TopP          *float64           `json:"top_p,omitempty"`
	Thinking      *AnthropicThinking `json:"thinking,omitempty"`
	OutputConfig  *json.RawMessage   `json:"output_config,omitempty" doc:"effort, and format for JSON that fits a schema"`
	Stream        bool               `json:"stream,omitempty" doc:"Answer as server-sent events"`
	Metadata      *AnthropicMetadata `json:"metadata,omitempty"`
}

// AnthropicMessage is one message of a request.
type AnthropicMessage struct {
	Role    string      `json:"role" enum:"user,assistant,system"`
	Content api.Content `json:"content" doc:"A text, or blocks: text, image, tool_use, tool_result, thinking, redacted_thinking"`
}

// AnthropicTool is a function that the caller will execute.
type AnthropicTool struct {
	Name        string           `json:"name"`
	Description string           `json:"description,omitempty"`
	InputSchema *json.RawMessage `json:"input_schema" doc:"A JSON schema"`
	Strict      *bool            `json:"strict,omitempty"`
}

// AnthropicThinking says whether to think, and how much.
type AnthropicThinking struct {
	Type         string `json:"type" enum:"enabled,disabled,adaptive"`
	BudgetTokens int64  `json:"budget_tokens,omitempty" doc:"Rounded up to a level: 1024 minimal, 4096 low, 16384 medium, more high"`
}

// AnthropicMetadata names the end user.
type AnthropicMetadata struct {
	UserID string `json:"user_id,omitempty" doc:"Your id of the end user, for the ledger"`
}

// AnthropicAnswer is a whole answer.
type AnthropicAnswer struct {
	ID           string           `json:"id"`
	Type         string           `json:"type" enum:"message"`
	Role         string           `json:"role" enum:"assistant"`
	Model        string           `json:"model" doc:"provider/model that answered"`
	Content      []AnthropicBlock `json:"content" nullable:"false"`
	StopReason   *string          `json:"stop_reason" enum:"end_turn,max_tokens,tool_use,refusal" doc:"null while the answer is being made"`
	StopSequence *string          `json:"stop_sequence" doc:"Always null: which sequence ended an answer is not known, and it is end_turn"`
	Usage        AnthropicUsage   `json:"usage"`
	Clawless     *dialect.Receipt `json:"clawless,omitempty"`
}

// AnthropicBlock is one block of an answer: thinking, text or tool_use.
type AnthropicBlock struct {
	Type      string           `json:"type" enum:"thinking,text,tool_use"`
	Thinking  *string          `json:"thinking,omitempty"`
	Signature *string          `json:"signature,omitempty" doc:"Empty: thoughts are not signed here"`
	Text      *string          `json:"text,omitempty"`
	ID        string           `json:"id,omitempty"`
	Name      string           `json:"name,omitempty"`
	Input     *json.RawMessage `json:"input,omitempty"`
}

// AnthropicUsage counts tokens in Anthropic's words: input_tokens is without what was read from or written to the provider's prompt cache.
type AnthropicUsage struct {
	InputTokens   int64 `json:"input_tokens"`
	OutputTokens  int64 `json:"output_tokens"`
	CacheRead     int64 `json:"cache_read_input_tokens"`
	CacheCreation int64 `json:"cache_creation_input_tokens"`
}

// AnthropicEvent is one event of a streamed answer. Which fields it has depends on its type.
type AnthropicEvent struct {
	Type         string           `json:"type" enum:"message_start,content_block_start,content_block_delta,content_block_stop,message_delta,message_stop,error"`
	Index        *int             `json:"index,omitempty" doc:"Of the block"`
	Message      *AnthropicAnswer `json:"message,omitempty" doc:"On message_start, without content"`
	ContentBlock *AnthropicBlock  `json:"content_block,omitempty" doc:"On content_block_start"`
	Delta        *AnthropicDelta  `json:"delta,omitempty" doc:"On content_block_delta and message_delta"`
	Usage        *AnthropicUsage  `json:"usage,omitempty" doc:"On message_delta"`
	Clawless     *dialect.Receipt `json:"clawless,omitempty" doc:"On message_delta"`
	Error        *api.ErrorBody   `json:"error,omitempty" doc:"On error, after which nothing comes"`
	RequestID    string           `json:"request_id,omitempty" doc:"On error"`
}

// AnthropicDelta is what an event adds to a block, or says of the answer's end.
type AnthropicDelta struct {
	Type        string `json:"type,omitempty" enum:"text_delta,thinking_delta,input_json_delta"`
	Text        string `json:"text,omitempty"`
	Thinking    string `json:"thinking,omitempty"`
	PartialJSON string `json:"partial_json,omitempty"`
	StopReason  string `json:"stop_reason,omitempty"`
}

// AnthropicCount is the size of a prompt.
type AnthropicCount struct {
	InputTokens int64 `json:"input_tokens" doc:"About; providers count for themselves"`
}

func usageBody(u llm.Usage) AnthropicUsage {
	return AnthropicUsage{InputTokens: max(0, u.Input-u.Cached-u.CacheWrite), OutputTokens: u.Output, CacheRead: u.Cached, CacheCreation: u.CacheWrite}
}
