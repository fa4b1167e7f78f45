package openaichat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
	"github.com/clawless/clawless/server/llm/wire/frame"
)

// chunk is one frame of a stream, or the whole of an answer in one piece, which has a message in place of a delta.
type chunk struct {
	Object  string          `json:"object"`
	Model   string          `json:"model"`
	Choices []choice        `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
	Error   json.RawMessage `json:"error"`
}

type choice struct {
	Index        int             `json:"index"`
	Delta        *message        `json:"delta"`
	Message      *message        `json:"message"`
	FinishReason *string         `json:"finish_reason"`
	Logprobs     json.RawMessage `json:"logprobs"`
}

// message is what a choice says. The texts are raw because servers differ in their types.
type message struct {
	Content          json.RawMessage `json:"content"`
	ReasoningContent json.RawMessage `json:"reasoning_content"`
	Reasoning        json.RawMessage `json:"reasoning"`
	Thinking         json.RawMessage `json:"thinking"`
	Refusal          json.RawMessage `json:"refusal"`
	ToolCalls        []toolCall      `json:"tool_calls"`
	FunctionCall     *function       `json:"function_call"` // what tool calls were called first
}

// decoder turns the frames of one answer into chunks. It holds the finish reason back until the end, so that a server that repeats it, sends text after it or fails
// after it is understood.
type decoder struct {
	e        *wire.Endpoint
	shape    frame.Template
	shaped   shapedCall
	calls    callList
	usage    *llm.Usage
	reason   string // the last finish reason
	finished bool
	model    string // the first model named
	named    bool   // it was passed on
}

// read decodes one frame; ok is false when it says nothing that is passed on.
func (d *decoder) read(data []byte) (out llm.Chunk, ok bool, fail *llm.Error) {
	if kind, text, ok := d.shape.Match(data); ok {
		if out, ok = d.quick(kind, text); ok {
			return out, true, nil
		}
	}
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil {
		return out, false, d.broken("a frame of the stream is not a chat completion", err)
	}
	if isError(&c, data) {
		return out, false, d.e.Failure(0, "", data)
	}
	if d.model == "" {
		d.model = c.Model
	}
	if u := readUsage(c.Usage); u != nil {
		d.usage = u
	}
	for i := range c.Choices {
		if c.Choices[i].Index == 0 {
			if fail = d.choice(&c.Choices[i], &out); fail != nil {
				return llm.Chunk{}, false, fail
			}
			break
		}
	}
	ok = out.Text != "" || out.Reasoning != "" || out.Refusal != "" || len(out.ToolCalls) > 0 || len(out.Logprobs) > 0
	if ok {
		d.learn(data, &c, &out)
		d.name(&out)
	}
	return out, ok, nil
}

// learn takes over the shape of a frame that says one thing only.
func (d *decoder) learn(data []byte, c *chunk, out *llm.Chunk) {
	kind, text, ok := single(c)
	if !ok {
		return
	}
	if kind == frame.Arguments && (len(out.ToolCalls) != 1 || out.ToolCalls[0].Name != "" || out.ToolCalls[0].Arguments != text) {
		return // the call only begins here
	}
	if d.shape.Learn(data, kind, text, decodeText) && kind == frame.Arguments {
		d.shaped = shapedCall{out.ToolCalls[0].Index, d.calls.len()}
	}
}

// shapedCall is the call that frames of the known shape continue, as long as no other call has begun.
type shapedCall struct{ index, of int }

// quick makes the chunk of a frame of the known shape. It reports false where the shape alone does not tell whose arguments they are.
func (d *decoder) quick(kind frame.Kind, text string) (llm.Chunk, bool) {
	switch kind {
	case frame.Reasoning:
		return llm.Chunk{Reasoning: text}, true
	case frame.Arguments:
		if d.calls.len() != d.shaped.of {
			return llm.Chunk{}, false
		}
		c := d.calls.list[d.shaped.index]
		c.args = append(c.args, text...)
		return llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: d.shaped.index, Arguments: text}}}, true
	}
	return llm.Chunk{Text: text}, true
}

// name puts the model on the first chunk that is passed on.
func (d *decoder) name(out *llm.Chunk) {
	if !d.named {
		out.Model, d.named = d.model, true
	}
}

func (d *decoder) choice(c *choice, out *llm.Chunk) *llm.Error {
	m, whole := c.Delta, false
	if m == nil {
		m, whole = c.Message, true
	}
	if m != nil {
		readTexts(m, out)
		calls := m.ToolCalls
		if m.FunctionCall != nil && len(calls) == 0 {
			calls = []toolCall{{Index: new(int), Function: *m.FunctionCall}}
		}
		for i := range calls {
			if whole {
				calls[i].Index = &i // each entry is a call of its own there, and none has an index
			}
			if out.ToolCalls = d.calls.add(out.ToolCalls, &calls[i]); d.calls.len() > maxCalls {
				return d.broken(fmt.Sprintf("the answer calls more than %d tools", maxCalls), nil)
			}
		}
	}
	if hasLogprobs(c.Logprobs) {
		out.Logprobs = c.Logprobs
	}
	if c.FinishReason != nil && *c.FinishReason != "" {
		d.reason, d.finished = *c.FinishReason, true
		if class, bad := failedReason(d.reason); bad {
			return &llm.Error{Class: class, Provider: d.e.Provider, Message: "the provider ended the answer with " + d.reason, Code: d.reason}
		}
	}
	return nil
}

// end is the last chunk of a finished answer.
func (d *decoder) end() (llm.Chunk, *llm.Error) {
	var out llm.Chunk
	var ok bool
	if out.ToolCalls, ok = d.calls.close(nil); !ok {
		return out, d.broken("the answer calls a tool without a name", nil)
	}
	out.FinishReason = finishReason(d.reason, d.calls.len() > 0)
	out.Usage = d.usage
	d.name(&out)
	return out, nil
}

func (d *decoder) broken(message string, err error) *llm.Error {
	return &llm.Error{Class: llm.ClassBroken, Provider: d.e.Provider, Message: message, Err: err}
}

// isError reports whether a frame that is JSON says that the call failed.
func isError(c *chunk, data []byte) bool {
	switch string(c.Error) {
	case "", "null", "false", `""`:
	default:
		return true
	}
	if c.Choices != nil || len(c.Usage) > 0 {
		return false
	}
	_, failed := wire.ReadWords(data)
	return failed
}

// readTexts fills in the visible text, the reasoning under whichever name it came, and the refusal.
func readTexts(m *message, out *llm.Chunk) {
	out.Text, out.Reasoning = readContent(m.Content)
	for _, raw := range []json.RawMessage{m.ReasoningContent, m.Reasoning, m.Thinking} {
		if s := readString(raw); s != "" {
			out.Reasoning += s
			break // the others repeat it
		}
	}
	out.Refusal = readString(m.Refusal)
}

func readString(raw json.RawMessage) string {
	var s string
	if len(raw) < 3 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// readContent reads a content that is a string or, at some servers, a list of text and thinking parts.
func readContent(raw json.RawMessage) (text, reasoning string) {
	if len(raw) == 0 || raw[0] != '[' {
		return readString(raw), ""
	}
	var parts []struct {
		Type     string          `json:"type"`
		Text     string          `json:"text"`
		Thinking json.RawMessage `json:"thinking"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		return "", ""
	}
	for _, p := range parts {
		text += p.Text
		inner, _ := readContent(p.Thinking) // a text, or a list of text parts again
		reasoning += inner
	}
	return text, reasoning
}

// decodeText is the full reading of a frame that says nothing but a text; the shape of such frames is learned.
func decodeText(data []byte) (frame.Kind, string, bool) {
	var c chunk
	if json.Unmarshal(data, &c) != nil || isError(&c, data) {
		return 0, "", false
	}
	return single(&c)
}

// single reports whether a frame says one text, or continues the arguments of one call, and nothing else that changes the state of the decoder.
func single(c *chunk) (frame.Kind, string, bool) {
	if len(c.Choices) != 1 || readUsage(c.Usage) != nil {
		return 0, "", false
	}
	ch := &c.Choices[0]
	if ch.Index != 0 || ch.Delta == nil || ch.FinishReason != nil || hasLogprobs(ch.Logprobs) || ch.Delta.FunctionCall != nil {
		return 0, "", false
	}
	var out llm.Chunk
	readTexts(ch.Delta, &out)
	calls := ch.Delta.ToolCalls
	switch {
	case out.Refusal != "":
	case out.Text != "" && out.Reasoning == "" && len(calls) == 0:
		return frame.Text, out.Text, true
	case out.Reasoning != "" && out.Text == "" && len(calls) == 0:
		return frame.Reasoning, out.Reasoning, true
	case out.Reasoning == "" && out.Text == "" && len(calls) == 1 && calls[0].Index != nil && calls[0].ID == "" && calls[0].Function.Name == "":
		args := readString(calls[0].Function.Arguments)
		return frame.Arguments, args, args != ""
	}
	return 0, "", false
}

func hasLogprobs(raw json.RawMessage) bool {
	return len(raw) > 0 && string(raw) != "null" && string(raw) != "{}"
}

// isDone recognises the frame that ends a stream.
func isDone(data []byte) bool {
	return len(data) > 0 && data[0] != '{' && string(bytes.TrimSpace(data)) == "[DONE]"
}

// finishReason maps a server's word to OpenAI's. Calls make it tool_calls even where the server said stop, and without calls it never is.
func finishReason(word string, calls bool) llm.FinishReason {
	out := llm.FinishStop
	switch strings.ToLower(word) {
	case "length", "max_tokens", "model_length", "max_length", "max_output_tokens":
		return llm.FinishLength
	case "content_filter", "safety", "recitation", "prohibited_content", "sensitive", "refusal":
		return llm.FinishContentFilter
	}
	if calls {
		out = llm.FinishToolCalls
	}
	return out
}

// failedReason recognises the finish reasons that stand for a failure.
func failedReason(word string) (llm.Class, bool) {
	switch strings.ToLower(word) {
	case "error":
		return llm.ClassServer, true
	case "abort", "aborted", "cancelled", "canceled":
		return llm.ClassBroken, true
	case "insufficient_system_resource", "network_error":
		return llm.ClassOverloaded, true
	}
	return "", false
}
