package llm

import (
	"encoding/json"
	"strings"
)

// TextOf returns the text of a message's content: the string itself, or its text parts one after the other. Anything else is no text.
func TextOf(content json.RawMessage) string {
	if len(content) == 0 {
		return ""
	}
	var s string
	if json.Unmarshal(content, &s) == nil {
		return s
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(content, &parts) != nil {
		return ""
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type == "text" {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

// Text makes content of a string.
func Text(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string always marshals
	return b
}
