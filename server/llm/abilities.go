package llm

import "encoding/json"

// Abilities is the optional capability of a provider that knows, without a call, what it keeps by itself. Whoever wraps a provider passes it on.
type Abilities interface {
	// NativeSchema reports whether the provider itself holds the answer of this very request (its model, and whether it streams) to its response_format: a
	// json_schema, or a json_object. Where it says no, the driver refuses the parameter; who wants the format all the same takes it out of Params, asks for it in
	// words and checks the answer.
	NativeSchema(req *Request) bool
}

// NativeSchema reports whether p may be sent the response_format of req. It is true for a request without one or for plain text, and for a provider that has no
// Abilities: such a one refuses the parameter itself or passes it on.
func NativeSchema(p Provider, req *Request) bool {
	if !WantsJSON(req) {
		return true
	}
	a, ok := p.(Abilities)
	return !ok || a.NativeSchema(req)
}

// WantsJSON reports whether req has a response_format other than plain text.
func WantsJSON(req *Request) bool {
	var f struct {
		Type string `json:"type"`
	}
	raw := req.Params["response_format"]
	return len(raw) > 0 && json.Unmarshal(raw, &f) == nil && f.Type != "" && f.Type != "text"
}
