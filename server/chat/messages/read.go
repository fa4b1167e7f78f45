package messages

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/messages/fields"
	"github.com/clawless/clawless/server/llm"
)

// The bounds of a request, as in the chat dialect.
const (
	maxMessages = 2000
	maxBlocks   = 10_000 // of one message
	maxTools    = 256
	maxStops    = 16
	maxName     = 256
)

// Read reads a body in Anthropic's dialect as liberally as its clients need: null is absent, unknown fields are ignored, content may be a text or blocks. Its fault
// lists every bad field; one that asks only for what there is not is unsupported_parameter.
func Read(body []byte) (*dialect.Request, error) {
	o, err := fields.Open(body)
	if err != nil {
		return nil, err
	}
	req := &dialect.Request{Params: map[string]json.RawMessage{}, Model: o.Text("model", maxName)}
	req.Stream, _ = o.Bool("stream")
	if v, ok := o.Raw("system"); ok {
		if content := textOnly(o, "system", v); content != nil {
			req.Messages = append(req.Messages, llm.Message{Role: "system", Content: content})
		}
	}
	req.Messages = append(req.Messages, messages(o)...)
	req.Tools = tools(o)
	choice(o, req)
	limits(o, req)
	effort(o, req)
	format(o, req)
	if m, ok := o.Object("metadata"); ok {
		req.User = m.Text("user_id", maxName)
	}
	if servers, ok := o.List("mcp_servers", maxTools); ok && len(servers) > 0 {
		o.Unsupported("mcp_servers", "is not supported; connect to the servers yourself and offer their tools in tools")
	}
	if o.Has("container") {
		o.Unsupported("container", "is not supported; there are no containers here")
	}
	return req, o.Verdict()
}

// limits reads what bounds and steers the generation.
func limits(o *fields.Object, req *dialect.Request) {
	if n, ok := o.Whole("max_tokens", 1, dialect.MaxOutput); ok {
		req.MaxTokens = n
		req.Params["max_tokens"] = json.RawMessage(strconv.FormatInt(n, 10))
	}
	for name, high := range map[string]float64{"temperature": 2, "top_p": 1} {
		if v, ok := o.Number(name, 0, high); ok {
			req.Params[name] = v
		}
	}
	if o.Has("top_k") {
		o.Unsupported("top_k", "is not supported; use temperature or top_p")
	}
	stops, ok := o.List("stop_sequences", maxStops)
	if !ok || len(stops) == 0 {
		return
	}
	for i, v := range stops {
		var s string
		if json.Unmarshal(v, &s) != nil || s == "" {
			o.Fail("stop_sequences["+strconv.Itoa(i)+"]", "must be a string that is not empty")
		}
	}
	req.Params["stop"], _ = o.Raw("stop_sequences")
}

// effort reads how much to think: thinking decides whether, and output_config.effort how much where thinking leaves it open.
func effort(o *fields.Object, req *dialect.Request) {
	var level llm.Effort
	if c, ok := o.Object("output_config"); ok {
		switch word := c.Text("effort", maxName); word {
		case "":
		case "low", "medium", "high":
			level = llm.Effort(word)
		case "xhigh", "max":
			level = llm.EffortHigh
		default:
			c.Fail("effort", "must be one of low, medium, high, xhigh, max")
		}
	}
	req.Effort = level
	t, ok := o.Object("thinking")
	if !ok {
		return
	}
	budget, _ := t.Whole("budget_tokens", 1, dialect.MaxOutput)
	switch t.Needed("type", maxName) {
	case "", "enabled":
		req.Effort = dialect.EffortOf(budget)
	case "disabled":
		req.Effort = llm.EffortOff
	case "adaptive":
		if level == "" {
			req.Effort = llm.EffortMedium
		}
	default:
		t.Fail("type", "must be one of enabled, disabled, adaptive")
	}
}

// format reads the wish for JSON, which has had two names.
func format(o *fields.Object, req *dialect.Request) {
	f, ok := o.Object("output_format")
	if c, set := o.Object("output_config"); set && c.Has("format") {
		f, ok = c.Object("format")
	}
	if !ok {
		return
	}
	if f.Needed("type", maxName) != "json_schema" {
		f.Fail("type", "must be json_schema")
	}
	schema, ok := f.Raw("schema")
	if !ok || schema[0] != '{' {
		f.Fail("schema", "must be a JSON schema object")
	}
	req.Params["response_format"], _ = json.Marshal(map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "answer", "strict": true, "schema": schema}})
}

func tools(o *fields.Object) []llm.Tool {
	list, ok := o.List("tools", maxTools)
	if !ok || len(list) == 0 {
		return nil
	}
	out := make([]llm.Tool, 0, len(list))
	for i, v := range list {
		t, ok := o.Item("tools", i, v, "must be an object with name and input_schema")
		if !ok {
			continue
		}
		if kind := t.Text("type", maxName); kind != "" && kind != "custom" {
			t.Unsupported("type", "tools of Anthropic's own are not offered here; leave type out and give name, description and input_schema")
			continue
		}
		tool := llm.Tool{Type: "function", Function: llm.ToolFunction{Name: t.Needed("name", maxName), Description: t.Text("description", 0)}}
		if strict, set := t.Bool("strict"); set {
			tool.Function.Strict = &strict
		}
		schema, ok := t.Raw("input_schema")
		switch {
		case !ok:
			t.Fail("input_schema", "is required")
		case schema[0] != '{':
			t.Fail("input_schema", "must be a JSON schema object")
		}
		tool.Function.Parameters = schema
		out = append(out, tool)
	}
	return out
}

func choice(o *fields.Object, req *dialect.Request) {
	c, ok := o.Object("tool_choice")
	if !ok {
		return
	}
	switch c.Needed("type", maxName) {
	case "", "auto":
		req.Params["tool_choice"] = json.RawMessage(`"auto"`)
	case "any":
		req.Params["tool_choice"] = json.RawMessage(`"required"`)
	case "none":
		req.Params["tool_choice"] = json.RawMessage(`"none"`)
	case "tool":
		named := map[string]any{"type": "function", "function": map[string]string{"name": c.Needed("name", maxName)}}
		req.Params["tool_choice"], _ = json.Marshal(named) // texts always marshal
	default:
		c.Fail("type", "must be one of auto, any, tool, none")
	}
	if len(req.Tools) == 0 { // other vendors refuse a choice among nothing
		delete(req.Params, "tool_choice")
	}
	if serial, _ := c.Bool("disable_parallel_tool_use"); serial && len(req.Tools) > 0 {
		req.Params["parallel_tool_calls"] = json.RawMessage("false")
	}
}

// textOnly reads a content that can only be text; nil when there is none.
func textOnly(o *fields.Object, name string, v json.RawMessage) json.RawMessage {
	if v[0] == '"' {
		if string(v) == `""` {
			return nil
		}
		return v
	}
	list, _ := o.List(name, maxBlocks)
	var texts []string
	for i, v := range list {
		b, ok := o.Item(name, i, v, "must be a block of text")
		if !ok {
			continue
		}
		if kind := b.Needed("type", maxName); kind != "" && kind != "text" {
			b.Fail("type", "must be text")
			continue
		}
		if s := b.Text("text", 0); strings.TrimSpace(s) != "" {
			texts = append(texts, s)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return llm.Text(strings.Join(texts, "\n\n"))
}
