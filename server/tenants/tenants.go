// Package tenants keeps the operator's customers: who they are, what tier they are on, and what their assistant may do.
package tenants

import (
	"path"
	"regexp"
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

// Tier is the plan a tenant is on; it decides the defaults of its settings.
type Tier string

// The tiers, smallest first.
const (
	Starter    Tier = "starter"
	Pro        Tier = "pro"
	Business   Tier = "business"
	Enterprise Tier = "enterprise"
)

// tierTokens are the tokens a month that each tier may use unless its settings say otherwise; 0 is no limit.
var tierTokens = map[Tier]int64{Starter: 1_000_000, Pro: 10_000_000, Business: 100_000_000, Enterprise: 0}

// Settings are what a tenant's assistant may do. Empty fields take the server's or the tier's default.
type Settings struct {
	DefaultModel  string   `json:"default_model,omitempty"`
	SystemPrompt  string   `json:"system_prompt,omitempty"`
	AllowedModels []string `json:"allowed_models,omitempty"` // exact ids or patterns such as openai/*; empty allows all
	AllowedTools  []string `json:"allowed_tools,omitempty"`  // names of tools a caller may offer to the model; empty allows all
	MonthlyTokens *int64   `json:"monthly_tokens,omitempty"` // 0 is no limit; absent is the tier's
}

// MonthlyTokens is the tenant's budget of tokens a calendar month (UTC); 0 is no limit.
func (t Tenant) MonthlyTokens() int64 {
	if t.Settings.MonthlyTokens != nil {
		return *t.Settings.MonthlyTokens
	}
	return tierTokens[t.Tier]
}

// AllowsModel reports whether the tenant may use the model of this full id.
func (t Tenant) AllowsModel(id string) bool { return matchesAny(t.Settings.AllowedModels, id) }

// AllowsTool reports whether a request of the tenant may offer a tool of this name.
func (t Tenant) AllowsTool(name string) bool { return matchesAny(t.Settings.AllowedTools, name) }

// matchesAny treats * as any run of characters, slashes included: openai/* must cover openai/org/model too.
func matchesAny(patterns []string, s string) bool {
	if len(patterns) == 0 {
		return true
	}
	flat := strings.ReplaceAll(s, "/", "\x00")
	for _, p := range patterns {
		if ok, err := path.Match(strings.ReplaceAll(p, "/", "\x00"), flat); err == nil && ok {
			return true
		}
	}
	return false
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

// check validates what a schema cannot.
func (s Settings) check() error {
	var bad []fault.Detail
	for _, list := range []struct {
		field    string
		patterns []string
	}{{"settings.allowed_models", s.AllowedModels}, {"settings.allowed_tools", s.AllowedTools}} {
		for _, p := range list.patterns {
			if _, err := path.Match(p, ""); err != nil || p == "" {
				bad = append(bad, fault.Detail{Field: list.field, Message: "not a name or a pattern with *"})
			}
		}
	}
	if s.MonthlyTokens != nil && *s.MonthlyTokens < 0 {
		bad = append(bad, fault.Detail{Field: "settings.monthly_tokens", Message: "must be 0 (no limit) or more"})
	}
	if len(bad) == 0 {
		return nil
	}
	f := fault.New(fault.ValidationFailed, "%s: %s", bad[0].Field, bad[0].Message).WithParam(bad[0].Field)
	f.Details = bad
	return f
}
