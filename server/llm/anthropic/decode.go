package anthropic

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
	"github.com/clawless/clawless/server/llm/wire/frame"
	"github.com/clawless/clawless/server/llm/wire/sse"
)

// event is one frame of a stream, and message the whole of an answer in one piece.
type event struct {
	Type    string          `json:"type"`
	Index   int             `json:"index"`
	Message *message        `json:"message"`
	Block   *contentBlock   `json:"content_block"`
	Delta   *delta          `json:"delta"`
	Usage   *usage          `json:"usage"`
	Error   json.RawMessage `json:"error"`
}

type message struct {
	Type       string         `json:"type"`
	Model      string         `json:"model"`
	Content    []contentBlock `json:"content"`
	StopReason *string        `json:"stop_reason"`
	Usage      *usage         `json:"usage"`
}

type contentBlock struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	Thinking string          `json:"thinking"`
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Input    json.RawMessage `json:"input"`
}

type delta struct {
	Type        string  `json:"type"`
	Text        string  `json:"text"`
	Thinking    string  `json:"thinking"`
	PartialJSON string  `json:"partial_json"`
	StopReason  *string `json:"stop_reason"`
}

// maxCalls is how many calls an answer may have: the end of each block is looked for among them, and nobody has a use for more.
const maxCalls = 256

// openCall is a call under way.
type openCall struct {
	block int             // Anthropic's number of the content block
	input json.RawMessage // what the block began with, used when nothing else comes
	begun bool            // some arguments came
}

// decoder turns the events of one answer into chunks. The finish reason waits for the end of the message, which comes with the usage.
type decoder struct {
	e      *wire.Endpoint
	shape  frame.Template
	shaped shapedCall
	calls  []openCall
	usage  tally
	reason string
	model  string
	named  bool
}

// stream relays the events. It returns the failure that is still to be yielded, nil when there is none or the reader left.
func (d *decoder) stream(a *wire.Answer, yield func(llm.Chunk, error) bool) *llm.Error {
	frames := sse.NewReader(a)
	for {
		ev, err := frames.Next()
		if err != nil {
			if d.reason == "" {
				return a.Fail(err)
			}
			yield(d.end(), nil)
			return nil
		}
		was := d.reason != ""
		chunk, ok, stop, fail := d.read(ev.Data)
		switch {
		case fail != nil && fail.Class == llm.ClassBroken && was:
			continue // the answer is complete; a torn frame after it can only have been the end
		case fail != nil:
			return fail
		case stop && !was:
			return a.Broken("the message stopped without a reason", nil)
		case stop:
			yield(d.end(), nil)
			a.Drain()
			return nil
		}
		if ok && !yield(chunk, nil) {
			return nil
		}
		if d.reason != "" && !was {
			a.Complete()
		}
	}
}

// read decodes one event; ok is false when it says nothing that is passed on, and stop is true at the end of the message.
func (d *decoder) read(data []byte) (out llm.Chunk, ok, stop bool, fail *llm.Error) {
	if kind, text, ok := d.shape.Match(data); ok {
		if out, ok = d.quick(kind, text); ok {
			return out, true, false, nil
		}
	}
	var ev event
	if err := json.Unmarshal(data, &ev); err != nil {
		return out, false, false, &llm.Error{Class: llm.ClassBroken, Provider: d.e.Provider, Message: "a frame of the stream is not an event of a message", Err: err}
	}
	switch ev.Type {
	case "message_start":
		if ev.Message != nil {
			d.model = ev.Message.Model
			d.usage.add(ev.Message.Usage)
		}
	case "content_block_start":
		if ev.Block != nil {
			if fail = d.begin(ev.Index, ev.Block, &out); fail != nil {
				return llm.Chunk{}, false, false, fail
			}
		}
	case "content_block_delta":
		if ev.Delta != nil {
			d.delta(ev.Index, ev.Delta, &out)
		}
	case "content_block_stop":
		d.closeCall(ev.Index, &out)
	case "message_delta":
		if ev.Delta != nil && ev.Delta.StopReason != nil {
			d.reason = *ev.Delta.StopReason
		}
		d.usage.add(ev.Usage)
	case "message_stop":
		return out, false, true, nil
	case "error":
		return out, false, false, d.e.Failure(0, "", data)
	default: // ping, and events that Anthropic adds
		if len(ev.Error) > 0 && string(ev.Error) != "null" {
			return out, false, false, d.e.Failure(0, "", data)
		}
	}
	ok = out.Text != "" || out.Reasoning != "" || len(out.ToolCalls) > 0
	if ok {
		if kind, text, only := onlyText(&ev); only && d.shape.Learn(data, kind, text, decodeText) && kind == frame.Arguments {
			d.shaped = shapedCall{out.ToolCalls[0].Index, len(d.calls)}
		}
		d.name(&out)
	}
	return out, ok, false, nil
}

// begin starts a block. Other servers of this dialect put the whole block in here.
func (d *decoder) begin(index int, b *contentBlock, out *llm.Chunk) *llm.Error {
	switch b.Type {
	case "text":
		out.Text = b.Text
	case "thinking":
		out.Reasoning = b.Thinking
	case "tool_use":
		if strings.TrimSpace(b.Name) == "" {
			return &llm.Error{Class: llm.ClassBroken, Provider: d.e.Provider, Message: "the answer calls a tool without a name"}
		}
		if len(d.calls) == maxCalls {
			return &llm.Error{Class: llm.ClassBroken, Provider: d.e.Provider, Message: fmt.Sprintf("the answer calls more than %d tools", maxCalls)}
		}
		id := b.ID
		if id == "" {
			id = ids.New("toolu_")
		}
		out.ToolCalls = append(out.ToolCalls, llm.ToolCallDelta{Index: len(d.calls), ID: id, Name: b.Name})
		d.calls = append(d.calls, openCall{block: index, input: b.Input})
	}
	return nil
}

func (d *decoder) delta(index int, in *delta, out *llm.Chunk) {
	switch in.Type {
	case "text_delta":
		out.Text = in.Text
	case "thinking_delta":
		out.Reasoning = in.Thinking
	case "input_json_delta":
		for i := len(d.calls) - 1; i >= 0; i-- {
			if d.calls[i].block == index && in.PartialJSON != "" {
				d.calls[i].begun = true
				out.ToolCalls = append(out.ToolCalls, llm.ToolCallDelta{Index: i, Arguments: in.PartialJSON})
				break
			}
		}
	}
}

// closeCall gives a call that came without arguments those it began with, or none.
func (d *decoder) closeCall(index int, out *llm.Chunk) {
	for i := range d.calls {
		if c := &d.calls[i]; c.block == index && !c.begun {
			c.begun = true
			args := string(c.input)
			if args == "" || args == "null" {
				args = "{}"
			}
			out.ToolCalls = append(out.ToolCalls, llm.ToolCallDelta{Index: i, Arguments: args})
		}
	}
}

// end is the last chunk of a finished answer.
func (d *decoder) end() llm.Chunk {
	var out llm.Chunk
	for i := range d.calls {
		d.closeCall(d.calls[i].block, &out)
	}
	out.FinishReason = finishReason(d.reason, len(d.calls) > 0)
	out.Usage = d.usage.total()
	d.name(&out)
	return out
}

// shapedCall is the call that frames of the known shape continue, as long as no other call has begun.
type shapedCall struct{ index, of int }

// quick makes the chunk of an event of the known shape. It reports false where the shape alone does not tell whose arguments they are.
func (d *decoder) quick(kind frame.Kind, text string) (llm.Chunk, bool) {
	switch kind {
	case frame.Reasoning:
		return llm.Chunk{Reasoning: text}, true
	case frame.Arguments:
		if len(d.calls) != d.shaped.of {
			return llm.Chunk{}, false
		}
		d.calls[d.shaped.index].begun = true
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

// whole yields an answer that comes as one JSON object as one chunk.
func (d *decoder) whole(a *wire.Answer, yield func(llm.Chunk, error) bool) *llm.Error {
	body, fail := a.ReadAll()
	if fail != nil {
		return fail
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return a.Broken("the answer is not a message", err)
	}
	if m.Type == "error" {
		return d.e.Failure(0, "", body)
	}
	if m.Content == nil {
		if w, failed := wire.ReadWords(body); failed {
			return d.e.FromWords(0, w)
		}
		return a.Broken("the answer has no content", nil)
	}
	d.model, d.reason = m.Model, "end_turn"
	if m.StopReason != nil {
		d.reason = *m.StopReason
	}
	d.usage.add(m.Usage)
	var out llm.Chunk
	for i := range m.Content {
		var step llm.Chunk
		if fail = d.begin(i, &m.Content[i], &step); fail != nil {
			return fail
		}
		out.Text, out.Reasoning = out.Text+step.Text, out.Reasoning+step.Reasoning
		out.ToolCalls = append(out.ToolCalls, step.ToolCalls...)
	}
	last := d.end()
	for _, t := range last.ToolCalls {
		out.ToolCalls[t.Index].Arguments = t.Arguments
	}
	out.FinishReason, out.Usage, out.Model = last.FinishReason, last.Usage, last.Model
	yield(out, nil)
	return nil
}

// decodeText is the full reading of an event that says nothing but a text; the shape of such events is learned.
func decodeText(data []byte) (frame.Kind, string, bool) {
	var ev event
	if json.Unmarshal(data, &ev) != nil {
		return 0, "", false
	}
	return onlyText(&ev)
}

func onlyText(ev *event) (frame.Kind, string, bool) {
	switch {
	case ev.Type != "content_block_delta" || ev.Delta == nil:
	case ev.Delta.Type == "text_delta" && ev.Delta.Text != "":
		return frame.Text, ev.Delta.Text, true
	case ev.Delta.Type == "thinking_delta" && ev.Delta.Thinking != "":
		return frame.Reasoning, ev.Delta.Thinking, true
	case ev.Delta.Type == "input_json_delta" && ev.Delta.PartialJSON != "":
		return frame.Arguments, ev.Delta.PartialJSON, true
	}
	return 0, "", false
}

// finishReason maps Anthropic's word to OpenAI's.
func finishReason(word string, calls bool) llm.FinishReason {
	switch strings.ToLower(word) {
	case "max_tokens", "model_context_window_exceeded":
		return llm.FinishLength
	case "refusal":
		return llm.FinishContentFilter
	}
	if calls {
		return llm.FinishToolCalls
	}
	return llm.FinishStop
}
