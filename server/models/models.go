// Package models says which models a tenant's key may call.
package models

import (
	"context"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/llm"
)

// Catalogue lists the models that the configured providers offer, under their full ids (provider/model).
type Catalogue interface {
	Models(ctx context.Context) []llm.Model
}

// Visible returns the catalogue's models that allowed lets through, by id.
func Visible(ctx context.Context, c Catalogue, allowed func(id string) bool) []llm.Model {
	out := slices.DeleteFunc(slices.Clone(c.Models(ctx)), func(m llm.Model) bool { return !allowed(m.ID) })
	slices.SortFunc(out, func(a, b llm.Model) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(out, func(a, b llm.Model) bool { return a.ID == b.ID })
}
