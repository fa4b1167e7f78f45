package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// public are the described operations that need no key, or check what they are given themselves.
var public = []string{"get-widget-config", "create-widget-session"}

// TestDescription: the same bytes every time, served as they are made, and a word on who may call for every operation.
func TestDescription(t *testing.T) {
	yaml, js, err := Description("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		y, j, err := Description("1.2.3")
		if err != nil || !bytes.Equal(y, yaml) || !bytes.Equal(j, js) {
			t.Fatalf("the description changes from one time to the next: %v", err)
		}
	}
	r := lite(t, nil)
	served := r.want(200, request{Path: "/openapi.json"}, nil)
	again := r.do(request{Path: "/openapi.json", Header: map[string]string{"If-None-Match": served.header.Get("ETag")}})
	if again.status != 304 || len(again.body) != 0 {
		t.Errorf("with its ETag: %d", again.status)
	}
	d := newDocument(t, served.body)
	for path, item := range d.Paths {
		for method, op := range item {
			switch {
			case len(op.Security) == 0 && !slices.Contains(public, op.OperationID):
				t.Errorf("%s %s says nothing of who may call it", method, path)
			case op.Summary == "" || op.OperationID == "":
				t.Errorf("%s %s has no summary or no id", method, path)
			}
		}
	}
}

// document is as much of an OpenAPI description as is needed to hold answers to it.
type document struct {
	held  map[string]int // how many answers of each operation were compared
	Paths map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Summary     string
		Security    []map[string][]string
		Responses   map[string]struct {
			Content map[string]struct{ Schema schema }
		}
	}
	Components struct{ Schemas map[string]schema }
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Properties map[string]schema
	Items      *schema
	Required   []string
	Enum       []any
	OneOf      []schema
	AnyOf      []schema
	Additional any `json:"additionalProperties"`
}

func newDocument(t testing.TB, b []byte) document {
	t.Helper()
	d := document{held: map[string]int{}}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// holds demands that an answer is what the description says.
func (d document) holds(t *testing.T, operation string, a reply) {
	t.Helper()
	for _, item := range d.Paths {
		for _, op := range item {
			if op.OperationID != operation {
				continue
			}
			r, ok := op.Responses[fmt.Sprint(a.status)]
			if !ok {
				r, ok = op.Responses["default"]
			}
			if !ok {
				t.Errorf("%s: the description has no answer %d", operation, a.status)
				return
			}
			media, ok := r.Content["application/json"]
			if !ok || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
				return
			}
			var v any
			a.read(t, &v)
			d.held[operation]++
			for _, what := range d.wrong(media.Schema, v, "body") {
				t.Errorf("%s: %s: %s", operation, what, a.body)
			}
		}
	}
}

// wrong lists where a value is not what its schema says.
func (d document) wrong(s schema, v any, at string) (out []string) {
	if s.Ref != "" {
		s = d.Components.Schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
	}
	if len(s.OneOf) > 0 || len(s.AnyOf) > 0 {
		for _, one := range append(s.OneOf, s.AnyOf...) {
			if len(d.wrong(one, v, at)) == 0 {
				return nil
			}
		}
		return []string{at + " is none of the described"}
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		out = append(out, fmt.Sprintf("%s is %v, none of %v", at, v, s.Enum))
	}
	if !isType(s.Type, v) {
		return append(out, fmt.Sprintf("%s is a %T, not %v", at, v, s.Type))
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				out = append(out, at+"."+name+" is missing")
			}
		}
		for name, inner := range v {
			p, known := s.Properties[name]
			if known {
				out = append(out, d.wrong(p, inner, at+"."+name)...)
			} else if len(s.Properties) > 0 && s.Additional == nil {
				out = append(out, at+"."+name+" is not described")
			}
		}
	case []any:
		for i, inner := range v {
			if s.Items != nil {
				out = append(out, d.wrong(*s.Items, inner, fmt.Sprintf("%s[%d]", at, i))...)
			}
		}
	}
	return out
}

func isType(want any, v any) bool {
	switch want := want.(type) {
	case nil:
		return true
	case []any:
		return slices.ContainsFunc(want, func(w any) bool { return isType(w, v) })
	case string:
		switch v := v.(type) {
		case nil:
			return want == "null"
		case bool:
			return want == "boolean"
		case string:
			return want == "string"
		case float64:
			return want == "number" || want == "integer" && v == float64(int64(v))
		case []any:
			return want == "array"
		case map[string]any:
			return want == "object"
		}
	}
	return false
}

// TestAnswersAsDescribed: every operation's answers, full and as empty as they get, are what the description says; lists without entries are [] and never null.
func TestAnswersAsDescribed(t *testing.T) {
	r := lite(t, nil)
	r.fast()
	d := newDocument(t, r.want(200, request{Path: "/openapi.json"}, nil).body)
	for _, op := range r.s.api.Operations() {
		m := matrix{r: r, entrance: doors[op.OperationID], method: op.Method, path: op.Path, name: op.OperationID}
		full := r.world("full-" + op.OperationID)
		empty := r.tenant("empty-"+op.OperationID, nil)
		for _, w := range []world{full, {customer: empty, page: full.page, ids: full.ids}} {
			if w.ID == empty.ID {
				w.ids = missing()
				maps.Copy(w.ids, map[string]string{"tenant": empty.ID, "session": r.session(empty.Key, nil), "key": empty.KeyID, "tenant_name": "empty-" + op.OperationID})
			}
			q := m.call(m.owner(w), w.ids)
			if m.who == "page" {
				q.Header = full.page.origin()
			}
			if m.path == "/v1/runs/{run}/stream" && w.ID == full.ID || strings.HasSuffix(m.path, "/export") {
				continue // its answer is a stream
			}
			a := r.do(q)
			d.holds(t, op.OperationID, a)
			if strings.Contains(string(a.body), "_at\":null") || strings.Contains(string(a.body), "0001-01-01") {
				t.Errorf("%s: a time that never was: %s", op.OperationID, a.body)
			}
		}
		r.do(request{Method: "DELETE", Path: "/admin/tenants/fresh", Key: r.admin})
	}
	for _, op := range r.s.api.Operations() {
		if d.held[op.OperationID] == 0 && op.Method != "DELETE" && !strings.HasSuffix(op.Path, "/export") {
			t.Errorf("no answer of %s was compared", op.OperationID)
		}
	}
}
