package anthropic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// turn is one message as Anthropic wants it: roles alternate, and what tools answered stands before what was said.
type turn struct {
	role    string
	results [][]byte
	blocks  []block
}

// block is one JSON content block; text is what it says when it is a text.
type block struct {
	json []byte
	text string
}

// converter collects the conversation.
type converter struct {
	system []string
	turns  []*turn
	called []string // the names of the tools that were called
}

// add converts the message at index i.
func (c *converter) add(i int, m *llm.Message) *llm.Error {
	where := fmt.Sprintf("messages[%d].content", i)
	blocks, fail := contentBlocks(m.Content, where)
	if fail != nil {
		return fail
	}
	switch m.Role {
	case "system", "developer":
		for _, b := range blocks {
			if b.text == "" {
				return invalid(where, "a system message can only hold text for Anthropic's models")
			}
			c.system = append(c.system, b.text)
		}
	case "user":
		t := c.turn("user")
		t.blocks = append(t.blocks, blocks...)
	case "assistant":
		t := c.turn("assistant")
		t.blocks = append(t.blocks, blocks...)
		for _, call := range m.ToolCalls {
			t.blocks = append(t.blocks, block{json: toolUse(call)})
			if !slices.Contains(c.called, call.Function.Name) {
				c.called = append(c.called, call.Function.Name)
			}
		}
	case "tool":
		t := c.turn("user")
		t.results = append(t.results, toolResult(m.ToolCallID, blocks))
	default:
		return invalid(fmt.Sprintf("messages[%d].role", i), "role must be system, developer, user, assistant or tool")
	}
	return nil
}

// turn returns the turn under way if it is of that role, or begins one. An empty turn is as good as none.
func (c *converter) turn(role string) *turn {
	for n := len(c.turns); n > 0; n-- {
		last := c.turns[n-1]
		if last.role == role {
			return last
		}
		if len(last.blocks)+len(last.results) > 0 {
			break
		}
		c.turns = c.turns[:n-1]
	}
	t := &turn{role: role}
	c.turns = append(c.turns, t)
	return t
}

// messages writes the turns that say something.
func (c *converter) messages(b []byte) []byte {
	if n := len(c.turns); n > 0 && c.turns[n-1].role == "assistant" {
		c.turns[n-1].trimEnd()
	}
	b = append(b, '[')
	first := true
	for _, t := range c.turns {
		if len(t.blocks)+len(t.results) == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, `{"role":"`+t.role+`","content":[`...)
		for i, r := range t.results {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, r...)
		}
		for i, k := range t.blocks {
			if i > 0 || len(t.results) > 0 {
				b = append(b, ',')
			}
			b = append(b, k.json...)
		}
		b = append(b, `]}`...)
	}
	return append(b, ']')
}

// trimEnd takes white space off the end of a beginning that the model shall continue: Anthropic refuses it there.
func (t *turn) trimEnd() {
	if n := len(t.blocks); n > 0 && t.blocks[n-1].text != "" {
		t.blocks[n-1] = textBlock(strings.TrimRight(t.blocks[n-1].text, " \t\r\n"))
	}
}

func toolUse(call llm.ToolCall) []byte {
	b := wire.AppendString([]byte(`{"type":"tool_use","id":`), toolID(call.ID))
	b = wire.AppendString(append(b, `,"name":`...), call.Function.Name)
	return append(append(append(b, `,"input":`...), toolInput(call.Function.Arguments)...), '}')
}

// toolInput is the arguments as the object that Anthropic wants. What a model once wrote that is no object must not make the whole conversation unusable.
func toolInput(arguments string) []byte {
	raw := bytes.TrimSpace([]byte(arguments))
	if len(raw) == 0 {
		return []byte("{}")
	}
	if raw[0] == '{' && json.Valid(raw) {
		return raw
	}
	return append(wire.AppendString([]byte(`{"arguments":`), arguments), '}')
}

func toolResult(id string, blocks []block) []byte {
	b := wire.AppendString([]byte(`{"type":"tool_result","tool_use_id":`), toolID(id))
	switch {
	case len(blocks) == 1 && blocks[0].text != "":
		b = wire.AppendString(append(b, `,"content":`...), blocks[0].text)
	case len(blocks) > 0:
		b = append(b, `,"content":[`...)
		for i, k := range blocks {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, k.json...)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// toolID makes an id of another provider one that Anthropic takes: letters, digits, _ and -. The same id always becomes the same one.
func toolID(id string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, id)
}
