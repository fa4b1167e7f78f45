package messages

import (
	"encoding/json"
	"strings"

	"github.com/clawless/clawless/server/chat/messages/fields"
	"github.com/clawless/clawless/server/llm"
)

func messages(o *fields.Object) []llm.Message {
	if !o.Has("messages") {
		o.Fail("messages", "is required")
		return nil
	}
	list, ok := o.List("messages", maxMessages)
	if ok && len(list) == 0 {
		o.Fail("messages", "must have at least one message")
	}
	out := make([]llm.Message, 0, len(list))
	for i, v := range list {
		m, ok := o.Item("messages", i, v, "must be an object with role and content")
		if !ok {
			continue
		}
		switch role := m.Needed("role", maxName); role {
		case "user":
			out = append(out, user(m)...)
		case "assistant":
			out = append(out, assistant(m)...)
		case "system":
			if v, ok := m.Raw("content"); ok {
				if content := textOnly(m, "content", v); content != nil {
					out = append(out, llm.Message{Role: role, Content: content})
				}
			}
		case "":
		default:
			m.Fail("role", "must be one of user, assistant, system")
		}
	}
	if len(out) == 0 && len(list) > 0 && o.Clean() { // of a history of thoughts alone nothing is left to answer
		o.Fail("messages", "must have at least one message with text, an image or a tool's result")
	}
	return out
}

// part is one part of a content in the chat dialect.
type part struct {
	Type     string    `json:"type"`
	Text     string    `json:"text,omitempty"`
	ImageURL *imageURL `json:"image_url,omitempty"`
}

type imageURL struct {
	URL string `json:"url"`
}

// content is the shortest form of the parts: one text is a string, which every vendor takes.
func content(parts []part) json.RawMessage {
	if len(parts) == 1 && parts[0].Type == "text" {
		return llm.Text(parts[0].Text)
	}
	b, _ := json.Marshal(parts) // texts always marshal
	return b
}

// blocksOf calls each for the blocks of a content that is not a plain text; plain is what it is otherwise.
func blocksOf(m *fields.Object, each func(b *fields.Object, kind string)) (plain json.RawMessage) {
	v, ok := m.Raw("content")
	if !ok {
		m.Fail("content", "is required")
		return nil
	}
	if v[0] == '"' {
		return v
	}
	list, _ := m.List("content", maxBlocks)
	for i, v := range list {
		b, ok := m.Item("content", i, v, "must be a block with a type")
		if !ok {
			continue
		}
		if kind := b.Needed("type", maxName); kind != "" {
			each(b, kind)
		}
	}
	return nil
}

// user reads a user's message. The results of tools become messages of their own, before what else was said.
func user(m *fields.Object) (out []llm.Message) {
	var said []part
	plain := blocksOf(m, func(b *fields.Object, kind string) {
		if kind != "tool_result" {
			said = append(said, saidPart(b, kind)...)
			return
		}
		result, images := toolResult(b)
		out = append(out, result)
		said = append(said, images...)
	})
	switch {
	case plain != nil:
		out = append(out, llm.Message{Role: "user", Content: plain})
	case len(said) > 0:
		out = append(out, llm.Message{Role: "user", Content: content(said)})
	}
	return out
}

// saidPart reads a text or an image. An empty text is nothing, which other vendors refuse.
func saidPart(b *fields.Object, kind string) []part {
	switch kind {
	case "text":
		s := b.Text("text", 0)
		if s == "" {
			return nil
		}
		return []part{{Type: "text", Text: s}}
	case "image":
		return []part{{Type: "image_url", ImageURL: &imageURL{image(b)}}}
	case "document", "search_result", "container_upload":
		b.Unsupported("type", "%s blocks are not supported; send what matters of it as text", kind)
	default:
		b.Unsupported("type", "must be one of text, image, tool_use, tool_result, thinking, redacted_thinking")
	}
	return nil
}

func image(b *fields.Object) string {
	s, ok := b.Object("source")
	if !ok {
		if !b.Has("source") {
			b.Fail("source", "is required")
		}
		return ""
	}
	switch s.Needed("type", maxName) {
	case "":
	case "base64":
		return "data:" + s.Needed("media_type", maxName) + ";base64," + s.Needed("data", 0)
	case "url":
		return s.Needed("url", 0)
	default:
		s.Unsupported("type", "must be base64 or url; there are no stored files here")
	}
	return ""
}

// The chat dialect has only text in a tool's result, so that an image is shown in the user's message after it.
const imageBelow = "(an image, in the next message)"

// toolResult reads what a tool answered: its text, and the images that came with it.
func toolResult(b *fields.Object) (llm.Message, []part) {
	var texts []string
	var images []part
	if b.Has("content") {
		plain := blocksOf(b, func(inner *fields.Object, kind string) {
			for _, p := range saidPart(inner, kind) {
				if p.Type == "text" {
					texts = append(texts, p.Text)
					continue
				}
				texts, images = append(texts, imageBelow), append(images, p)
			}
		})
		if plain != nil {
			texts = append(texts, b.Text("content", 0))
		}
	}
	text := strings.Join(texts, "\n\n")
	if failed, _ := b.Bool("is_error"); failed {
		text = "Error: " + text // the chat dialect has no other word for it
	}
	return llm.Message{Role: "tool", ToolCallID: b.Needed("tool_use_id", maxName), Content: llm.Text(text)}, images
}

// assistant reads a message that the assistant said. Its thoughts are left out: a vendor takes back only its own, and who thought is not known here.
func assistant(m *fields.Object) []llm.Message {
	var said []part
	out := llm.Message{Role: "assistant"}
	plain := blocksOf(m, func(b *fields.Object, kind string) {
		switch kind {
		case "thinking", "redacted_thinking":
		case "tool_use":
			call := llm.ToolCall{Type: "function", ID: b.Needed("id", maxName), Function: llm.ToolCallFunction{Name: b.Needed("name", maxName), Arguments: "{}"}}
			if input, ok := b.Raw("input"); ok {
				if input[0] != '{' {
					b.Fail("input", "must be an object")
				}
				call.Function.Arguments = string(input)
			}
			out.ToolCalls = append(out.ToolCalls, call)
		case "image":
			b.Fail("type", "an assistant's message holds text, tool_use and thinking")
		default:
			said = append(said, saidPart(b, kind)...)
		}
	})
	switch {
	case plain != nil:
		out.Content = plain
	case len(said) > 0:
		out.Content = content(said)
	case len(out.ToolCalls) == 0:
		return nil
	}
	return []llm.Message{out}
}
