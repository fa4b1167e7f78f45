package responses

import (
	"encoding/json"
	"strings"

	"github.com/clawless/clawless/server/chat/messages/fields"
	"github.com/clawless/clawless/server/llm"
)

// input reads the conversation. What the assistant said and the calls it made in one go become one message, as the chat dialect has it.
func input(o *fields.Object) []llm.Message {
	v, ok := o.Raw("input")
	switch {
	case !ok:
		o.Fail("input", "is required")
		return nil
	case v[0] == '"':
		if o.Text("input", 0) == "" && o.Clean() {
			o.Fail("input", "must not be empty")
		}
		return []llm.Message{{Role: "user", Content: v}}
	case v[0] != '[':
		o.Fail("input", "must be a string or a list of items")
		return nil
	}
	list, _ := o.List("input", maxItems)
	c := conversation{}
	for i, v := range list {
		if item, ok := o.Item("input", i, v, "must be an object with a type"); ok {
			c.add(item)
		}
	}
	c.show()
	if len(c.messages) == 0 && o.Clean() {
		o.Fail("input", "must have at least one item that says something")
	}
	return c.messages
}

type conversation struct {
	messages []llm.Message
	spoken   []part // of the assistant's message, when that is the last
	images   []part // of the outputs that came last: nothing may stand between a call's message and its outputs
}

// show puts the outputs' images after the last of them.
func (c *conversation) show() {
	if len(c.images) > 0 {
		c.messages = append(c.messages, llm.Message{Role: "user", Content: content(c.images)})
		c.images = nil
	}
}

// speaking is the assistant's message to which more may be added, or a new one.
func (c *conversation) speaking() *llm.Message {
	if n := len(c.messages); n == 0 || c.messages[n-1].Role != "assistant" {
		c.messages, c.spoken = append(c.messages, llm.Message{Role: "assistant"}), nil
	}
	return &c.messages[len(c.messages)-1]
}

func (c *conversation) add(item *fields.Object) {
	kind := item.Text("type", maxName)
	if kind != "function_call_output" {
		c.show()
	}
	switch kind {
	case "", "message":
		c.message(item)
	case "reasoning": // a vendor takes back only its own thoughts, and who thought is not known here
	case "function_call":
		m := c.speaking()
		m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: item.Needed("call_id", maxName), Type: "function",
			Function: llm.ToolCallFunction{Name: item.Needed("name", maxName), Arguments: item.Text("arguments", 0)}})
	case "function_call_output":
		c.output(item)
	case "item_reference":
		item.Unsupported("type", useSession)
	default:
		item.Unsupported("type", "must be one of message, function_call, function_call_output, reasoning")
	}
}

func (c *conversation) message(item *fields.Object) {
	role := item.Needed("role", maxName)
	switch role {
	case "user", "assistant", "system", "developer":
	case "":
		return
	default:
		item.Fail("role", "must be one of user, assistant, system, developer")
		return
	}
	said := parts(item, "content")
	if len(said) == 0 {
		return
	}
	if role == "assistant" {
		if m := c.speaking(); m.Content == nil || len(m.ToolCalls) > 0 {
			c.spoken = append(c.spoken, said...)
			m.Content = content(c.spoken)
			return
		}
		c.spoken = said
	}
	c.messages = append(c.messages, llm.Message{Role: role, Content: content(said)})
}

// The chat dialect has only text in a function's output, so that an image or a file is shown in a user's message after it.
const imageBelow = "(attached to the next message)"

func (c *conversation) output(item *fields.Object) {
	var texts []string
	for _, p := range parts(item, "output") {
		if p.Type == "text" {
			texts = append(texts, p.Text)
			continue
		}
		texts, c.images = append(texts, imageBelow), append(c.images, p)
	}
	c.messages = append(c.messages, llm.Message{Role: "tool", ToolCallID: item.Needed("call_id", maxName), Content: llm.Text(strings.Join(texts, "\n\n"))})
}

// part is one part of a content in the chat dialect.
type part struct {
	Type     string    `json:"type"`
	Text     string    `json:"text,omitempty"`
	ImageURL *imageURL `json:"image_url,omitempty"`
	File     *file     `json:"file,omitempty"`
}

type imageURL struct {
	URL    string `json:"url"`
	Detail string `json:"detail,omitempty"`
}

type file struct {
	Name string `json:"filename,omitempty"`
	Data string `json:"file_data"`
}

// content is the shortest form of the parts: one text is a string, which every vendor takes.
func content(said []part) json.RawMessage {
	if len(said) == 1 && said[0].Type == "text" {
		return llm.Text(said[0].Text)
	}
	b, _ := json.Marshal(said) // texts always marshal
	return b
}

// parts reads a content: a text, or a list of parts. Empty texts are nothing, which other vendors refuse.
func parts(item *fields.Object, name string) (out []part) {
	v, ok := item.Raw(name)
	if !ok {
		item.Fail(name, "is required")
		return nil
	}
	if v[0] == '"' {
		var s string
		_ = json.Unmarshal(v, &s) // the body is valid JSON
		return []part{{Type: "text", Text: s}}
	}
	list, _ := item.List(name, maxParts)
	for i, v := range list {
		p, ok := item.Item(name, i, v, "must be an object with a type")
		if !ok {
			continue
		}
		if read, ok := onePart(p); ok {
			out = append(out, read)
		}
	}
	return out
}

func onePart(p *fields.Object) (part, bool) {
	switch p.Needed("type", maxName) {
	case "":
	case "input_text", "output_text", "text", "summary_text":
		s := p.Text("text", 0)
		return part{Type: "text", Text: s}, s != ""
	case "refusal":
		s := p.Text("refusal", 0)
		return part{Type: "text", Text: s}, s != ""
	case "input_image":
		if p.Has("file_id") {
			p.Unsupported("file_id", "there are no stored files here; give image_url, an address or a data URL")
			return part{}, false
		}
		return part{Type: "image_url", ImageURL: &imageURL{p.Needed("image_url", 0), p.Text("detail", maxName)}}, true
	case "input_file":
		if p.Has("file_id") || p.Has("file_url") {
			p.Unsupported("type", "there are no stored files here, and none are fetched; give file_data")
			return part{}, false
		}
		return part{Type: "file", File: &file{p.Text("filename", maxName), p.Needed("file_data", 0)}}, true
	default:
		p.Unsupported("type", "must be one of input_text, output_text, refusal, input_image, input_file")
	}
	return part{}, false
}
