package chat

import (
	"encoding/json"

	"github.com/clawless/clawless/server/llm"
)

// Providers say how many tokens a call had; these estimates stand in before it and where a cut stream never says. English has about four bytes a token in the
// vocabularies in use, other scripts two to three.
const (
	bytesPerToken = 4
	messageTokens = 4    // what a message costs besides its text (OpenAI's cookbook, "counting tokens for chat API calls")
	imageTokens   = 1600 // a large image at the vendors' published formulas
	cautiousBytes = 3    // for reservations, which must rather be too large
	defaultAnswer = 8192 // tokens reserved for an answer whose caller names no limit
)

// tokensIn counts received bytes, rounding up.
func tokensIn(bytes int64) int64 { return (bytes + bytesPerToken - 1) / bytesPerToken }

// estimate is the size of a prompt in tokens at so many bytes a token.
func estimate(messages []llm.Message, tools []llm.Tool, perToken int64) int64 {
	var total int64
	for _, m := range messages {
		total += messageSize(m, perToken)
	}
	for _, t := range tools {
		total += (int64(len(t.Function.Name)+len(t.Function.Description)+len(t.Function.Parameters)))/perToken + messageTokens
	}
	return total
}

func messageSize(m llm.Message, perToken int64) int64 {
	bytes, tokens := contentSize(m.Content)
	for _, c := range m.ToolCalls {
		bytes += int64(len(c.ID) + len(c.Function.Name) + len(c.Function.Arguments))
	}
	return tokens + (bytes+perToken-1)/perToken + messageTokens
}

// contentSize is the bytes of text and the tokens of everything else. A base64 image is megabytes of text and some hundred tokens.
func contentSize(c json.RawMessage) (bytes, tokens int64) {
	if len(c) == 0 || c[0] != '[' {
		return int64(len(c)), 0
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(c, &parts) != nil {
		return int64(len(c)), 0
	}
	for _, p := range parts {
		bytes += int64(len(p.Text))
		if p.Type != "text" {
			tokens += imageTokens
		}
	}
	return bytes, tokens
}
