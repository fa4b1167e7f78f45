package messages

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/messages/blocks"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// Body gathers a whole answer. It is used by one goroutine.
type Body struct {
	content []AnthropicBlock
	refused bool
	blocks  *blocks.Sequence
}

// NewBody begins an answer.
func NewBody() *Body {
	b := &Body{content: []AnthropicBlock{}}
	b.blocks = blocks.New(b)
	return b
}

// Add takes one chunk in.
func (b *Body) Add(c llm.Chunk) { b.blocks.Add(c) }

// Open implements blocks.Sink.
func (*Body) Open(*blocks.Block) {}

// Grow implements blocks.Sink.
func (*Body) Grow(*blocks.Block, string) {}

// Close implements blocks.Sink.
func (b *Body) Close(k *blocks.Block) {
	b.refused = b.refused || k.Kind == blocks.Refusal
	out := begun(k)
	said := k.Said()
	switch k.Kind {
	case blocks.Thinking:
		out.Thinking = &said
	case blocks.Call:
		out.Input = input(said)
	default:
		out.Text = &said
	}
	b.content = append(b.content, out)
}

// End is the answer. input is what to report of the prompt where the provider did not count.
func (b *Body) End(a *dialect.Answer, input int64) AnthropicAnswer {
	b.blocks.End()
	reason := stopReason(a.Finish, b.refused)
	return AnthropicAnswer{ID: answerID(a), Type: "message", Role: "assistant", Model: a.Model, Content: b.content, StopReason: &reason, Usage: usageBody(a.Total(input)), Clawless: a.Receipt()}
}

// begun is a block as its first event shows it.
func begun(k *blocks.Block) AnthropicBlock {
	empty, none := "", json.RawMessage("{}")
	switch k.Kind {
	case blocks.Thinking:
		return AnthropicBlock{Type: "thinking", Thinking: &empty, Signature: &empty}
	case blocks.Call:
		return AnthropicBlock{Type: "tool_use", ID: k.ID, Name: k.Name, Input: &none}
	}
	return AnthropicBlock{Type: "text", Text: &empty}
}

// input is a call's arguments as the object that clients expect. What is none, as an answer that was cut leaves it, is empty: Anthropic's own clients do the same to
// what they put together from events, and the stop_reason tells.
func input(arguments string) *json.RawMessage {
	raw := json.RawMessage(bytes.TrimSpace([]byte(arguments)))
	if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) {
		raw = json.RawMessage("{}")
	}
	return &raw
}

func stopReason(finish llm.FinishReason, refused bool) string {
	switch {
	case finish == llm.FinishToolCalls:
		return "tool_use"
	case finish == llm.FinishLength:
		return "max_tokens"
	case finish == llm.FinishContentFilter, refused:
		return "refusal"
	}
	return "end_turn"
}

// answerID is the answer's own id in Anthropic's form.
func answerID(a *dialect.Answer) string {
	return "msg_" + a.ID[strings.LastIndexAny(a.ID, "-_")+1:]
}

// Events writes an answer's events. out gets each one's name and its data in one line, which it may keep. It is used by one goroutine.
type Events struct {
	out     func(name string, data []byte)
	index   int
	refused bool
	blocks  *blocks.Sequence
}

// NewEvents begins the answer a with its first event. input is about how many tokens the prompt has; the last event has the provider's own count.
func NewEvents(a *dialect.Answer, input int64, out func(name string, data []byte)) *Events {
	e := &Events{out: out}
	e.blocks = blocks.New(e)
	e.send("message_start", map[string]any{"message": AnthropicAnswer{ID: answerID(a), Type: "message", Role: "assistant", Model: a.Model, Content: []AnthropicBlock{},
		Usage: AnthropicUsage{InputTokens: input}}})
	return e
}

// Add takes one chunk in.
func (e *Events) Add(c llm.Chunk) { e.blocks.Add(c) }

// Open implements blocks.Sink.
func (e *Events) Open(k *blocks.Block) {
	e.refused = e.refused || k.Kind == blocks.Refusal
	e.send("content_block_start", map[string]any{"index": e.index, "content_block": begun(k)})
}

// Grow implements blocks.Sink. These are the events of which there are thousands, and are made in one piece.
func (e *Events) Grow(k *blocks.Block, piece string) {
	b := append(make([]byte, 0, 112+len(piece)), `{"type":"content_block_delta","index":`...)
	b = strconv.AppendInt(b, int64(e.index), 10)
	switch k.Kind {
	case blocks.Thinking:
		b = append(b, `,"delta":{"type":"thinking_delta","thinking":`...)
	case blocks.Call:
		b = append(b, `,"delta":{"type":"input_json_delta","partial_json":`...)
	default:
		b = append(b, `,"delta":{"type":"text_delta","text":`...)
	}
	e.out("content_block_delta", append(wire.AppendString(b, piece), '}', '}'))
}

// Close implements blocks.Sink.
func (e *Events) Close(*blocks.Block) {
	e.send("content_block_stop", map[string]any{"index": e.index})
	e.index++
}

// End writes what ends a complete answer.
func (e *Events) End(a *dialect.Answer, input int64) {
	e.blocks.End()
	e.send("message_delta", map[string]any{"delta": map[string]any{"stop_reason": stopReason(a.Finish, e.refused), "stop_sequence": nil}, "usage": usageBody(a.Total(input)), "clawless": a.Receipt()})
	e.send("message_stop", map[string]any{})
}

// send writes an event that comes a few times in an answer. Its type stands first, where people look for it.
func (e *Events) send(name string, event map[string]any) {
	b := append(make([]byte, 0, 512), `{"type":"`+name+`"`...)
	rest, _ := json.Marshal(event) // texts, numbers and checked JSON always marshal
	if len(event) > 0 {
		b = append(append(b, ','), rest[1:len(rest)-1]...)
	}
	e.out(name, append(b, '}'))
}
