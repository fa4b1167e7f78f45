package responses

import (
	"encoding/json"
	"strconv"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/messages/fields"
	"github.com/clawless/clawless/server/llm"
)

// The bounds of a request, as in the chat dialect.
const (
	maxItems    = 4000 // a message is one, a call another, its result a third
	maxParts    = 10_000
	maxTools    = 256
	maxName     = 256
	maxMetadata = 16
	maxValue    = 512
)

const useSession = "answers are not kept here; a conversation goes on in a session (POST /v1/sessions, then the header Clawless-Session), or send its items in input"

// Read reads a body in the Responses dialect as liberally as its clients need: null is absent, unknown fields are ignored. Its fault lists every bad field; one that
// asks only for what there is not is unsupported_parameter. The echo is what the answer repeats of the request.
func Read(body []byte) (*dialect.Request, *Echo, error) {
	o, err := fields.Open(body)
	if err != nil {
		return nil, nil, err
	}
	req := &dialect.Request{Params: map[string]json.RawMessage{}, Model: o.Text("model", maxName)}
	e := &Echo{answer: ResponsesAnswer{Object: "response", Output: []ResponsesItem{}, ParallelToolCalls: true, Tools: []json.RawMessage{}, Truncation: "disabled", Metadata: map[string]string{}}}
	req.Stream, _ = o.Bool("stream")
	if s := o.Text("instructions", 0); s != "" {
		e.answer.Instructions = &s
		req.Messages = append(req.Messages, llm.Message{Role: "system", Content: llm.Text(s)})
	}
	req.Messages = append(req.Messages, input(o)...)
	tools(o, req, e)
	choice(o, req, e)
	limits(o, req, e)
	format(o, req, e)
	who(o, req, e)
	refuse(o)
	return req, e, o.Verdict()
}

// refuse notes what asks for more than there is.
func refuse(o *fields.Object) {
	o.Bool("store")
	for _, name := range []string{"previous_response_id", "conversation"} {
		if o.Has(name) {
			o.Unsupported(name, useSession)
		}
	}
	if on, _ := o.Bool("background"); on {
		o.Unsupported("background", "is not supported; a session's turn goes on when its connection ends (header Clawless-Session), and GET /v1/runs/{id} follows it")
	}
	if o.Has("prompt") {
		o.Unsupported("prompt", "is not supported; there are no stored prompts here, send instructions and input")
	}
	if o.Text("truncation", maxName) == "auto" {
		o.Unsupported("truncation", "auto is not supported; a session shortens its history by itself (header Clawless-Session)")
	}
	if n, _ := o.Whole("top_logprobs", 0, 20); n > 0 {
		o.Unsupported("top_logprobs", "is not supported here; POST /v1/chat/completions has logprobs")
	}
}

func limits(o *fields.Object, req *dialect.Request, e *Echo) {
	if n, ok := o.Whole("max_output_tokens", 1, dialect.MaxOutput); ok {
		req.MaxTokens, e.answer.MaxOutputTokens = n, &n
		req.Params["max_completion_tokens"] = json.RawMessage(strconv.FormatInt(n, 10))
	}
	for _, f := range []struct {
		name string
		high float64
		echo **float64
	}{{"temperature", 2, &e.answer.Temperature}, {"top_p", 1, &e.answer.TopP}} {
		if v, ok := o.Number(f.name, 0, f.high); ok {
			req.Params[f.name] = v
			_ = json.Unmarshal(v, f.echo) // Number has read it
		}
	}
	r, ok := o.Object("reasoning")
	if !ok {
		return
	}
	if word := r.Text("effort", maxName); word != "" {
		effort, ok := llm.ParseEffort(word)
		if !ok {
			r.Fail("effort", "must be one of none, minimal, low, medium, high")
		}
		req.Effort, e.answer.Reasoning.Effort = effort, &word
	}
}

// format reads text.format, which the chat dialect calls response_format.
func format(o *fields.Object, req *dialect.Request, e *Echo) {
	plain := json.RawMessage(`{"format":{"type":"text"}}`)
	e.answer.Text = &plain
	text, ok := o.Object("text")
	if !ok {
		return
	}
	if v := text.Text("verbosity", maxName); v != "" && v != "medium" {
		text.Unsupported("verbosity", "only medium is supported; say in the instructions how long the answer shall be")
	}
	f, ok := text.Object("format")
	if !ok {
		return
	}
	switch f.Needed("type", maxName) {
	case "", "text":
		return
	case "json_object":
		req.Params["response_format"] = json.RawMessage(`{"type":"json_object"}`)
	case "json_schema":
		inner := map[string]any{"name": f.Needed("name", maxName)}
		schema, ok := f.Raw("schema")
		if !ok || schema[0] != '{' {
			f.Fail("schema", "must be a JSON schema object")
		}
		inner["schema"] = schema
		if s := f.Text("description", 0); s != "" {
			inner["description"] = s
		}
		if strict, set := f.Bool("strict"); set {
			inner["strict"] = strict
		}
		req.Params["response_format"], _ = json.Marshal(map[string]any{"type": "json_schema", "json_schema": inner}) // checked JSON always marshals
	default:
		f.Fail("type", "must be one of text, json_object, json_schema")
	}
	given, _ := o.Raw("text")
	e.answer.Text = &given
}

// who reads for whom the call is, and what the caller wants back.
func who(o *fields.Object, req *dialect.Request, e *Echo) {
	for _, name := range []string{"safety_identifier", "user"} {
		if s := o.Text(name, maxName); s != "" {
			req.User = s
		}
	}
	if req.User != "" {
		e.answer.User = &req.User
	}
	if _, ok := o.Object("metadata"); !ok {
		return
	}
	v, _ := o.Raw("metadata")
	var values map[string]string
	if json.Unmarshal(v, &values) != nil || len(values) > maxMetadata {
		o.Fail("metadata", "must be an object of at most %d texts", maxMetadata)
		return
	}
	for name, value := range values {
		if len(name) > maxName || len(value) > maxValue {
			o.Fail("metadata", "names have at most %d characters and values %d", maxName, maxValue)
		}
	}
	e.answer.Metadata = values
}

func tools(o *fields.Object, req *dialect.Request, e *Echo) {
	list, ok := o.List("tools", maxTools)
	if !ok {
		return
	}
	for i, v := range list {
		t, ok := o.Item("tools", i, v, "must be an object with type and name")
		if !ok {
			continue
		}
		if kind := t.Needed("type", maxName); kind != "function" {
			if kind != "" {
				t.Unsupported("type", "there are no built-in tools here; offer a function of your own, or leave the tool out")
			}
			continue
		}
		tool := llm.Tool{Type: "function", Function: llm.ToolFunction{Name: t.Needed("name", maxName), Description: t.Text("description", 0)}}
		if strict, set := t.Bool("strict"); set {
			tool.Function.Strict = &strict
		}
		if schema, ok := t.Raw("parameters"); ok {
			if schema[0] != '{' {
				t.Fail("parameters", "must be a JSON schema object")
			}
			tool.Function.Parameters = schema
		}
		req.Tools = append(req.Tools, tool)
		e.answer.Tools = append(e.answer.Tools, v)
	}
}

func choice(o *fields.Object, req *dialect.Request, e *Echo) {
	given := json.RawMessage(`"auto"`)
	e.answer.ToolChoice = &given
	if parallel, set := o.Bool("parallel_tool_calls"); set {
		e.answer.ParallelToolCalls = parallel
		if len(req.Tools) > 0 { // vendors refuse it without tools, and some clients always send it
			req.Params["parallel_tool_calls"] = json.RawMessage(strconv.FormatBool(parallel))
		}
	}
	v, ok := o.Raw("tool_choice")
	if !ok {
		return
	}
	var asked json.RawMessage
	switch string(v) {
	case `"none"`, `"auto"`, `"required"`:
		asked = v
	default:
		c, ok := o.Object("tool_choice")
		if !ok {
			return
		}
		if kind := c.Needed("type", maxName); kind != "function" {
			if kind != "" {
				c.Unsupported("type", "must be function; or give none, auto or required in place of the object")
			}
			return
		}
		asked, _ = json.Marshal(map[string]any{"type": "function", "function": map[string]string{"name": c.Needed("name", maxName)}}) // texts always marshal
	}
	given = v
	if len(req.Tools) > 0 { // other vendors refuse a choice among nothing
		req.Params["tool_choice"] = asked
	}
}
