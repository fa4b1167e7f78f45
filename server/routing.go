package server

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/mock"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/routes"
	"github.com/clawless/clawless/server/tenants"
)

// knowledge is what the server knows of models: prices and abilities, and which of them auto chooses between.
type knowledge struct {
	prices  *catalog.Table
	vendors map[string]string // by provider
	rules   policy.Rules
	tiers   map[string]string // patterns of models and the tier that they need
}

// know reads the operator's prices and decides on the pair behind auto: the settings', else that of the first configured provider whose vendor has one.
func know(cfg config.Settings, providers []llm.Provider) (knowledge, error) {
	k := knowledge{prices: catalog.Default(), vendors: vendors(cfg), tiers: cfg.TierModels}
	if cfg.PricesFile != "" {
		f, err := os.Open(cfg.PricesFile)
		if err != nil {
			return k, fmt.Errorf("prices_file: %w", err)
		}
		defer f.Close()
		if k.prices, err = catalog.Default().With(f); err != nil {
			return k, fmt.Errorf("prices_file: %s: %w", cfg.PricesFile, err)
		}
	}
	if k.tiers == nil { // an empty mapping is the operator's word that no model needs a tier
		k.tiers = map[string]string{"anthropic/*": string(tenants.Enterprise)}
	}
	if bad := tenants.CheckTierModels(k.tiers); len(bad) > 0 {
		return k, fmt.Errorf("tier_models: %s", strings.Join(bad, "; "))
	}
	k.rules = policy.Rules{Weak: cfg.AutoWeak, Strong: cfg.AutoStrong, StrongShare: cfg.StrongShare, Fallback: cfg.FallbackModels}
	if cfg.DefaultModel != policy.Auto {
		k.rules.Default = cfg.DefaultModel
	}
	if k.rules.Weak != "" || k.rules.Strong != "" {
		return k, nil
	}
	for _, p := range providers {
		if p.Name() == mock.Driver.Name && len(providers) > 1 {
			break // nobody's customers get the built-in models because a real provider has no pair
		}
		if weak, strong, ok := k.prices.Pair(k.vendors[p.Name()]); ok {
			k.rules.Weak, k.rules.Strong = p.Name()+"/"+weak, p.Name()+"/"+strong
			break
		}
		if weak, strong, ok := k.prices.Pair(p.Name()); ok { // an operator's own
			k.rules.Weak, k.rules.Strong = p.Name()+"/"+weak, p.Name()+"/"+strong
			break
		}
	}
	return k, nil
}

// lookup is what is known of a provider's model.
func (k knowledge) lookup(provider, model string) (catalog.Info, bool) {
	return k.prices.Find(k.vendors[provider], provider, model)
}

// lookupID is the same for a full id, or for another name of a model.
func (s *Server) lookupID(id string) (catalog.Info, bool) {
	t, err := s.router.Resolve(context.Background(), id)
	if err != nil {
		return catalog.Info{}, false
	}
	return t.Info, t.Known
}

// facts are what is known of models for a tenant, for the replay of its decisions. Without a tenant nobody's permissions count.
func (s *Server) facts(ctx context.Context, tenantID string, names []string) ([]policy.Model, error) {
	t := tenants.Tenant{Tier: tenants.Enterprise}
	if tenantID != "" {
		var err error
		if t, err = s.chat.Tenant(ctx, tenantID); err != nil {
			return nil, err
		}
	}
	return s.chat.Planner().Facts(ctx, t, names), nil
}

// defaultOf is the full id of the tenant's default model, auto, or nothing where it has none that it may use.
func (s *Server) defaultOf(ctx context.Context, tenantID string) string {
	t, err := s.chat.Tenant(ctx, tenantID)
	if err != nil {
		return ""
	}
	name := t.Settings.DefaultModel
	if name == "" || name == plan.DefaultModel {
		if name, err = s.chat.Planner().Default(ctx); err != nil {
			return ""
		}
	}
	if name == policy.Auto {
		if s.hasAuto(ctx, tenantID) {
			return name
		}
		return ""
	}
	target, err := s.router.Resolve(ctx, name)
	if err != nil || s.chat.Planner().May(t, target.ID) != nil {
		return ""
	}
	return target.ID
}

// hasAuto reports whether the model auto can answer the tenant: it may use one of the two that stand behind it.
func (s *Server) hasAuto(ctx context.Context, tenantID string) bool {
	t, err := s.chat.Tenant(ctx, tenantID)
	if err != nil {
		return false
	}
	r := t.Rules(s.known.rules)
	for _, name := range []string{r.Weak, r.Strong} {
		if target, err := s.router.Resolve(ctx, name); err == nil && s.chat.Planner().May(t, target.ID) == nil {
			return true
		}
	}
	return false
}

const (
	keptDecisions = 90 // days
	pruneAtOnce   = 1000
)

// pruneDecisions removes the decisions that are too old to be replayed.
func (s *Server) pruneDecisions(ctx context.Context) error {
	before := time.Now().AddDate(0, 0, -keptDecisions)
	for {
		var n int64
		err := s.db.Write(ctx, func(q db.Querier) (err error) {
			n, err = routes.Prune(ctx, q, before, pruneAtOnce)
			return err
		})
		if err != nil || n < pruneAtOnce {
			return err
		}
	}
}
