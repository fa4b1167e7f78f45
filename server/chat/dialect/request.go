package dialect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// The bounds of a request. They are far above what clients send and far below what would hurt.
const (
	maxMessages = 2000
	maxTools    = 256
	maxStops    = 16
	maxName     = 256 // bytes of what is stored with every call
	// MaxOutput is the most tokens a caller may ask for; no model writes more, and sums stay far from overflow.
	MaxOutput = 10_000_000
)

// Request is one call of the chat endpoint, read and validated. It shares no memory with the body it was read from.
type Request struct {
	Model        string
	SessionID    string
	Messages     []llm.Message
	Tools        []llm.Tool
	Params       map[string]json.RawMessage // see llm.ForwardedParams
	Stream       bool
	IncludeUsage bool
	MaxTokens    int64 // the caller's own limit; 0 when there is none
	User         string
	Effort       llm.Effort // how much to think about this message; empty when the caller does not say
	// Fallback says that another model may answer when the chosen one fails; FallbackModels are those that the caller wants, in order, before the tenant's.
	Fallback       bool
	FallbackModels []string
	Regenerate     string    // a message of the session that is answered again; there are no messages then
	Edit           string    // a user message of the session that the new one replaces
	ServerTools    *[]string // names or patterns of the server's tools that the turn may use; nil for all that are allowed
}

// reader gathers every bad field before it refuses.
type reader struct {
	fields      object
	bad         []fault.Detail
	unsupported []string // known parameters that cannot be honoured
}

// object is a JSON object whose names are taken exactly as they stand. Go's decoder would take Role for role, and a client's unknown field for a known one.
type object map[string]json.RawMessage

// asObject reads an object and drops its null fields: null is the same as absent.
func asObject(v json.RawMessage) (object, bool) {
	if len(v) == 0 || v[0] != '{' {
		return nil, false
	}
	var o object
	if json.Unmarshal(v, &o) != nil {
		return nil, false
	}
	for name, v := range o {
		if isNull(v) {
			delete(o, name)
		}
	}
	return o, true
}

// Read reads a body in OpenAI's chat dialect as liberally as its clients need: null is absent, unknown fields are ignored, content may take any documented form.
// Its fault lists every bad field.
func Read(body []byte) (*Request, error) {
	if err := api.CheckJSON(body); err != nil {
		return nil, fault.New(fault.InvalidJSON, "%s", err.Error())
	}
	fields, ok := asObject(trimSpace(body))
	if !ok {
		return nil, fault.New(fault.InvalidJSON, "the body must be a JSON object")
	}
	r := reader{fields: fields}
	req := &Request{Params: map[string]json.RawMessage{}}
	r.read("model", &req.Model, "a string", false)
	r.read("session_id", &req.SessionID, "a string", false)
	r.read("stream", &req.Stream, "true or false", false)
	r.read("user", &req.User, "a string", false)
	if opts, set := r.object("stream_options"); set {
		inner := reader{fields: opts}
		inner.read("include_usage", &req.IncludeUsage, "true or false", false)
		r.take("stream_options", inner)
	}
	r.short("model", req.Model)
	r.short("session_id", req.SessionID)
	r.short("user", req.User)
	r.turn(req)
	if req.Regenerate == "" || r.fields["messages"] != nil {
		req.Messages = r.messages()
	}
	req.Tools = r.tools()
	r.params(req)
	r.choices(req)
	return req, r.verdict()
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

func (r *reader) fail(field, format string, args ...any) {
	if r.full() {
		return
	}
	r.bad = append(r.bad, fault.Detail{Field: field, Message: fmt.Sprintf(format, args...)})
}

// maxBad bounds what is told of a request: one made of errors alone must not cost more than it did to send.
const maxBad = 50

func (r *reader) full() bool { return len(r.bad) >= maxBad }

// take adds what is wrong inside a field.
func (r *reader) take(field string, inner reader) {
	for _, d := range inner.bad {
		if r.full() {
			return
		}
		r.bad = append(r.bad, fault.Detail{Field: field + "." + d.Field, Message: d.Message})
	}
}

// verdict is the one fault with every bad field, or nil. The route's dialect makes its status 400.
func (r *reader) verdict() error {
	if len(r.bad) == 0 && len(r.unsupported) > 0 {
		return fault.New(fault.UnsupportedParam, "%s cannot be honoured here; leave it out", strings.Join(r.unsupported, ", ")).WithParam(r.unsupported[0])
	}
	if len(r.bad) == 0 {
		return nil
	}
	slices.SortStableFunc(r.bad, func(a, b fault.Detail) int { return strings.Compare(a.Field, b.Field) })
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
	if s, ok := into.(*string); ok && strings.IndexByte(*s, 0) >= 0 { // no database keeps it, and what cannot be recorded must not be answered
		r.fail(name, "must not hold a zero byte")
		return false
	}
	return true
}

// short refuses a name that is longer than names are.
func (r *reader) short(name, value string) {
	if len(value) > maxName {
		r.fail(name, "at most %d characters", maxName)
	}
}

func (r *reader) object(name string) (object, bool) {
	v, ok := r.fields[name]
	if !ok {
		return nil, false
	}
	o, ok := asObject(v)
	if !ok {
		r.fail(name, "must be an object")
	}
	return o, ok
}

// params checks what would cost money or memory if it were wrong, and passes the rest to the provider as it came.
func (r *reader) params(req *Request) {
	for _, name := range llm.ForwardedParams {
		if v, ok := r.fields[name]; ok {
			req.Params[name] = v
		}
	}
	for _, name := range []string{"max_tokens", "max_completion_tokens"} { // where both are given the newer name wins
		var n int64
		if v, ok := r.fields[name]; ok && (json.Unmarshal(v, &n) != nil || n < 1 || n > MaxOutput) {
			r.fail(name, "must be a whole number from 1 to %d", MaxOutput)
		} else if ok {
			req.MaxTokens = n
		}
	}
	if newer, ok := req.Params["max_completion_tokens"]; ok && string(newer) != string(req.Params["max_tokens"]) {
		delete(req.Params, "max_tokens") // of two that differ one goes on: what is reserved must be what the provider is told
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
	r.absent()
	for _, old := range []string{"functions", "function_call"} {
		if _, ok := r.fields[old]; ok {
			r.fail(old, "is no longer supported; use tools and tool_choice")
		}
	}
}

// lacking are parameters that change an answer and that no driver passes on, with the values by which they ask for nothing.
var lacking = map[string]string{"audio": "", "modalities": `["text"]`, "prediction": "", "web_search_options": "", "verbosity": `"medium"`, "top_k": "", "min_p": "", "top_a": "", "repetition_penalty": "1"}

// absent refuses them: an answer that is not what was asked for would be a silent lie.
func (r *reader) absent() {
	for name, harmless := range lacking {
		if v, ok := r.fields[name]; ok && string(v) != harmless {
			r.unsupported = append(r.unsupported, name)
		}
	}
	slices.Sort(r.unsupported)
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
		at := fmt.Sprintf("tools[%d]", i)
		fields, ok := asObject(v)
		if !ok {
			r.fail(at, "must be an object with type and function")
			continue
		}
		inner := reader{fields: fields}
		out = append(out, inner.tool())
		r.take(at, inner)
	}
	return out
}

func (r *reader) tool() llm.Tool {
	t := llm.Tool{}
	if r.read("type", &t.Type, "function", true) && t.Type != "function" {
		r.fail("type", "must be function")
	}
	fn, ok := r.object("function")
	if !ok {
		if len(r.fields["function"]) == 0 {
			r.fail("function", "is required")
		}
		return t
	}
	inner := reader{fields: fn}
	if inner.read("name", &t.Function.Name, "a string", true) && t.Function.Name == "" {
		inner.fail("name", "is required")
	}
	inner.read("description", &t.Function.Description, "a string", false)
	inner.read("strict", &t.Function.Strict, "true or false", false)
	if v, set := fn["parameters"]; set {
		t.Function.Parameters = v
		if v[0] != '{' {
			inner.fail("parameters", "must be a JSON schema object")
		}
	}
	r.take("function", inner)
	return t
}

func isNull(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }
