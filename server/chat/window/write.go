package window

import (
	"encoding/json"
	"slices"

	"github.com/clawless/clawless/server/llm"
)

// writer puts messages one after the other as every provider takes them: the first is the user's, roles alternate, and the last is not the assistant's.
type writer struct{ messages []llm.Message }

func (w *writer) last() *llm.Message {
	n := len(w.messages)
	if n == 0 || w.messages[n-1].Role == "system" || w.messages[n-1].Role == "developer" {
		return nil
	}
	return &w.messages[n-1]
}

func (w *writer) add(m llm.Message) {
	before := w.last()
	switch {
	case m.Role == "assistant" && before == nil:
		w.note("user", noBeginning)
	case before == nil, m.Role == "tool":
	case m.Role == "user" && before.Role == "tool":
		w.note("assistant", noAnswer)
	case m.Role == before.Role:
		merge(before, m)
		return
	}
	w.messages = append(w.messages, m)
}

func (w *writer) note(role, text string) {
	w.messages = append(w.messages, llm.Message{Role: role, Content: llm.Text(text)})
}

// end completes the context.
func (w *writer) end() []llm.Message {
	switch last := w.last(); {
	case last == nil:
		w.note("user", noText)
	case last.Role == "assistant":
		w.note("user", goOn)
	}
	return w.messages
}

// merge appends what m says, and the calls it makes, to the message before.
func merge(before *llm.Message, m llm.Message) {
	if before.Name != m.Name {
		before.Name = ""
	}
	before.ToolCalls = m.ToolCalls
	before.Content = join(before.Content, m.Content)
}

func join(a, b json.RawMessage) json.RawMessage {
	switch {
	case len(a) == 0 || string(a) == "null":
		return b
	case len(b) == 0 || string(b) == "null":
		return a
	}
	first, second := partsOf(a), partsOf(b)
	if first[0].raw == nil && second[0].raw == nil {
		return llm.Text(first[0].text + "\n\n" + second[0].text)
	}
	var all []json.RawMessage
	for _, p := range slices.Concat(first, second) {
		if p.raw == nil {
			p.raw = textPart(p.text)
		}
		all = append(all, p.raw)
	}
	return listOf(all)
}
