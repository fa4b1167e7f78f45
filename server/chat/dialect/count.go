package dialect

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/clawless/clawless/server/llm"
)

// Providers say how many tokens a call had; these counts stand in before it, and where a cut stream never says. In the vocabularies in use English has about four
// letters a token, and a character of another script is about one.
const (
	lettersPerToken = 4
	cautiousLetters = 2    // where a count decides what is set aside, and must rather be too high: digits and code have two to three
	messageTokens   = 4    // what a message costs besides its text (OpenAI's cookbook, "counting tokens for chat API calls")
	imageTokens     = 1600 // a large image at the vendors' published formulas
)

// Size is a measured text.
type Size struct {
	Bytes  int64
	ascii  int64
	wide   int64 // characters beyond ASCII
	tokens int64 // of what is no text
}

func (s *Size) add(text string) {
	s.Bytes += int64(len(text))
	ascii := 0
	for i := range len(text) {
		if text[i] < utf8.RuneSelf {
			ascii++
		}
	}
	s.ascii += int64(ascii)
	if ascii < len(text) {
		s.wide += int64(utf8.RuneCountInString(text) - ascii)
	}
}

// Tokens is about how many tokens the text has.
func (s Size) Tokens() int64 { return s.tokens + (s.ascii+lettersPerToken-1)/lettersPerToken + s.wide }

// Ceiling is how many tokens the text has at most, but for the strangest of texts.
func (s Size) Ceiling() int64 {
	return s.tokens + (s.ascii+cautiousLetters-1)/cautiousLetters + 2*s.wide
}

// Prompt measures what is sent to a provider.
func Prompt(messages []llm.Message, tools []llm.Tool) Size {
	var s Size
	for _, m := range messages {
		s.message(m)
	}
	for _, t := range tools {
		s.tokens += messageTokens
		s.add(t.Function.Name)
		s.add(t.Function.Description)
		s.add(string(t.Function.Parameters))
	}
	return s
}

// AddParams counts the parameters that a provider reads like a prompt: a schema can be as long as one.
func (s *Size) AddParams(params map[string]json.RawMessage) {
	for _, name := range []string{"response_format", "tool_choice", "logit_bias"} {
		s.add(string(params[name]))
	}
}

func (s *Size) message(m llm.Message) {
	s.tokens += messageTokens
	s.add(m.Name)
	s.add(m.ToolCallID)
	s.content(m.Content)
	for _, c := range m.ToolCalls {
		s.add(c.ID)
		s.add(c.Function.Name)
		s.add(c.Function.Arguments)
	}
}

// content counts the texts as texts and everything else by the piece: a base64 image is megabytes of letters and some hundred tokens.
func (s *Size) content(c json.RawMessage) {
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if len(c) == 0 || c[0] != '[' || json.Unmarshal(c, &parts) != nil {
		s.add(string(c))
		return
	}
	var raw []json.RawMessage
	_ = json.Unmarshal(c, &raw) // it was a list a moment ago
	for i, p := range parts {
		switch p.Type {
		case "text":
			s.add(p.Text)
		case "image_url":
			s.tokens += imageTokens
		default: // a file or a recording can hold as much text as it has bytes
			s.add(string(raw[i]))
		}
	}
}
