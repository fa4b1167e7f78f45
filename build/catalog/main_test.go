package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestPrice: dollars become micro-dollars, and each vendor's habit of filling the source's two columns for caches is seen through.
func TestPrice(t *testing.T) {
	for name, tt := range map[string]struct {
		m    model
		want [4]int64
	}{
		"writing costs more, reading less":    {model{In: 10, Out: 50, Write: 12.5, Read: 0.25}, [4]int64{10_000_000, 50_000_000, 250_000, 12_500_000}},
		"reading in the column of writing":    {model{In: 0.435, Out: 0.87, Write: 0.003625}, [4]int64{435_000, 870_000, 3625, 435_000}},
		"output in the column of reading":     {model{In: 0.3, Out: 2.5, Write: 0.03, Read: 2.5}, [4]int64{300_000, 2_500_000, 30_000, 300_000}},
		"reading in both columns":             {model{In: 1.25, Out: 10, Write: 0.125, Read: 0.125}, [4]int64{1_250_000, 10_000_000, 125_000, 1_250_000}},
		"no prices of caches":                 {model{In: 1, Out: 2}, [4]int64{1_000_000, 2_000_000, 1_000_000, 1_000_000}},
		"dollars that are not quite a number": {model{In: 0.39999999999999997, Out: 1.5999999999999999, Read: 0.09999999999999999}, [4]int64{400_000, 1_600_000, 100_000, 400_000}},
	} {
		var e entry
		e.price(tt.m)
		if got := [4]int64{*e.Input, *e.Output, *e.CacheRead, *e.CacheWrite}; got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	var e entry
	if e.price(model{}); e.Input != nil {
		t.Error("a price of nothing is a price")
	}
}

func TestClass(t *testing.T) {
	p := provider{Small: "s", Large: "l"}
	for id, want := range map[string]string{"s": "small", "l": "large"} {
		if got := class(model{ID: id, Out: 5}, p); got != want {
			t.Errorf("the vendor's own %s is %s", want, got)
		}
	}
	for out, want := range map[float64]string{0: "", 1.49: "small", 1.5: "medium", 7.99: "medium", 8: "large"} {
		if got := class(model{ID: "m", Out: out}, p); got != want {
			t.Errorf("%v a million is %q, want %q", out, got, want)
		}
	}
}

func TestLevels(t *testing.T) {
	most := []string{"low", "medium", "high", "max"}
	for _, tt := range []struct {
		vendor string
		m      model
		want   string
	}{
		{"openai", model{Thinks: true, Levels: []string{"none", "low", "xhigh"}}, "off low"},
		{"openai", model{Levels: most}, ""},
		{"gemini", model{Thinks: true}, "low medium high"},
		{"moonshot", model{Thinks: true}, ""},
		{"zai", model{Thinks: true, Levels: []string{"high", "max"}}, "high"},
		{"anthropic", model{ID: "claude-opus-4-5", Thinks: true, Levels: most[:3]}, "off minimal low medium high"},
		{"anthropic", model{ID: "claude-opus-5", Thinks: true, Levels: most}, "off low medium high"},
		{"anthropic", model{ID: "claude-fable-5", Thinks: true, Levels: most}, "low medium high"},
	} {
		if got := strings.Join(levels(tt.vendor, tt.m), " "); got != tt.want {
			t.Errorf("%s %+v: %s, want %s", tt.vendor, tt.m, got, tt.want)
		}
	}
}

// TestAdd: what a vendor's models become, its pair, and the names without a date.
func TestAdd(t *testing.T) {
	tab := table{Pairs: map[string]pair{}, Models: map[string]entry{}}
	tab.add("anthropic", provider{Small: "a-20250101", Large: "b", Models: []model{{ID: "a-20250101", In: 1, Out: 2}, {ID: "b", In: 3, Out: 4, Images: true}}})
	tab.add("zai", provider{Small: "c", Large: "d-20250101", Models: []model{{ID: "c", In: 9, Out: 9}, {ID: "d-20250101", In: 1, Out: 1}}})
	if tab.Pairs["anthropic"] != (pair{"a-20250101", "b"}) || len(tab.Pairs) != 1 {
		t.Errorf("pairs %v: one that is no cheaper is none", tab.Pairs)
	}
	a, b, c := tab.Models["anthropic/a"], tab.Models["anthropic/b"], tab.Models["zai/c"]
	if len(tab.Models) != 5 || a.Class != "small" || *a.Output != 2_000_000 || !b.Vision || a.Vision || !b.Schema || c.Schema || !c.Tools {
		t.Errorf("%+v", tab.Models)
	}
	if err := tab.amend([]byte(`{"models": {"anthropic/a": {"input": 7}, "lab/x": {"embedding": true}}, "pairs": {"lab": {"weak": "x", "strong": "y"}}}`)); err != nil {
		t.Fatal(err)
	}
	a, dated := tab.Models["anthropic/a"], tab.Models["anthropic/a-20250101"]
	if *a.Input != 7 || *a.Output != 2_000_000 || *dated.Input != 1_000_000 || !tab.Models["lab/x"].Embedding || tab.Pairs["lab"].Strong != "y" {
		t.Errorf("%+v, %+v, %v", a, dated, tab.Pairs)
	}
	for _, bad := range []string{`{"model": {}}`, `{"models": {"lab/x": {"price": 1}}}`, ``} {
		if tab.amend([]byte(bad)) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestFresh: the table that is built in has every word of the supplement and the version that its content has, so that nobody changed one without the other.
func TestFresh(t *testing.T) {
	written, err := os.ReadFile("../../server/llm/catalog/catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	supplement, err := os.ReadFile("supplement.json")
	if err != nil {
		t.Fatal(err)
	}
	var tab table
	if err := json.Unmarshal(written, &tab); err != nil {
		t.Fatal(err)
	}
	own := table{Pairs: map[string]pair{}, Models: map[string]entry{}}
	if err := own.amend(supplement); err != nil {
		t.Fatal(err)
	}
	for id := range tab.Models {
		vendor, _, _ := strings.Cut(id, "/")
		if _, ok := own.Models[id]; !ok && !slices.Contains(vendors, vendor) {
			t.Errorf("%s is in neither source: run make catalog", id)
		}
	}
	if err := tab.amend(supplement); err != nil {
		t.Fatal(err)
	}
	tab.stamp()
	if again := tab.lines(); !bytes.Equal(again, written) {
		t.Error("catalog.json is not what its sources say: run make catalog")
	}
	if !strings.Contains(tab.Source, "MIT") || !strings.Contains(tab.Source, "Charmbracelet") || !strings.HasPrefix(tab.Version, date+".catwalk-") {
		t.Errorf("version %s, source %s", tab.Version, tab.Source)
	}
	before := tab.Version
	e := tab.Models["mock/large"]
	dear := *e.Input + 1
	e.Input = &dear
	tab.Models["mock/large"] = e
	if tab.stamp(); tab.Version == before {
		t.Error("two tables have one version")
	}
	if len(written) > 400<<10 {
		t.Errorf("%d bytes are too many to carry in every binary", len(written))
	}
}
