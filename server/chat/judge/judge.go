// Package judge holds back the answers that could turn out unusable until it is known that they are not.
package judge

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/clawless/clawless/server/llm"
)

// Verdict is what is wrong with an answer. The empty verdict means that nothing is.
type Verdict string

// The verdicts.
const (
	Empty    Verdict = "empty_answer"       // neither text nor refusal nor tool call
	Invalid  Verdict = "invalid_json"       // not JSON, or not what the requested schema says
	Repeated Verdict = "repeated_tool_call" // a tool call of this turn again, with the same arguments
)

// maxHeld bounds, in bytes, what is held back; an answer that grows beyond it is shown unjudged.
const maxHeld = 4 << 20

// Watch judges one answer. The zero Watch holds nothing back; it is used by one goroutine.
type Watch struct {
	Empties bool           // an empty answer is a failure
	Form    *Form          // what the answer must be; nil for any text
	Past    []llm.ToolCall // the calls of this turn so far; nil where repeating one is fine

	text  strings.Builder
	calls []*llm.ToolCall
	held  []llm.Chunk
	size  int
	open  bool // what came and what comes is shown
}

// Idle reports whether the watch has nothing to look for, so that it can be left out.
func (w *Watch) Idle() bool { return !w.Empties && w.Form == nil && len(w.Past) == 0 }

// Add takes the next chunk in and returns those that may be shown now.
func (w *Watch) Add(c llm.Chunk) []llm.Chunk {
	if w.open {
		return []llm.Chunk{c}
	}
	w.held = append(w.held, c)
	w.size += len(c.Text) + len(c.Reasoning) + len(c.Refusal) + len(c.Logprobs)
	w.text.WriteString(c.Text)
	for _, d := range c.ToolCalls {
		w.size += len(d.Arguments) + len(d.Name)
		w.call(d)
	}
	if w.harmless(c) || w.size > maxHeld {
		return w.Release()
	}
	return nil
}

// harmless reports whether the chunk settles that the answer is none of the bad ones.
func (w *Watch) harmless(c llm.Chunk) bool {
	switch {
	case c.Refusal != "":
		return true
	case w.Form != nil: // JSON is judged as a whole; tool calls instead of it are no answer yet
		return len(w.calls) > 0 && len(w.Past) == 0
	case len(w.calls) > 0:
		return len(w.Past) == 0
	}
	return strings.TrimSpace(c.Text) != ""
}

func (w *Watch) call(d llm.ToolCallDelta) {
	for len(w.calls) <= d.Index {
		w.calls = append(w.calls, &llm.ToolCall{})
	}
	w.calls[d.Index].Function.Name += d.Name
	w.calls[d.Index].Function.Arguments += d.Arguments
}

// Release gives out what is held back, and holds nothing back from then on.
func (w *Watch) Release() []llm.Chunk {
	out := w.held
	w.open, w.held = true, nil
	return out
}

// Restore takes back what was released and not shown.
func (w *Watch) Restore(chunks []llm.Chunk) { w.open, w.held = false, chunks }

// Text is what the answer says, as far as it was looked at.
func (w *Watch) Text() string { return w.text.String() }

// Shown reports whether anything of the answer was given out.
func (w *Watch) Shown() bool { return w.open }

// End judges the whole answer. Where the verdict is empty what was held back is to be released.
func (w *Watch) End(finish llm.FinishReason) Verdict {
	if w.open || finish == llm.FinishContentFilter {
		return ""
	}
	text := strings.TrimSpace(w.text.String())
	switch {
	case len(w.calls) > 0:
		if w.repeats() {
			return Repeated
		}
		return ""
	case w.Form != nil && finish != llm.FinishLength: // one cut by the caller's own limit is no JSON, and another model would be cut too
		if !w.Form.Fits(text) {
			return Invalid
		}
	case w.Empties && text == "" && finish != llm.FinishLength:
		return Empty
	}
	return ""
}

// repeats reports whether every call was made before in this turn.
func (w *Watch) repeats() bool {
	for _, c := range w.calls {
		again := false
		for _, p := range w.Past {
			again = again || p.Function.Name == c.Function.Name && same(p.Function.Arguments, c.Function.Arguments)
		}
		if !again {
			return false
		}
	}
	return len(w.Past) > 0
}

// same compares arguments as JSON, so that spaces and the order of names do not hide a repetition.
func same(a, b string) bool { return a == b || bytes.Equal(canonical(a), canonical(b)) }

func canonical(s string) []byte {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return []byte(s)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(s)
	}
	return b
}

// CallsOf are the tool calls since the last user message.
func CallsOf(messages []llm.Message) []llm.ToolCall {
	var out []llm.ToolCall
	for i := len(messages) - 1; i >= 0 && messages[i].Role != "user"; i-- {
		out = append(out, messages[i].ToolCalls...)
	}
	return out
}
