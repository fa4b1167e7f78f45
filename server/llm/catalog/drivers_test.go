package catalog_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/all"
	"github.com/clawless/clawless/server/llm/catalog"
)

// precise are the drivers that know by a model's name which levels of thinking it has; the others leave that to the provider.
var precise = []string{"anthropic", "mock", "workersai"}

// TestDrivers: the table promises no level of thinking that the driver refuses, and keeps none back that a driver is sure of.
func TestDrivers(t *testing.T) {
	b, err := os.ReadFile("catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Models map[string]json.RawMessage `json:"models"`
	}
	if err := json.Unmarshal(b, &table); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for id := range table.Models {
		vendor, model, _ := strings.Cut(id, "/")
		info, ok := catalog.Default().Find(vendor, vendor, strings.TrimSuffix(model, "*"))
		d, driven := all.Lookup(vendor)
		if !ok || !driven || info.Embedding {
			continue
		}
		p, err := d.New(llm.Config{Name: vendor, BaseURL: d.DefaultURL, APIKey: "key", AccountID: strings.Repeat("0", 32)})
		if err != nil {
			t.Fatal(err)
		}
		seen[vendor]++
		for _, e := range llm.Efforts {
			has, takes := slices.Contains(info.Efforts, e), takes(t, p, strings.TrimSuffix(model, "*"), e)
			if has && !takes || takes && !has && slices.Contains(precise, vendor) {
				t.Errorf("%s at %s: the table says %v, the driver %v", id, e, has, takes)
			}
		}
	}
	if len(seen) != len(all.Drivers()) {
		t.Errorf("models of %v", seen)
	}
}

// takes reports whether a driver would send a request with the level. Nothing is sent: all but the built-in models are called under a context that has ended, which
// drivers look at after the request.
func takes(t *testing.T, p llm.Provider, model string, e llm.Effort) bool {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if p.Name() != "mock" {
		cancel()
	}
	for _, err := range p.Stream(ctx, &llm.Request{Model: model, Effort: e, Stream: true, Messages: []llm.Message{{Role: "user", Content: llm.Text("hi")}}}) {
		refused := llm.AsError(err)
		if refused != nil && p.Name() != "mock" && refused.Class != llm.ClassInvalid && refused.Class != llm.ClassCanceled {
			t.Errorf("%s at %s: %v", model, e, err)
		}
		return refused == nil || refused.Class != llm.ClassInvalid
	}
	t.Errorf("%s at %s: nothing came", model, e)
	return false
}
