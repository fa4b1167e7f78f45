package chat

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clawless/clawless/server/llm"
)

// answer gathers the chunks of one call: what was said, how it ended and what it cost.
type answer struct {
	id        string // the same in every frame
	model     string // provider/model
	sessionID string
	runID     string
	created   int64

	text, reasoning, refusal strings.Builder
	calls                    []llm.ToolCall
	logprobs                 []json.RawMessage
	finish                   llm.FinishReason
	usage                    *llm.Usage
	bytes                    int64 // of everything received, for counting where the provider does not
	framed                   bool  // the role frame was made
	prefix                   []byte
}

func newAnswer(id, model string, now time.Time) *answer {
	return &answer{id: "chatcmpl-" + id, model: model, created: now.Unix()}
}

// add takes one chunk in.
func (a *answer) add(c llm.Chunk) {
	a.text.WriteString(c.Text)
	a.reasoning.WriteString(c.Reasoning)
	a.refusal.WriteString(c.Refusal)
	a.bytes += int64(len(c.Text) + len(c.Reasoning) + len(c.Refusal))
	for _, d := range c.ToolCalls {
		for len(a.calls) <= d.Index {
			a.calls = append(a.calls, llm.ToolCall{Type: "function"})
		}
		call := &a.calls[d.Index]
		if d.ID != "" {
			call.ID = d.ID
		}
		if d.Name != "" {
			call.Function.Name = d.Name
		}
		call.Function.Arguments += d.Arguments
		a.bytes += int64(len(d.Name) + len(d.Arguments))
	}
	if len(c.Logprobs) > 0 {
		a.logprobs = append(a.logprobs, c.Logprobs)
	}
	if c.FinishReason != "" {
		a.finish = c.FinishReason
	}
	if c.Usage != nil {
		a.usage = c.Usage
	}
}

// started reports whether anything was received that the caller may have seen.
func (a *answer) started() bool { return a.bytes > 0 || a.finish != "" }

// frames appends the chat dialect's chunks of c to out: the role once, then what c holds, each one line of JSON.
func (a *answer) frames(c llm.Chunk, out func([]byte)) {
	if !a.framed {
		a.framed = true
		out(a.frame(`{"role":"assistant","content":""}`, "", nil, ""))
	}
	if c.Reasoning != "" {
		out(a.frame(string(appendString([]byte(`{"reasoning_content":`), c.Reasoning))+"}", "", nil, ""))
	}
	if c.Text != "" || len(c.Logprobs) > 0 {
		b := a.head(make([]byte, 0, 224+len(c.Text)))
		b = append(b, `{"content":`...)
		b = appendString(b, c.Text)
		out(a.tail(append(b, '}'), "", c.Logprobs, ""))
	}
	if c.Refusal != "" {
		out(a.frame(string(appendString([]byte(`{"refusal":`), c.Refusal))+"}", "", nil, ""))
	}
	if len(c.ToolCalls) > 0 {
		out(a.frame(toolDelta(c.ToolCalls), "", nil, ""))
	}
	if c.FinishReason != "" {
		out(a.frame(`{}`, c.FinishReason, nil, a.extra()))
	}
}

func (a *answer) frame(delta string, finish llm.FinishReason, logprobs json.RawMessage, extra string) []byte {
	b := a.head(make([]byte, 0, 224+len(delta)+len(logprobs)+len(extra)))
	return a.tail(append(b, delta...), finish, logprobs, extra)
}

// head is the same for every frame of an answer and made once.
func (a *answer) head(b []byte) []byte {
	if a.prefix == nil {
		p := append([]byte(`{"id":"`), a.id...)
		p = append(p, `","object":"chat.completion.chunk","created":`...)
		p = strconv.AppendInt(p, a.created, 10)
		p = append(p, `,"model":`...)
		p = appendString(p, a.model)
		a.prefix = append(p, `,"choices":[{"index":0,"delta":`...)
	}
	return append(b, a.prefix...)
}

func (a *answer) tail(b []byte, finish llm.FinishReason, logprobs json.RawMessage, extra string) []byte {
	if len(logprobs) > 0 {
		b = append(b, `,"logprobs":`...)
		b = append(b, logprobs...)
	}
	if finish == "" {
		b = append(b, `,"finish_reason":null}]`...)
	} else {
		b = append(b, `,"finish_reason":"`...)
		b = append(b, finish...)
		b = append(b, `"}]`...)
	}
	b = append(b, extra...)
	return append(b, '}')
}

// usageFrame is the chunk with empty choices that OpenAI sends to those who ask for usage.
func (a *answer) usageFrame(estimated int64) []byte {
	b, _ := json.Marshal(struct { // integers and strings always marshal
		ID      string          `json:"id"`
		Object  string          `json:"object"`
		Created int64           `json:"created"`
		Model   string          `json:"model"`
		Choices []struct{}      `json:"choices"`
		Usage   CompletionUsage `json:"usage"`
	}{a.id, "chat.completion.chunk", a.created, a.model, []struct{}{}, usageBody(a.total(estimated))})
	return b
}

// extra is our own addition to an answer: where it belongs and which model gave it.
func (a *answer) extra() string {
	b, _ := json.Marshal(a.receipt())
	return `,"clawless":` + string(b)
}

func (a *answer) receipt() *Receipt {
	return &Receipt{Model: a.model, SessionID: a.sessionID, RunID: a.runID}
}

// total is the provider's own count, or what was received counted here with the given tokens of input.
func (a *answer) total(input int64) llm.Usage {
	if a.usage != nil {
		return *a.usage
	}
	return llm.Usage{Input: input, Output: tokensIn(a.bytes)}
}

// body is the whole answer as one completion. estimated is the input to report where the provider did not count.
func (a *answer) body(estimated int64) ChatCompletion {
	m := ChatAnswer{Role: "assistant", Reasoning: a.reasoning.String(), ToolCalls: a.calls}
	if a.text.Len() > 0 || len(a.calls) == 0 && a.refusal.Len() == 0 {
		text := a.text.String()
		m.Content = &text
	}
	if a.refusal.Len() > 0 {
		refusal := a.refusal.String()
		m.Refusal = &refusal
	}
	choice := ChatChoice{Message: m, FinishReason: string(a.finish), Logprobs: joinLogprobs(a.logprobs)}
	return ChatCompletion{ID: a.id, Object: "chat.completion", Created: a.created, Model: a.model, Choices: []ChatChoice{choice}, Usage: usageBody(a.total(estimated)),
		Clawless: a.receipt()}
}

// joinLogprobs puts the steps' token lists one after the other, as a single answer has them.
func joinLogprobs(steps []json.RawMessage) json.RawMessage {
	if len(steps) == 0 {
		return json.RawMessage("null")
	}
	var all struct {
		Content []json.RawMessage `json:"content"`
		Refusal []json.RawMessage `json:"refusal"`
	}
	for _, s := range steps {
		var one struct {
			Content []json.RawMessage `json:"content"`
			Refusal []json.RawMessage `json:"refusal"`
		}
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

func toolDelta(list []llm.ToolCallDelta) string {
	type function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	}
	type call struct {
		Index    int      `json:"index"`
		ID       string   `json:"id,omitempty"`
		Type     string   `json:"type,omitempty"`
		Function function `json:"function"`
	}
	calls := make([]call, len(list))
	for i, d := range list {
		calls[i] = call{Index: d.Index, ID: d.ID, Function: function{d.Name, d.Arguments}}
		if d.ID != "" {
			calls[i].Type = "function"
		}
	}
	b, _ := json.Marshal(map[string]any{"tool_calls": calls})
	return string(b)
}

const hex = "0123456789abcdef"

// appendString appends s as a JSON string. It is encoding/json's form without HTML escapes, made here because it runs for every token; a fuzz test holds them together.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
			b = append(b, s[start:i]...)
			b = append(b, `\u`...)
			b = append(b, hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
