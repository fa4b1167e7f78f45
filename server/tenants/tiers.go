package tenants

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Tier is the plan a tenant is on; it decides the defaults of its settings and which models it may use.
type Tier string

// The tiers, smallest first.
const (
	Starter    Tier = "starter"
	Pro        Tier = "pro"
	Business   Tier = "business"
	Enterprise Tier = "enterprise"
)

// tiers is their order.
var tiers = []Tier{Starter, Pro, Business, Enterprise}

// tierTokens are the tokens a month that each tier may use unless its settings say otherwise; 0 is no limit.
var tierTokens = map[Tier]int64{Starter: 1_000_000, Pro: 10_000_000, Business: 100_000_000, Enterprise: 0}

// CheckTierModels says what is wrong with the setting tier_models, which maps model ids or patterns to tiers: every entry's problem by its key, in order.
func CheckTierModels(models map[string]string) (problems []string) {
	for _, pattern := range slices.Sorted(maps.Keys(models)) {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			problems = append(problems, fmt.Sprintf("tier_models.%s: not a model or a pattern with *, such as anthropic/*", pattern))
		}
		if !slices.Contains(tiers, Tier(models[pattern])) {
			problems = append(problems, fmt.Sprintf("tier_models.%s: %q is no tier; use starter, pro, business or enterprise", pattern, models[pattern]))
		}
	}
	return problems
}

// InTier reports whether the tenant's tier is high enough for the model of this full id, and which tier that model needs; empty when it needs none. models are the
// setting tier_models. The most specific entry counts: the one that spells out most of the id; of two alike, the one that asks for more.
func (t Tenant) InTier(id string, models map[string]string) (needs Tier, ok bool) {
	best := -1
	for pattern, tier := range models {
		if !matches(pattern, id) {
			continue
		}
		literal := 2 * len(strings.ReplaceAll(pattern, "*", ""))
		if pattern == id {
			literal++
		}
		if literal > best || literal == best && rank(Tier(tier)) > rank(needs) {
			best, needs = literal, Tier(tier)
		}
	}
	return needs, best < 0 || slices.Index(tiers, t.Tier) >= rank(needs)
}

// rank is a tier's place. One that does not exist is above all others, so that a mistake keeps a model from everybody and gives it to nobody.
func rank(t Tier) int {
	if i := slices.Index(tiers, t); i >= 0 {
		return i
	}
	return len(tiers)
}
