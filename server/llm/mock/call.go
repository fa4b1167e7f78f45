package mock

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clawless/clawless/server/llm"
)

// call is one request with its parameters read.
type call struct {
	ctx       context.Context
	req       *llm.Request
	provider  string
	idle      time.Duration
	input     int64 // tokens
	maxTokens int64 // math.MaxInt64 when the caller set none
	stop      []string
	format    json.RawMessage // the schema of response_format, "{}" for any object, nil for text
}

// newCall reads the parameters that mock models honour. Sampling parameters are accepted and have no effect, as nothing is sampled.
func (p *Provider) newCall(ctx context.Context, req *llm.Request) (*call, error) {
	c := &call{ctx: ctx, req: req, provider: p.name, idle: p.idle, maxTokens: math.MaxInt64}
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		raw, ok := param(req, name)
		if !ok {
			continue
		}
		var n int64
		if err := json.Unmarshal(raw, &n); err != nil || n < 1 {
			return nil, c.invalid(name, "invalid_value", name+" must be a whole number of at least 1")
		}
		c.maxTokens = n
	}
	if raw, ok := param(req, "stop"); ok {
		var one string
		if json.Unmarshal(raw, &one) == nil {
			c.stop = []string{one}
		} else if json.Unmarshal(raw, &c.stop) != nil {
			return nil, c.invalid("stop", "invalid_value", "stop must be a string or a list of strings")
		}
	}
	if err := c.checkForeign(); err != nil {
		return nil, err
	}
	if err := c.readFormat(); err != nil {
		return nil, err
	}
	c.input = c.countInput()
	if c.input > contextWindow {
		return nil, &llm.Error{Class: llm.ClassContext, Provider: c.provider, Status: 400, Type: "invalid_request_error", Param: "messages",
			Code: "context_length_exceeded", Message: "the conversation is longer than the model's context of 1000000 tokens"}
	}
	return c, nil
}

// harmless are the values with which a parameter that mock models do not have asks for nothing.
var harmless = map[string]string{"logprobs": "false", "top_logprobs": "0", "logit_bias": "{}"}

// checkForeign refuses what the caller asked for and would not get.
func (c *call) checkForeign() error {
	for _, name := range []string{"logprobs", "top_logprobs", "logit_bias"} {
		if raw, ok := param(c.req, name); ok && string(raw) != harmless[name] {
			return c.invalid(name, "unsupported_parameter", "mock models draw no tokens and have no "+name+"; leave it out")
		}
	}
	switch {
	case c.req.Effort == "", c.req.Effort == llm.EffortOff:
	case c.req.Model != thinker:
		return c.invalid("reasoning_effort", "unsupported_parameter", fmt.Sprintf("the model has no thinking level %s; use off, or the model %s/%s", c.req.Effort, c.provider, thinker))
	}
	return nil
}

func (c *call) readFormat() error {
	raw, ok := param(c.req, "response_format")
	if !ok {
		return nil
	}
	var f struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return c.invalid("response_format", "invalid_value", "response_format must be an object")
	}
	switch f.Type {
	case "text":
	case "json_object":
		c.format = json.RawMessage(`{}`)
	case "json_schema":
		if len(f.JSONSchema.Schema) == 0 {
			return c.invalid("response_format", "invalid_value", "response_format.json_schema.schema is missing")
		}
		c.format = f.JSONSchema.Schema
	default:
		return c.invalid("response_format", "invalid_value", "response_format.type must be text, json_object or json_schema")
	}
	return nil
}

func (c *call) invalid(param, code, message string) *llm.Error {
	return &llm.Error{Class: llm.ClassInvalid, Provider: c.provider, Status: 400, Type: "invalid_request_error", Param: param, Code: code, Message: message}
}

// canceled is the error of a call whose own context ended.
func (c *call) canceled() *llm.Error {
	return &llm.Error{Class: llm.ClassCanceled, Provider: c.provider, Err: context.Cause(c.ctx)}
}

// param returns a parameter that is present and not null.
func param(req *llm.Request, name string) (json.RawMessage, bool) {
	raw, ok := req.Params[name]
	return raw, ok && len(raw) > 0 && string(raw) != "null"
}

// tokens counts as mock models do: four characters are a token, and every started one counts.
func tokens(s string) int64 { return int64(utf8.RuneCountInString(s)+3) / 4 }

func (c *call) countInput() int64 {
	var n int64
	for _, m := range c.req.Messages {
		n += 3 + tokens(textOf(m.Content)) // a role and its separators cost real providers about three
		for _, t := range m.ToolCalls {
			n += tokens(t.Function.Name) + tokens(t.Function.Arguments)
		}
	}
	for _, t := range c.req.Tools {
		n += tokens(t.Function.Name) + tokens(t.Function.Description) + int64(len(t.Function.Parameters)+3)/4
	}
	return n
}

// digest identifies the conversation, so that the same one gets the same answer.
func (c *call) digest() [sha256.Size]byte {
	h := sha256.New()
	for _, m := range c.req.Messages {
		h.Write([]byte(m.Role))
		h.Write([]byte{0})
		h.Write([]byte(textOf(m.Content)))
		h.Write([]byte{0})
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// userText is the text of the last message of the user, empty when there is none.
func (c *call) userText() string {
	for i := len(c.req.Messages) - 1; i >= 0; i-- {
		if c.req.Messages[i].Role == "user" {
			return textOf(c.req.Messages[i].Content)
		}
	}
	return ""
}

// textOf reads the text of a message's content; a part that is not text is named in brackets.
func textOf(content json.RawMessage) string {
	var s string
	if len(content) == 0 || json.Unmarshal(content, &s) == nil {
		return s
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(content, &parts) != nil {
		return ""
	}
	texts := make([]string, 0, len(parts))
	for _, p := range parts {
		if p.Type == "text" {
			texts = append(texts, p.Text)
		} else {
			texts = append(texts, "["+p.Type+"]")
		}
	}
	return strings.Join(texts, "\n")
}
