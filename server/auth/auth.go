// Package auth says who is calling: the principal that authentication found, carried in the context.
package auth

import (
	"context"
	"slices"
)

// Kind is the sort of caller.
type Kind string

// The three kinds of caller; each has its own paths and none can act as another.
const (
	Operator Kind = "operator" // holds an admin key; no tenant
	Key      Kind = "key"      // a tenant's server with a secret key
	Visitor  Kind = "visitor"  // an end user of a tenant's widget
)

// The scopes a tenant's key can have.
const (
	ScopeChat          = "chat:write"
	ScopeModels        = "models:read"
	ScopeSessionsRead  = "sessions:read"
	ScopeSessionsWrite = "sessions:write"
	ScopeKeysRead      = "keys:read"
	ScopeKeysWrite     = "keys:write"
	ScopeUsage         = "usage:read"
	ScopeTenant        = "tenant:read"
	ScopeToolsUse      = "tools:use"   // let the server run tools in turns
	ScopeToolsRead     = "tools:read"  // see tools and what they did
	ScopeToolsWrite    = "tools:write" // define them
)

// Scopes lists every scope; DefaultScopes those a key gets when none is named (all but the management of keys and tools).
var (
	Scopes        = []string{ScopeChat, ScopeModels, ScopeSessionsRead, ScopeSessionsWrite, ScopeKeysRead, ScopeKeysWrite, ScopeUsage, ScopeTenant, ScopeToolsUse, ScopeToolsRead, ScopeToolsWrite}
	DefaultScopes = []string{ScopeChat, ScopeModels, ScopeSessionsRead, ScopeSessionsWrite, ScopeUsage, ScopeTenant, ScopeToolsUse, ScopeToolsRead}
)

// Principal is the authenticated caller. TenantID is empty for the operator only.
type Principal struct {
	Kind      Kind
	TenantID  string
	KeyID     string // the key's id, or the widget's for a visitor
	Scopes    []string
	VisitorID string // the end user of a widget; empty otherwise
}

// Has reports whether the principal was given the scope.
func (p Principal) Has(scope string) bool { return slices.Contains(p.Scopes, scope) }

// Actor is the principal's name in the audit log: an id, never a secret.
func (p Principal) Actor() string {
	if p.VisitorID != "" {
		return p.VisitorID
	}
	return p.KeyID
}

type ctxKey struct{}

// With returns a context that carries the principal.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, ctxKey{}, p)
}

// From returns the principal, or the zero one, which may do nothing.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(ctxKey{}).(Principal)
	return p
}
