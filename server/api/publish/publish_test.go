package publish_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"gopkg.in/yaml.v3"

	"github.com/clawless/clawless/server/api"
)

type (
	colour struct {
		Zeta  string   `json:"zeta" enum:"red,green"`
		Alpha *int     `json:"alpha,omitempty"`
		Marks []string `json:"marks,omitempty"`
		One   string   `json:"one" enum:"only"`
	}
	darkColour struct {
		Zeta string `json:"zeta" enum:"red,green"`
	}
	in struct {
		Body struct {
			Light colour     `json:"light"`
			Dark  darkColour `json:"dark"`
		}
	}
	page struct{ Body api.Page[colour] }
	none struct{}
)

// TestPublish: the description tells generators more and forbids less than the live schemas, which stay as strict as they were.
func TestPublish(t *testing.T) {
	a := api.New(api.Options{Version: "1"})
	api.Handle(a, api.Public(), huma.Operation{OperationID: "list-colours", Method: "GET", Path: "/colours"}, func(context.Context, *none) (*page, error) { return &page{}, nil })
	api.Handle(a, api.Public(), huma.Operation{OperationID: "mix", Method: "POST", Path: "/mix/{rest...}"}, func(context.Context, *in) (*none, error) { return nil, nil })
	post := func(body string) int {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/mix/x", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w.Code
	}
	const good, bad = `{"light":{"zeta":"red","one":"only"},"dark":{"zeta":"red"}}`, `{"light":{"zeta":"red","one":"only"},"dark":{"zeta":"red","shade":1}}`
	for range 2 {
		if g, b := post(good), post(bad); g != http.StatusNoContent || b != http.StatusUnprocessableEntity {
			t.Fatalf("good %d, with an unknown field %d", g, b)
		}
		text, _, err := a.Description()
		if err != nil {
			t.Fatal(err)
		}
		check(t, text)
	}
}

func check(t *testing.T, text []byte) {
	t.Helper()
	type schema struct {
		AdditionalProperties any `yaml:"additionalProperties"`
		Properties           map[string]map[string]any
	}
	var doc struct {
		Paths      map[string]map[string]map[string]any
		Components struct{ Schemas map[string]schema }
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Paths["/colours"]["get"]["x-page-item"] != "Colour" || doc.Paths["/mix/{rest}"] == nil {
		t.Errorf("paths: %v", doc.Paths)
	}
	for name, s := range doc.Components.Schemas {
		if s.AdditionalProperties != nil {
			t.Errorf("%s: additionalProperties %v", name, s.AdditionalProperties)
		}
	}
	p := doc.Components.Schemas["Colour"].Properties
	for i, name := range []string{"zeta", "alpha", "marks", "one"} {
		if p[name]["x-order"] != i {
			t.Errorf("%s: x-order %v, want %d", name, p[name]["x-order"], i)
		}
	}
	if p["alpha"]["x-go-type-skip-optional-pointer"] != false || p["marks"]["x-omitempty"] != false || p["one"]["x-go-type"] != "string" || p["zeta"]["x-go-type"] != nil {
		t.Errorf("colour: %v", p)
	}
	if q := doc.Components.Schemas["DarkColour"].Properties; q["zeta"]["x-go-type"] != "ColourZeta" {
		t.Errorf("dark colour: %v", q)
	}
}
