package window

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/clean"
)

// What stands where a provider wants something and there is nothing. Each says what it is, so that no model takes it for somebody's words.
const (
	noText      = "(no text)"
	noResult    = "(no output)"
	noAnswer    = "(no answer was given here)"
	noBeginning = "(the beginning of the conversation is left out)"
	goOn        = "(go on)"
	anImage     = "[image]"
	unanswered  = "[%s left out: the message was not answered]"
)

// mostImages are shown of a conversation: with more, Anthropic refuses the larger ones, and every provider has some limit.
const mostImages = 20

// part is a part of a content.
type part struct {
	raw  json.RawMessage
	kind string
	text string // of a text or a refusal
}

// partsOf takes content apart. A text is one part of its own, without raw bytes.
func partsOf(content json.RawMessage) []part {
	list, ok := llm.Parts(content)
	if !ok {
		if text, ok := llm.Unquote(content); ok {
			return []part{{kind: "text", text: text}}
		}
		return []part{{kind: "text", text: llm.TextOf(content)}}
	}
	out := make([]part, len(list))
	for i, raw := range list {
		out[i] = part{raw: raw, kind: "image_url"}
		if bytes.HasPrefix(raw, []byte(`{"type":"image_url",`)) {
			continue // the usual form, without decoding megabytes
		}
		var p struct {
			Type    string `json:"type"`
			Text    string `json:"text"`
			Refusal string `json:"refusal"`
		}
		_ = json.Unmarshal(raw, &p) // what is no object has no type
		out[i].kind, out[i].text = p.Type, p.Text
		if p.Type == "refusal" {
			out[i].text = p.Refusal
		}
	}
	return out
}

// isThought tells the parts in which some clients send a model's reasoning back. No provider but its own takes them.
func isThought(kind string) bool {
	return kind == "thinking" || kind == "redacted_thinking" || kind == "reasoning"
}

// words is all that a content says, with a note for what is no text. Nothing is left of one that says nothing.
func words(content json.RawMessage) (text string, plain bool) {
	parts := partsOf(content)
	if len(parts) == 1 && parts[0].raw == nil {
		return parts[0].text, true
	}
	var said []string
	for _, p := range parts {
		switch {
		case isThought(p.kind), (p.kind == "text" || p.kind == "refusal") && blank(p.text):
		case p.kind == "text", p.kind == "refusal":
			said = append(said, p.text)
		case p.kind == "image_url":
			said = append(said, anImage)
		default:
			said = append(said, "["+label(p.kind)+"]")
		}
	}
	return strings.Join(said, "\n\n"), false
}

// spoken is what an assistant said, as a text: no content when it said nothing.
func spoken(content json.RawMessage) (json.RawMessage, string) {
	said, plain := words(content)
	text := clean.Text(said)
	switch {
	case blank(text):
		return nil, ""
	case plain && len(text) == len(said):
		return content, text
	}
	return llm.Text(text), text
}

// result is what a tool answered, as a text.
func result(content json.RawMessage) (json.RawMessage, string) {
	if content, text := spoken(content); content != nil {
		return content, text
	}
	return llm.Text(noResult), noResult
}

// asked is what the user's message at i says: without blank texts and reasoning, and with notes for images that are too many or too much for the model.
func (s *splitter) asked(list []Message, i int) json.RawMessage {
	content := clean.Content(list[i].Content)
	parts := partsOf(content)
	if len(parts) == 1 && parts[0].raw == nil {
		if blank(parts[0].text) {
			return llm.Text(noText)
		}
		return content
	}
	alone := s.isUnanswered(list, i)
	kept := make([]json.RawMessage, 0, len(parts))
	changed := false
	for _, p := range parts {
		note := ""
		switch {
		case isThought(p.kind), p.kind == "text" && blank(p.text):
			changed = true
			continue
		case p.kind == "text":
		case alone:
			note = strings.Replace(unanswered, "%s", label(strings.TrimSuffix(p.kind, "_url")), 1)
		case p.kind == "image_url" && (s.in.NoImages || i < s.oldest):
			note = anImage
		}
		if note != "" {
			changed = true
			p.raw = textPart(note)
		}
		kept = append(kept, p.raw)
	}
	switch {
	case len(kept) == 0:
		return llm.Text(noText)
	case !changed:
		return content
	}
	return listOf(kept)
}

// isUnanswered reports whether nothing but another turn's question follows the user's message at i. What it holds beside text may be why, and must not fail the next turn too.
func (s *splitter) isUnanswered(list []Message, i int) bool {
	run := list[i].Run
	if run == "" || i >= len(s.in.History) {
		return false
	}
	for i++; i < len(list) && list[i].Role == "user" && list[i].Run == run; i++ {
	}
	return i < len(list) && list[i].Role == "user"
}

// markImages finds the oldest message whose images are shown.
func (s *splitter) markImages(list []Message) {
	shown := 0
	for i := len(list) - 1; i >= 0; i-- {
		if c := list[i].Content; list[i].Role != "user" || len(c) == 0 || c[0] != '[' {
			continue
		}
		n := 0
		for _, p := range partsOf(list[i].Content) {
			if p.kind == "image_url" {
				n++
			}
		}
		if n > 0 && shown > 0 && shown+n > mostImages {
			s.oldest = i + 1
			return
		}
		shown += n
	}
}

func textPart(text string) json.RawMessage {
	return json.RawMessage(`{"type":"text","text":` + string(llm.Text(text)) + `}`)
}

func listOf(parts []json.RawMessage) json.RawMessage {
	return append(append([]byte("["), bytes.Join(raws(parts), []byte(","))...), ']')
}

func raws(parts []json.RawMessage) [][]byte {
	out := make([][]byte, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out
}

// same reports whether two contents are the same bytes in the same place.
func same(a, b json.RawMessage) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

const (
	longestID   = 40
	longestName = 64
)

// ids keeps the ids of calls apart.
type ids map[string]bool

// take returns id where every provider takes it and no call before had it, and else another, always the same for the same calls.
func (s ids) take(id string) string {
	out := id
	for n := uint32(0); !isID(out) || s[out]; n++ {
		h := fnv.New64a()
		_, _ = h.Write(binary.BigEndian.AppendUint32([]byte(id), n)) // a hash takes everything
		out = "call_" + hex.EncodeToString(h.Sum(nil))
	}
	s[out] = true
	return out
}

func isID(id string) bool { return id != "" && len(id) <= longestID && label(id) == id }

// label makes a name of letters, digits, _ and - that every provider takes; empty stays empty.
func label(name string) string {
	out := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	return out[:min(len(out), longestName)]
}

// mended is a call as every provider takes it: models make up names, and arguments that are no object.
func mended(c llm.ToolCall, id string) llm.ToolCall {
	c.ID, c.Type = id, "function"
	if c.Function.Name = label(clean.Text(c.Function.Name)); c.Function.Name == "" {
		c.Function.Name = "unknown"
	}
	c.Function.Arguments = object(clean.Arguments(c.Function.Arguments))
	return c
}

func object(arguments string) string {
	switch trimmed := strings.TrimSpace(arguments); {
	case trimmed == "", trimmed == "null":
		return "{}"
	case trimmed[0] == '{' && json.Valid([]byte(trimmed)):
		return arguments
	}
	return `{"arguments":` + string(llm.Text(arguments)) + `}`
}

// instructions makes one message of all that stands before the conversation. Control tokens in it are the operator's and the tenant's own.
func instructions(list []llm.Message) []llm.Message {
	var said []string
	role := "developer"
	for _, m := range list {
		if m.Role == "system" {
			role = "system"
		}
		if text := llm.TextOf(m.Content); !blank(text) {
			said = append(said, text)
		}
	}
	switch {
	case len(said) == 0:
		return nil
	case len(list) == 1 && list[0].Name == "" && len(list[0].Content) > 0 && list[0].Content[0] == '"':
		return list[:1:1]
	}
	return []llm.Message{{Role: role, Content: llm.Text(strings.Join(said, "\n\n"))}}
}
