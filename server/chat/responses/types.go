// Package responses is OpenAI's Responses dialect as this server speaks it: it reads requests as liberally as clients need, and writes answers and their events.
package responses

import (
	"encoding/json"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/llm"
)

// ResponsesRequest documents the body of a call. Fields that are not listed are ignored; null is the same as absent.
type ResponsesRequest struct {
	Model             string              `json:"model" doc:"provider/model, a name from GET /v1/models, or default for the tenant's default"`
	Input             api.Content         `json:"input" doc:"A text, or items: message, function_call, function_call_output, reasoning. With the header Clawless-Session only what is new"`
	Instructions      string              `json:"instructions,omitempty" doc:"A system message before the input"`
	Tools             []ResponsesTool     `json:"tools,omitempty" doc:"Functions that the caller will execute; there are no built-in tools"`
	ToolChoice        *json.RawMessage    `json:"tool_choice,omitempty" doc:"none, auto, required, or an object naming a function"`
	ParallelToolCalls *bool               `json:"parallel_tool_calls,omitempty"`
	Text              *json.RawMessage    `json:"text,omitempty" doc:"format: text, json_object or json_schema"`
	Reasoning         *ResponsesReasoning `json:"reasoning,omitempty"`
	MaxOutputTokens   *int64              `json:"max_output_tokens,omitempty"`
	Temperature       *float64            `json:"temperature,omitempty"`
	TopP              *float64            `json:"top_p,omitempty"`
	Stream            bool                `json:"stream,omitempty" doc:"Answer as server-sent events"`
	Store             *bool               `json:"store,omitempty" doc:"Whatever it says, answers are not kept to be read again by their id, and the answer says store: false. A session keeps the conversation"`
	User              string              `json:"user,omitempty" doc:"Your id of the end user, for the ledger"`
	Metadata          *map[string]string  `json:"metadata,omitempty" doc:"Sent back with the answer"`
}

// ResponsesTool is a function that the caller will execute.
type ResponsesTool struct {
	Type        string           `json:"type" enum:"function"`
	Name        string           `json:"name"`
	Description string           `json:"description,omitempty"`
	Parameters  *json.RawMessage `json:"parameters,omitempty" doc:"A JSON schema"`
	Strict      *bool            `json:"strict,omitempty"`
}

// ResponsesReasoning says how much to think.
type ResponsesReasoning struct {
	Effort  *string `json:"effort" doc:"none, minimal, low, medium or high"`
	Summary *string `json:"summary" doc:"Accepted and ignored: the thoughts that a model shows are always sent"`
}

// ResponsesAnswer is a whole answer, or what there is of it when it began or failed.
type ResponsesAnswer struct {
	ID                 string               `json:"id"`
	Object             string               `json:"object" enum:"response"`
	CreatedAt          int64                `json:"created_at" doc:"Unix seconds"`
	CompletedAt        *int64               `json:"completed_at" doc:"Unix seconds"`
	Status             string               `json:"status" enum:"in_progress,completed,incomplete,failed"`
	Error              *ResponsesError      `json:"error"`
	IncompleteDetails  *ResponsesIncomplete `json:"incomplete_details"`
	Instructions       *string              `json:"instructions"`
	MaxOutputTokens    *int64               `json:"max_output_tokens"`
	Model              string               `json:"model" doc:"provider/model that answered"`
	Output             []ResponsesItem      `json:"output" nullable:"false"`
	ParallelToolCalls  bool                 `json:"parallel_tool_calls"`
	PreviousResponseID *string              `json:"previous_response_id" doc:"Always null"`
	Reasoning          ResponsesReasoning   `json:"reasoning"`
	Store              bool                 `json:"store" doc:"Always false"`
	Background         bool                 `json:"background" doc:"Always false"`
	Temperature        *float64             `json:"temperature" doc:"null leaves it to the model"`
	TopP               *float64             `json:"top_p" doc:"null leaves it to the model"`
	Text               *json.RawMessage     `json:"text"`
	ToolChoice         *json.RawMessage     `json:"tool_choice"`
	Tools              []json.RawMessage    `json:"tools" nullable:"false"`
	Truncation         string               `json:"truncation" enum:"disabled"`
	User               *string              `json:"user"`
	Metadata           map[string]string    `json:"metadata" nullable:"false"`
	Usage              *ResponsesUsage      `json:"usage" doc:"null while the answer is being made"`
	Clawless           *dialect.Receipt     `json:"clawless,omitempty"`
}

// ResponsesError says why an answer broke off.
type ResponsesError struct {
	Code    string `json:"code" doc:"docs/reference/errors.md lists them"`
	Message string `json:"message"`
}

// ResponsesIncomplete says why an answer ended early.
type ResponsesIncomplete struct {
	Reason string `json:"reason" enum:"max_output_tokens,content_filter"`
}

// ResponsesItem is one item of an answer: reasoning, message or function_call.
type ResponsesItem struct {
	ID        string           `json:"id"`
	Type      string           `json:"type" enum:"reasoning,message,function_call"`
	Status    string           `json:"status" enum:"in_progress,completed,incomplete"`
	Summary   *[]ResponsesPart `json:"summary,omitempty" doc:"Of reasoning: the thoughts as the model shows them"`
	Role      string           `json:"role,omitempty" enum:"assistant"`
	Content   *[]ResponsesPart `json:"content,omitempty" doc:"Of a message: output_text and refusal"`
	CallID    string           `json:"call_id,omitempty"`
	Name      string           `json:"name,omitempty"`
	Arguments *string          `json:"arguments,omitempty"`
}

// ResponsesPart is one part of an item.
type ResponsesPart struct {
	Type        string             `json:"type" enum:"output_text,refusal,summary_text"`
	Text        *string            `json:"text,omitempty"`
	Refusal     *string            `json:"refusal,omitempty"`
	Annotations *[]json.RawMessage `json:"annotations,omitempty" doc:"Always empty"`
	Logprobs    *[]json.RawMessage `json:"logprobs,omitempty" doc:"Always empty"`
}

// ResponsesUsage counts tokens in the words of this dialect.
type ResponsesUsage struct {
	InputTokens   int64                  `json:"input_tokens"`
	InputDetails  ResponsesInputDetails  `json:"input_tokens_details"`
	OutputTokens  int64                  `json:"output_tokens"`
	OutputDetails ResponsesOutputDetails `json:"output_tokens_details"`
	TotalTokens   int64                  `json:"total_tokens"`
}

// ResponsesInputDetails splits the prompt's tokens.
type ResponsesInputDetails struct {
	CachedTokens     int64 `json:"cached_tokens"`
	CacheWriteTokens int64 `json:"cache_write_tokens"`
}

// ResponsesOutputDetails splits the answer's tokens.
type ResponsesOutputDetails struct {
	ReasoningTokens int64 `json:"reasoning_tokens"`
}

// ResponsesEvent is one event of a streamed answer. Which fields it has depends on its type.
type ResponsesEvent struct {
	Type           string             `json:"type" doc:"response.created, response.output_text.delta, …, response.completed, response.incomplete, response.failed, error"`
	SequenceNumber int64              `json:"sequence_number" doc:"From 0, one more for each event"`
	Response       *ResponsesAnswer   `json:"response,omitempty" doc:"On the first two events and the last"`
	OutputIndex    *int               `json:"output_index,omitempty"`
	ItemID         string             `json:"item_id,omitempty"`
	Item           *ResponsesItem     `json:"item,omitempty" doc:"On response.output_item.added and response.output_item.done"`
	ContentIndex   *int               `json:"content_index,omitempty"`
	SummaryIndex   *int               `json:"summary_index,omitempty"`
	Part           *ResponsesPart     `json:"part,omitempty"`
	Delta          *string            `json:"delta,omitempty"`
	Text           *string            `json:"text,omitempty"`
	Refusal        *string            `json:"refusal,omitempty"`
	Name           string             `json:"name,omitempty"`
	Arguments      *string            `json:"arguments,omitempty"`
	Logprobs       *[]json.RawMessage `json:"logprobs,omitempty"`
	Code           string             `json:"code,omitempty" doc:"On error"`
	Message        string             `json:"message,omitempty" doc:"On error"`
	Error          *api.ErrorBody     `json:"error,omitempty" doc:"On error: the same once more, where clients look that raise it"`
}

func usageBody(u llm.Usage) *ResponsesUsage {
	return &ResponsesUsage{InputTokens: u.Input, OutputTokens: u.Output, TotalTokens: u.Total(),
		InputDetails: ResponsesInputDetails{u.Cached, u.CacheWrite}, OutputDetails: ResponsesOutputDetails{u.Reasoning}}
}
