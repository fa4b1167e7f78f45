package models

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/clawless/clawless/cmd/clawless/cli/show"
	"github.com/clawless/clawless/sdk"
)

var shown = []sdk.Model{
	{ID: "auto", Object: "model", OwnedBy: "clawless"},
	{ID: "lab/free", Object: "model", Pricing: &sdk.ModelPricing{}, Capabilities: &sdk.ModelCapabilities{Thinking: []string{}}},
	{ID: "lab/think", Object: "model", Class: "large", ContextWindow: 200_000, MaxOutputTokens: 64_000, Pricing: &sdk.ModelPricing{Input: 150_000, Output: 15_000_000}, PriceVersion: "v7",
		Capabilities: &sdk.ModelCapabilities{Tools: true, Thinking: []string{"off", "high"}}},
}

const table = `ID         CLASS  CONTEXT  IN/M   OUT/M   THINKING
auto       -      -        -      -       -
lab/free   -      -        $0     $0      -
lab/think  large  200000   $0.15  $15.00  off, high
`

// TestList: people see what a model costs, and - where nobody knows; machines get everything.
func TestList(t *testing.T) {
	var out bytes.Buffer
	if err := view.List(show.Printer{Out: &out}, shown); err != nil || out.String() != table {
		t.Errorf("%v\n%s", err, out.String())
	}
	out.Reset()
	var got []map[string]any
	if err := view.List(show.Printer{Out: &out, Format: show.JSON}, shown); err != nil || json.Unmarshal(out.Bytes(), &got) != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if got[2]["max_output_tokens"] != 64_000.0 || got[2]["price_version"] != "v7" || got[2]["pricing"].(map[string]any)["input"] != 150_000.0 || got[2]["capabilities"].(map[string]any)["tools"] != true {
		t.Errorf("%v", got[2])
	}
	if _, ok := got[0]["pricing"]; ok {
		t.Errorf("an unknown price is told: %v", got[0])
	}
}

func TestDollars(t *testing.T) {
	for micros, want := range map[int64]string{0: "$0", 1: "$0.000001", 12_000: "$0.012", 150_000: "$0.15", 500_000: "$0.50", 1_000_000: "$1.00", 2_500_000: "$2.50", 150_000_000: "$150.00"} {
		if got := dollars(micros); got != want {
			t.Errorf("%d is %s, want %s", micros, got, want)
		}
	}
}
