// Package tenants keeps the operator's customers: who they are, what tier they are on, and what their assistant may do.
package tenants

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// Tenant is one customer of the operator.
type Tenant struct {
	ID        string
	Name      string
	Tier      Tier
	Status    Status
	Settings  Settings
	Version   int64 // grows with each change; the ETag
	CreatedAt db.Time
	UpdatedAt db.Time
}

// Status says whether a tenant is served.
type Status string

// The two states. A suspended tenant keeps its data; all its keys and tokens answer 403.
const (
	Active    Status = "active"
	Suspended Status = "suspended"
)

// AllowsModel reports whether the tenant may use the model of this full id.
func (t Tenant) AllowsModel(id string) bool { return matchesAny(t.Settings.AllowedModels, id) }

// AllowsTool reports whether a request of the tenant may offer a tool of this name.
func (t Tenant) AllowsTool(name string) bool { return matchesAny(t.Settings.AllowedTools, name) }

func matchesAny(patterns []string, s string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return matches(p, s) })
}

// matches treats * as any run of characters, slashes included: openai/* must cover openai/org/model too.
func matches(pattern, s string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(s, "/", "\x00"))
	return err == nil && ok
}

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// checkName accepts the names that are safe in a URL, a shell and a file: they stand in commands and can never look like an id, which has an underscore.
func checkName(name string) error {
	if !namePattern.MatchString(name) {
		f := fault.New(fault.ValidationFailed, "name: use 1 to 63 lower-case letters, digits and hyphens, such as acme-2").WithParam("name")
		f.Details = []fault.Detail{{Field: "name", Message: "use 1 to 63 lower-case letters, digits and hyphens, such as acme-2"}}
		return f
	}
	return nil
}
