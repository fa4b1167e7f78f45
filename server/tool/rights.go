package tool

import "path"

// Rights are what a turn may do with the tools that the server runs: one field for each layer that has a say. Patterns are names in which * stands for any characters.
type Rights struct {
	Scope   bool       // the key may use tools
	Visitor bool       // the turn is that of a widget's visitor, who has no key: Widget is asked instead of Scope
	Widget  []string   // patterns of what visitors may use; empty: nothing
	Tenant  []string   // patterns of what the tenant's sessions may use; empty: nothing
	Session *Narrowing // nil: no narrowing
	Request *[]string  // patterns that this turn is narrowed to; nil: no narrowing
}

// Narrowing is what a session takes away from what its tenant allows.
type Narrowing struct {
	Allow []string // patterns of what stays; nil: everything, empty: nothing
	Deny  []string // patterns of what goes, whatever Allow says
}

// Decision says whether a tool may run and, if not, which layer denies it.
type Decision struct {
	Allowed bool
	Layer   string // one of the layers below; empty when allowed
	Why     string // in words for the model and for people; empty when allowed
}

// The layers, in the order in which they are asked.
const (
	LayerKeyScope = "key_scope"
	LayerWidget   = "widget"
	LayerTenant   = "tenant"
	LayerSession  = "session"
	LayerRequest  = "request"
)

// Decide asks every layer in its order. All must allow the tool: the first that does not is named.
func (r Rights) Decide(name string) Decision {
	deny := func(layer, why string) Decision { return Decision{Layer: layer, Why: name + " may not run: " + why} }
	switch {
	case r.Visitor && !matches(r.Widget, name):
		return deny(LayerWidget, "the tenant's setting widget_tools does not allow it to visitors")
	case !r.Visitor && !r.Scope:
		return deny(LayerKeyScope, "the API key lacks the scope tools:use")
	case !matches(r.Tenant, name):
		return deny(LayerTenant, "the tenant's setting server_tools does not allow it")
	case r.Session != nil && denies(r.Session.Deny, name):
		return deny(LayerSession, "the session denies it")
	case r.Session != nil && r.Session.Allow != nil && !matches(r.Session.Allow, name):
		return deny(LayerSession, "the session does not allow it")
	case r.Request != nil && !matches(*r.Request, name):
		return deny(LayerRequest, "the request's server_tools does not name it")
	}
	return Decision{Allowed: true}
}

// Any reports whether there can be a tool that Decide allows. When it is false nobody needs to look for tools.
func (r Rights) Any() bool {
	switch {
	case r.Visitor && len(r.Widget) == 0, !r.Visitor && !r.Scope, len(r.Tenant) == 0:
		return false
	case r.Session != nil && r.Session.Allow != nil && len(r.Session.Allow) == 0:
		return false
	}
	return r.Request == nil || len(*r.Request) > 0
}

// matches reports whether a pattern names the tool. A pattern that is none allows nothing.
func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); err == nil && ok {
			return true
		}
	}
	return false
}

// denies is matches the other way round: a pattern that is none denies everything, because nobody knows what it was to keep away.
func denies(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); err != nil || ok {
			return true
		}
	}
	return false
}
