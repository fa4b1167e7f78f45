package dialect

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// Answer gathers the chunks of one call: what was said, how it ended and what it cost. It is used by one goroutine.
type Answer struct {
	ID        string // the same in every frame
	Model     string // provider/model
	SessionID string
	RunID     string
	Dropped   int // messages of the session that the model was not shown
	Created   int64
	Finish    llm.FinishReason
	Usage     *llm.Usage // the provider's own count, nil while it gave none
	Size      Size       // of everything received
	Limit     int64      // the caller's own limit of the answer's tokens; 0 when there is none
	Paper     Receipt    // the rest of the receipt, set before the chunk with the finish reason is framed
	Hidden    bool       // the reader is not shown what the model thought

	brief                    bool // only counts: nobody asks for the text
	text, reasoning, refusal strings.Builder
	calls                    []*callText
	logprobs                 []json.RawMessage
	framed                   bool // the role frame was made
	prefix                   []byte
}

// callText is a tool call that grows. Arguments of megabytes come in pieces of some bytes.
type callText struct {
	id, name  string
	arguments strings.Builder
}

// NewAnswer begins the answer to a call.
func NewAnswer(id, model string, at time.Time) *Answer {
	return &Answer{ID: "chatcmpl-" + id, Model: model, Created: at.Unix()}
}

// Brief says that the answer will be framed and never be asked for as a whole, so that its text need not be kept.
func (a *Answer) Brief() { a.brief = true }

// Add takes one chunk in.
func (a *Answer) Add(c llm.Chunk) {
	for _, s := range []string{c.Text, c.Reasoning, c.Refusal} {
		a.Size.add(s)
	}
	for _, d := range c.ToolCalls {
		a.Size.add(d.Name)
		a.Size.add(d.Arguments)
	}
	if !a.brief {
		a.keep(c)
	}
	if c.FinishReason != "" {
		a.Finish = c.FinishReason
	}
	if c.Usage != nil {
		a.Usage = c.Usage
	}
}

func (a *Answer) keep(c llm.Chunk) {
	a.text.WriteString(c.Text)
	a.reasoning.WriteString(c.Reasoning)
	a.refusal.WriteString(c.Refusal)
	for _, d := range c.ToolCalls {
		for len(a.calls) <= d.Index {
			a.calls = append(a.calls, &callText{})
		}
		call := a.calls[d.Index]
		if d.ID != "" {
			call.id = d.ID
		}
		if d.Name != "" {
			call.name = d.Name
		}
		call.arguments.WriteString(d.Arguments)
	}
	if len(c.Logprobs) > 0 {
		a.logprobs = append(a.logprobs, c.Logprobs)
	}
}

// Started reports whether anything was received that the caller may have seen.
func (a *Answer) Started() bool { return a.Size.Bytes > 0 || a.Finish != "" }

// Text is what was said so far; without any it is the refusal.
func (a *Answer) Text() string {
	if a.text.Len() == 0 {
		return a.refusal.String()
	}
	return a.text.String()
}

// Said is the visible text so far, without any refusal; Refused is the refusal.
func (a *Answer) Said() string { return a.text.String() }

// Refused is the refusal so far.
func (a *Answer) Refused() string { return a.refusal.String() }

// Reasoning is what was thought so far.
func (a *Answer) Reasoning() string { return a.reasoning.String() }

// Calls are the tool calls so far; those of a broken answer may be half made.
func (a *Answer) Calls() []llm.ToolCall {
	var out []llm.ToolCall
	for _, c := range a.calls {
		out = append(out, llm.ToolCall{ID: c.id, Type: "function", Function: llm.ToolCallFunction{Name: c.name, Arguments: c.arguments.String()}})
	}
	return out
}

// Total is the provider's own count, or what was received as counted here with input tokens of prompt.
func (a *Answer) Total(input int64) llm.Usage {
	if a.Usage != nil {
		return *a.Usage
	}
	u := llm.Usage{Input: input, Output: a.Size.Tokens()}
	if a.Limit > 0 && u.Output <= 2*a.Limit+64 { // the provider kept to it, so an estimate above it is wrong; far above it, the provider did not
		u.Output = min(u.Output, a.Limit)
	}
	return u
}

// Body is the whole answer as one completion. input is what to report of the prompt where the provider did not count.
func (a *Answer) Body(input int64) ChatCompletion {
	m := ChatAnswer{Role: "assistant", ToolCalls: a.Calls()}
	if !a.Hidden {
		m.Reasoning = a.reasoning.String()
	}
	if a.text.Len() > 0 || len(a.calls) == 0 && a.refusal.Len() == 0 {
		text := a.text.String()
		m.Content = &text
	}
	if a.refusal.Len() > 0 {
		refusal := a.refusal.String()
		m.Refusal = &refusal
	}
	choice := ChatChoice{Message: m, FinishReason: string(a.Finish), Logprobs: joinLogprobs(a.logprobs)}
	return ChatCompletion{ID: a.ID, Object: "chat.completion", Created: a.Created, Model: a.Model, Choices: []ChatChoice{choice}, Usage: usageBody(a.Total(input)),
		Clawless: a.Receipt()}
}

// Receipt is what the caller is told beside the answer.
func (a *Answer) Receipt() *Receipt { return a.ReceiptOf(a.Paper) }

// ReceiptOf fills in a receipt what the answer knows of itself.
func (a *Answer) ReceiptOf(r Receipt) *Receipt {
	r.Model, r.SessionID, r.RunID, r.Dropped = a.Model, a.SessionID, a.RunID, a.Dropped
	return &r
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

// joinLogprobs puts the steps' token lists one after the other, as a single answer has them.
func joinLogprobs(steps []json.RawMessage) json.RawMessage {
	if len(steps) == 0 {
		return json.RawMessage("null")
	}
	type lists struct {
		Content []json.RawMessage `json:"content"`
		Refusal []json.RawMessage `json:"refusal"`
	}
	var all lists
	for _, s := range steps {
		var one lists
		if json.Unmarshal(s, &one) == nil {
			all.Content = append(all.Content, one.Content...)
			all.Refusal = append(all.Refusal, one.Refusal...)
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		return json.RawMessage("null")
	}
	return b
}
