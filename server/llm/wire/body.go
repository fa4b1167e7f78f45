package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/clawless/clawless/server/llm"
)

// maxMessage bounds, in bytes, what is kept of a provider's message.
const maxMessage = 4 << 10

// Words are what a provider says of a failure, in whatever envelope.
type Words struct {
	Message string
	Type    string
	Param   string
	Code    string
	Status  int // where the envelope repeats or replaces the HTTP status; zero otherwise
}

// loose is a JSON scalar that providers write as a string or as a number.
type loose string

// UnmarshalJSON takes a string or a number and ignores everything else.
func (l *loose) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case json.Unmarshal(b, &s) == nil:
		*l = loose(s)
	case len(b) > 0 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9'):
		*l = loose(b)
	}
	return nil
}

// plain are the fields of an error object.
type plain struct {
	Message loose           `json:"message"`
	Detail  json.RawMessage `json:"detail"` // FastAPI's word for the message
	Type    loose           `json:"type"`
	Param   loose           `json:"param"`
	Code    loose           `json:"code"`
	Status  loose           `json:"status"` // Google's word for the type
}

// ReadWords finds the error in a JSON body: {"error":{…}}, {"error":"…"}, {"errors":[{…}]}, {"message":…}, {"detail":…}, or a list with one of them. It reports
// false when the body holds no error.
func ReadWords(body []byte) (Words, bool) {
	body = bytes.TrimSpace(body)
	var list []json.RawMessage
	if len(body) > 0 && body[0] == '[' && json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	var envelope struct {
		plain
		Object string          `json:"object"`
		Error  json.RawMessage `json:"error"`
		Errors json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return Words{}, false
	}
	if len(envelope.Error) > 0 && string(envelope.Error) != "null" && string(envelope.Error) != "false" {
		return readError(envelope.Error), true
	}
	var many []json.RawMessage
	if json.Unmarshal(envelope.Errors, &many) == nil && len(many) > 0 {
		return readError(many[0]), true
	}
	w := envelope.words()
	return w, w.Message != "" && (envelope.Object == "" || envelope.Object == "error")
}

// readError reads the value of an error field: an object or a mere text.
func readError(raw json.RawMessage) Words {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return Words{Message: clip(text)}
	}
	var p plain
	if json.Unmarshal(raw, &p) != nil {
		return Words{}
	}
	return p.words()
}

func (p plain) words() Words {
	w := Words{Message: clip(string(p.Message)), Type: clip(string(p.Type)), Param: clip(string(p.Param)), Code: clip(string(p.Code))}
	if w.Message == "" && len(p.Detail) > 0 {
		var text string
		if json.Unmarshal(p.Detail, &text) == nil {
			w.Message = clip(text)
		}
	}
	if w.Type == "" {
		w.Type = string(p.Status)
	}
	if n, err := strconv.Atoi(w.Code); err == nil && n >= 400 && n <= 599 {
		w.Status = n // OpenRouter, vLLM and Google repeat the status as the code
	}
	return w
}

func clip(s string) string {
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "")
	}
	return s
}

// Failure makes the error of a failed call from its status (zero inside a stream) and its body. A body that is not JSON is only described, never kept.
func (e *Endpoint) Failure(status int, contentType string, body []byte) *llm.Error {
	w, ok := ReadWords(body)
	if !ok {
		w = Words{Message: describe(contentType, len(body))}
	}
	return e.FromWords(status, w)
}

// FromWords makes the error of a failed call from its status (zero inside a stream) and the provider's words, without the key if they repeat it.
func (e *Endpoint) FromWords(status int, w Words) *llm.Error {
	if status == 0 || status == 200 {
		status = w.Status
	}
	var class llm.Class
	if e.Classify != nil {
		class = e.Classify(status, w)
	}
	if class == "" {
		class = Classify(status, w.Code, w.Type, w.Message)
	}
	return &llm.Error{Class: class, Provider: e.Provider, Status: status, Message: e.hide(w.Message), Type: w.Type, Param: w.Param, Code: w.Code}
}

// hide takes the key out of a provider's words.
func (e *Endpoint) hide(s string) string {
	if e.Secret == "" {
		return s
	}
	return strings.ReplaceAll(s, e.Secret, "[key]")
}

func describe(contentType string, size int) string {
	if contentType == "" {
		contentType = "no content type"
	}
	return fmt.Sprintf("no readable error (%s, %d bytes)", clip(contentType), size)
}
