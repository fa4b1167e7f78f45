package serve

import (
	"context"
	"fmt"
	"path"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
)

// The longest that a key and a text of metadata may be, in bytes, and a name or pattern of a tool.
const (
	maxMetadataKey  = 64
	maxMetadataText = 2000
	maxToolPattern  = 200
)

// Owner is the end user to whom the caller is narrowed: a visitor to itself, a key to nobody.
func Owner(ctx context.Context) string { return auth.From(ctx).VisitorID }

// notForVisitors refuses settings that are the tenant's to choose.
func notForVisitors(ctx context.Context, isSet bool) error {
	if isSet && auth.From(ctx).Kind == auth.Visitor {
		return fault.New(fault.Forbidden, "a widget's visitor cannot choose model, system_prompt, thinking, tools, user or external_id")
	}
	return nil
}

func invalid(field, message string) error {
	f := fault.New(fault.ValidationFailed, "%s: %s", field, message).WithParam(field)
	f.Details = []fault.Detail{{Field: field, Message: message}}
	return f
}

// level reads a level of thinking; the empty one is none of its own.
func level(s string) (string, error) {
	e, ok := llm.ParseEffort(s)
	if s != "" && !ok {
		return "", invalid("thinking", "must be off, minimal, low, medium, high, or empty")
	}
	return string(e), nil
}

// CheckMetadata validates what a schema of a map cannot.
func CheckMetadata(m map[string]string) error {
	for k, v := range m {
		if len(k) > maxMetadataKey || len(v) > maxMetadataText {
			return invalid("metadata", fmt.Sprintf("a key may have %d characters and its text %d", maxMetadataKey, maxMetadataText))
		}
	}
	return nil
}

// Narrow reads what a session narrows its tools to; one that narrows nothing is nil.
func (b *SessionTools) Narrow() (*sessions.Narrowing, error) {
	if b == nil || b.Allow == nil && len(b.Deny) == 0 {
		return nil, nil
	}
	for field, list := range map[string][]string{"tools.allow": b.Allow, "tools.deny": b.Deny} {
		for _, p := range list {
			if _, err := path.Match(p, ""); err != nil || p == "" || len(p) > maxToolPattern {
				return nil, invalid(field, "not a name or a pattern with *")
			}
		}
	}
	return &sessions.Narrowing{Allow: b.Allow, Deny: b.Deny}, nil
}
