package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// The bounds of a request. They are far above what clients send and far below what would hurt.
const (
	maxMessages = 2000
	maxTools    = 256
	maxStops    = 16
	maxOutput   = 10_000_000 // tokens; no model writes more, and sums stay far from overflow
)

// request is one call of the chat endpoint, read and validated.
type request struct {
	model        string
	sessionID    string
	messages     []llm.Message
	tools        []llm.Tool
	params       map[string]json.RawMessage
	stream       bool
	includeUsage bool
	maxTokens    int64 // the caller's own limit; 0 when there is none
	user         string
}

// reader gathers every bad field before it refuses.
type reader struct {
	fields map[string]json.RawMessage
	bad    []fault.Detail
}

// parse reads a body in OpenAI's chat dialect as liberally as its clients need: null is absent, unknown fields are ignored, content may take any documented form.
func parse(body []byte) (*request, error) {
	if err := api.CheckJSON(body); err != nil {
		return nil, fault.New(fault.InvalidJSON, "%s", err.Error())
	}
	r := reader{}
	if json.Unmarshal(body, &r.fields) != nil || r.fields == nil {
		return nil, fault.New(fault.InvalidJSON, "the body must be a JSON object")
	}
	for name, v := range r.fields {
		if isNull(v) {
			delete(r.fields, name)
		}
	}
	req := &request{params: map[string]json.RawMessage{}}
	r.read("model", &req.model, "a string", false)
	r.read("session_id", &req.sessionID, "a string", false)
	r.read("stream", &req.stream, "true or false", false)
	r.read("user", &req.user, "a string", false)
	var opts struct {
		IncludeUsage bool `json:"include_usage"`
	}
	r.read("stream_options", &opts, "an object with include_usage", false)
	req.includeUsage = opts.IncludeUsage
	req.messages = r.messages()
	req.tools = r.tools()
	r.params(req)
	return req, r.verdict()
}

func (r *reader) fail(field, format string, args ...any) {
	r.bad = append(r.bad, fault.Detail{Field: field, Message: fmt.Sprintf(format, args...)})
}

// verdict is the one fault with every bad field, or nil. The route's dialect makes its status 400.
func (r *reader) verdict() error {
	if len(r.bad) == 0 {
		return nil
	}
	slices.SortStableFunc(r.bad, func(a, b fault.Detail) int { return bytes.Compare([]byte(a.Field), []byte(b.Field)) })
	f := fault.New(fault.ValidationFailed, "%s: %s", r.bad[0].Field, r.bad[0].Message).WithParam(r.bad[0].Field)
	if n := len(r.bad); n > 1 {
		f.Message += fmt.Sprintf(" (and %d more; see error.details)", n-1)
	}
	f.Details = r.bad
	return f
}

func (r *reader) read(name string, into any, wanted string, required bool) bool {
	v, ok := r.fields[name]
	if !ok {
		if required {
			r.fail(name, "is required")
		}
		return false
	}
	if json.Unmarshal(v, into) != nil {
		r.fail(name, "must be %s", wanted)
		return false
	}
	return true
}

// params checks what would cost money or memory if it were wrong, and passes the rest to the provider as it came.
func (r *reader) params(req *request) {
	for _, name := range llm.ForwardedParams {
		if v, ok := r.fields[name]; ok {
			req.params[name] = v
		}
	}
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		var n int64
		if v, ok := r.fields[name]; ok && (json.Unmarshal(v, &n) != nil || n < 1 || n > maxOutput) {
			r.fail(name, "must be a whole number from 1 to %d", maxOutput)
		} else if ok {
			req.maxTokens = n
		}
	}
	var n int64
	if v, ok := r.fields["n"]; ok && (json.Unmarshal(v, &n) != nil || n != 1) {
		r.fail("n", "only 1 is supported; send one request for each choice")
	}
	r.number("temperature", 0, 2)
	r.number("top_p", 0, 1)
	r.number("presence_penalty", -2, 2)
	r.number("frequency_penalty", -2, 2)
	r.number("top_logprobs", 0, 20)
	var stop []string
	if v, ok := r.fields["stop"]; ok {
		var one string
		if json.Unmarshal(v, &one) != nil && (json.Unmarshal(v, &stop) != nil || len(stop) > maxStops) {
			r.fail("stop", "must be a string or a list of at most %d strings", maxStops)
		}
	}
	for _, old := range []string{"functions", "function_call"} {
		if _, ok := r.fields[old]; ok {
			r.fail(old, "is no longer supported; use tools and tool_choice")
		}
	}
}

func (r *reader) number(name string, low, high float64) {
	var x float64
	if v, ok := r.fields[name]; ok && (json.Unmarshal(v, &x) != nil || x < low || x > high) {
		r.fail(name, "must be a number from %g to %g", low, high)
	}
}

func (r *reader) tools() []llm.Tool {
	var raw []json.RawMessage
	if !r.read("tools", &raw, "a list of tools", false) {
		return nil
	}
	if len(raw) > maxTools {
		r.fail("tools", "at most %d tools", maxTools)
		return nil
	}
	out := make([]llm.Tool, 0, len(raw))
	for i, v := range raw {
		var t llm.Tool
		at := fmt.Sprintf("tools[%d]", i)
		switch {
		case json.Unmarshal(v, &t) != nil:
			r.fail(at, "must be an object with type and function")
		case t.Type != "function":
			r.fail(at+".type", "must be function")
		case t.Function.Name == "":
			r.fail(at+".function.name", "is required")
		case len(t.Function.Parameters) > 0 && !isNull(t.Function.Parameters) && t.Function.Parameters[0] != '{':
			r.fail(at+".function.parameters", "must be a JSON schema object")
		default:
			out = append(out, t)
		}
	}
	return out
}

func isNull(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }
