package dialect

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// Frames gives out the chunks in which clients see c: the role once, then what c holds, each one line of JSON that out may keep.
func (a *Answer) Frames(c llm.Chunk, out func([]byte)) {
	if !a.framed {
		a.framed = true
		out(a.frame([]byte(`{"role":"assistant","content":""}`), "", nil, ""))
	}
	if c.Reasoning != "" && !a.Hidden {
		out(a.frame(delta("reasoning_content", c.Reasoning), "", nil, ""))
	}
	if c.Text != "" || len(c.Logprobs) > 0 { // the one kind of which there are thousands is made in one piece
		b := a.head(make([]byte, 0, 224+len(c.Text)+len(c.Logprobs)))
		b = wire.AppendString(append(b, `{"content":`...), c.Text)
		out(tail(append(b, '}'), "", c.Logprobs, ""))
	}
	if c.Refusal != "" {
		out(a.frame(delta("refusal", c.Refusal), "", nil, ""))
	}
	if len(c.ToolCalls) > 0 {
		out(a.frame(toolDelta(c.ToolCalls), "", nil, ""))
	}
	if c.FinishReason != "" {
		receipt, _ := json.Marshal(a.Receipt()) // texts and numbers always marshal
		out(a.frame([]byte(`{}`), c.FinishReason, nil, `,"clawless":`+string(receipt)))
	}
}

// UsageFrame is the chunk with empty choices that OpenAI sends to those who ask for usage.
func (a *Answer) UsageFrame(input int64) []byte {
	usage := usageBody(a.Total(input))
	b, _ := json.Marshal(ChatChunk{ID: a.ID, Object: "chat.completion.chunk", Created: a.Created, Model: a.Model, Choices: []ChatChunkChoice{}, Usage: &usage})
	return b
}

func delta(name, text string) []byte {
	b := append(make([]byte, 0, len(name)+len(text)+8), `{"`...)
	b = append(append(b, name...), `":`...)
	return append(wire.AppendString(b, text), '}')
}

func (a *Answer) frame(delta []byte, finish llm.FinishReason, logprobs json.RawMessage, extra string) []byte {
	b := a.head(make([]byte, 0, 224+len(delta)+len(logprobs)+len(extra)))
	return tail(append(b, delta...), finish, logprobs, extra)
}

// head is the same for every frame of an answer and made once.
func (a *Answer) head(b []byte) []byte {
	if a.prefix == nil {
		p := wire.AppendString([]byte(`{"id":`), a.ID)
		p = append(p, `,"object":"chat.completion.chunk","created":`...)
		p = strconv.AppendInt(p, a.Created, 10)
		p = append(p, `,"model":`...)
		p = wire.AppendString(p, a.Model)
		a.prefix = append(p, `,"choices":[{"index":0,"delta":`...)
	}
	return append(b, a.prefix...)
}

func tail(b []byte, finish llm.FinishReason, logprobs json.RawMessage, extra string) []byte {
	if len(logprobs) > 0 {
		b = append(append(b, `,"logprobs":`...), oneLine(logprobs)...)
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

// oneLine takes the line breaks out of a provider's JSON: one would end the event.
func oneLine(raw json.RawMessage) []byte {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return []byte("null")
	}
	return b.Bytes()
}

func toolDelta(list []llm.ToolCallDelta) []byte {
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
	b, _ := json.Marshal(map[string]any{"tool_calls": calls}) // texts and numbers always marshal
	return b
}
