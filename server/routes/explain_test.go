package routes

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm/policy"
)

func TestExplain(t *testing.T) {
	c := Choice{Asked: "auto", Share: 0.3, Output: 512, Thinking: "low", PriceVersion: "v7", Why: func(s policy.Skip) string { return "words for " + string(s) },
		Ask: policy.Ask{Model: policy.Auto, Input: 40, Scored: true, Failure: 0.25, Threshold: 0.5},
		Decision: policy.Decision{Reason: policy.ReasonScore, Candidates: []policy.Candidate{{ID: "lab/weak", Micros: 0, Priced: true}, {ID: "lab/strong", Micros: 9, Priced: true},
			{ID: "lab/x", Skip: policy.SkipPrice}}}}
	none := c
	none.Decision = policy.Decision{Reason: policy.ReasonGate, Candidates: []policy.Candidate{{ID: "lab/weak", Skip: policy.SkipTools, Priced: true, Micros: 3}}}
	none.Err = fault.New(fault.NoModel, "none of them")
	named := Choice{Asked: "default", PriceVersion: "v7", Ask: policy.Ask{Model: "lab/weak"}, Decision: policy.Decision{Reason: policy.ReasonExplicit, Candidates: []policy.Candidate{{ID: "lab/weak"}}}}
	for _, tt := range []struct {
		name   string
		choice Choice
		want   string
	}{
		{"a scored one", c, `{"asked":"auto","model":"lab/weak","reason":"score","score":0.25,"threshold":0.5,"strong_share":0.3,"thinking":"low","candidates":[` +
			`{"model":"lab/weak","why":"the score 0.25 is not above the threshold","estimated_cost_micros":0},{"model":"lab/strong","why":"tried when those before it fail","estimated_cost_micros":9},` +
			`{"model":"lab/x","skipped":"price_unknown","why":"words for price_unknown"}],"estimated_input_tokens":40,"estimated_output_tokens":512,"price_version":"v7"}`},
		{"nobody", none, `{"asked":"auto","model":"","reason":"gate","score":0.25,"threshold":0.5,"strong_share":0.3,"thinking":"low","candidates":[` +
			`{"model":"lab/weak","skipped":"no_tools","why":"words for no_tools","estimated_cost_micros":3}],"estimated_input_tokens":40,"estimated_output_tokens":512,"price_version":"v7",` +
			`"error":{"code":"no_model_available","message":"none of them"}}`},
		{"a named one", named, `{"asked":"default","model":"lab/weak","reason":"explicit","candidates":[{"model":"lab/weak","why":"the request names it, or the tenant's default does"}],` +
			`"estimated_input_tokens":0,"estimated_output_tokens":0,"price_version":"v7"}`},
	} {
		got, err := json.Marshal(tt.choice.Explain())
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %v\n got %s\nwant %s", tt.name, err, got, tt.want)
		}
	}
}

func TestDescribed(t *testing.T) {
	a := api.New(api.Options{Version: "1"})
	Routes{ChatBody: struct {
		Model string `json:"model"`
	}{}}.Register(a)
	ops := a.Operations()
	if len(ops) != 2 {
		t.Fatalf("%d operations", len(ops))
	}
	want := map[string]string{"/v1/route": "key", "/admin/routes/replay": "admin"}
	for _, op := range ops {
		if op.Method != http.MethodPost || len(op.Security) != 1 || op.Security[0][want[op.Path]] == nil {
			t.Errorf("%s %s needs %v", op.Method, op.Path, op.Security)
		}
	}
	if _, _, err := a.Description(); err != nil {
		t.Error(err)
	}
}
