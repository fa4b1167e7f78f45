package tokens

import (
	"bytes"
	"encoding/json"

	"github.com/clawless/clawless/server/llm"
)

const (
	perMessage = 4    // what a message costs besides its text (OpenAI's cookbook, "counting tokens for chat API calls", rounded up)
	perImage   = 1600 // a large image at the vendors' published formulas
	perTool    = 12   // what a tool costs besides its texts
	soundShare = 64   // bytes of a recording in base64 for a token: 32 tokens a second of sound at 16 kbit/s
)

// Message is what a message costs in a request.
func (c Counter) Message(m llm.Message) int64 { return c.Content(m.Content) + c.Beside(m) }

// Beside is what a message costs beside its content.
func (c Counter) Beside(m llm.Message) int64 {
	n := int64(perMessage)
	if m.Name != "" {
		n += 1 + c.Count(m.Name)
	}
	if m.ToolCallID != "" {
		n += c.Count(m.ToolCallID)
	}
	for _, t := range m.ToolCalls {
		n += perMessage + c.Count(t.ID) + c.Count(t.Function.Name) + c.Count(t.Function.Arguments)
	}
	return n
}

// Tools is what the tools cost that are sent with every request.
func (c Counter) Tools(list []llm.Tool) int64 {
	var n int64
	for _, t := range list {
		n += perTool + c.Count(t.Function.Name) + c.Count(t.Function.Description) + c.Count(string(t.Function.Parameters))
	}
	return n
}

// Content is what a message's content costs. An image costs a fixed sum, however many bytes it has; a file as much as its bytes, which is what a text in it can cost.
func (c Counter) Content(content json.RawMessage) int64 {
	parts, ok := llm.Parts(content)
	if !ok {
		if text, ok := llm.Unquote(content); ok {
			return c.Count(text)
		}
		return c.Count(llm.TextOf(content))
	}
	var n int64
	for _, raw := range parts {
		var p struct {
			Type    string `json:"type"`
			Text    string `json:"text"`
			Refusal string `json:"refusal"`
		}
		if bytes.HasPrefix(raw, []byte(`{"type":"image_url"`)) { // the usual form, without decoding megabytes
			n += perImage
			continue
		}
		_ = json.Unmarshal(raw, &p) // what is no part costs its bytes
		switch p.Type {
		case "text":
			n += c.Count(p.Text)
		case "refusal":
			n += c.Count(p.Refusal)
		case "image_url":
			n += perImage
		case "input_audio":
			n += int64(len(raw)/soundShare) + perMessage
		default:
			n += c.Ceiling(string(raw))
		}
	}
	return n
}
