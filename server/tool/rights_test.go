package tool

import (
	"fmt"
	"strings"
	"testing"
)

type layerCase struct {
	name   string
	rights Rights
	tool   string
	layer  string // empty: allowed
}

func layerCases() []layerCase {
	all := []string{"*"}
	open := func(change func(*Rights)) Rights {
		r := Rights{Scope: true, Tenant: all}
		change(&r)
		return r
	}
	request := func(patterns ...string) *[]string { return &patterns }
	return []layerCase{
		{"everything open", open(func(*Rights) {}), "file_read", ""},
		{"zero rights", Rights{}, "file_read", LayerKeyScope},
		{"no scope", open(func(r *Rights) { r.Scope = false }), "file_read", LayerKeyScope},
		{"no scope, denied below too", Rights{Session: &Narrowing{Deny: all}}, "file_read", LayerKeyScope},
		{"visitor without widget tools", open(func(r *Rights) { r.Visitor = true }), "file_read", LayerWidget},
		{"visitor with a scope and without widget tools", Rights{Scope: true, Visitor: true, Tenant: all}, "file_read", LayerWidget},
		{"visitor without a scope and with widget tools", Rights{Visitor: true, Widget: all, Tenant: all}, "file_read", ""},
		{"visitor with another tool", Rights{Visitor: true, Widget: []string{"time_now"}, Tenant: all}, "file_read", LayerWidget},
		{"visitor whose tenant allows less", Rights{Visitor: true, Widget: all, Tenant: []string{"time_now"}}, "file_read", LayerTenant},
		{"widget tools say nothing about keys", open(func(r *Rights) { r.Widget = []string{"time_now"} }), "file_read", ""},
		{"no tenant list", open(func(r *Rights) { r.Tenant = nil }), "file_read", LayerTenant},
		{"empty tenant list", open(func(r *Rights) { r.Tenant = []string{} }), "file_read", LayerTenant},
		{"tenant names it", open(func(r *Rights) { r.Tenant = []string{"time_now", "file_read"} }), "file_read", ""},
		{"tenant pattern", open(func(r *Rights) { r.Tenant = []string{"file_*"} }), "file_read", ""},
		{"tenant pattern of another", open(func(r *Rights) { r.Tenant = []string{"file_*"} }), "my_file_read", LayerTenant},
		{"tenant pattern with one sign", open(func(r *Rights) { r.Tenant = []string{"file_rea?"} }), "file_read", ""},
		{"names are exact", open(func(r *Rights) { r.Tenant = []string{"file_read"} }), "file_read2", LayerTenant},
		{"case counts", open(func(r *Rights) { r.Tenant = []string{"File_Read"} }), "file_read", LayerTenant},
		{"a broken pattern allows nothing", open(func(r *Rights) { r.Tenant = []string{"file_["} }), "file_[", LayerTenant},
		{"an empty pattern allows nothing", open(func(r *Rights) { r.Tenant = []string{""} }), "file_read", LayerTenant},
		{"session without lists", open(func(r *Rights) { r.Session = &Narrowing{} }), "file_read", ""},
		{"session allows none", open(func(r *Rights) { r.Session = &Narrowing{Allow: []string{}} }), "file_read", LayerSession},
		{"session allows it", open(func(r *Rights) { r.Session = &Narrowing{Allow: []string{"file_read"}} }), "file_read", ""},
		{"session allows another", open(func(r *Rights) { r.Session = &Narrowing{Allow: []string{"time_now"}} }), "file_read", LayerSession},
		{"session denies it", open(func(r *Rights) { r.Session = &Narrowing{Deny: []string{"file_*"}} }), "file_read", LayerSession},
		{"session denies another", open(func(r *Rights) { r.Session = &Narrowing{Deny: []string{"file_write"}} }), "file_read", ""},
		{"deny wins over allow", open(func(r *Rights) { r.Session = &Narrowing{Allow: []string{"file_read"}, Deny: []string{"file_read"}} }), "file_read", LayerSession},
		{"a broken pattern denies everything", open(func(r *Rights) { r.Session = &Narrowing{Deny: []string{"x["}} }), "file_read", LayerSession},
		{"a session cannot widen", open(func(r *Rights) { r.Tenant = []string{"time_now"}; r.Session = &Narrowing{Allow: all} }), "file_read", LayerTenant},
		{"request names none", open(func(r *Rights) { r.Request = request() }), "file_read", LayerRequest},
		{"request names it", open(func(r *Rights) { r.Request = request("file_read") }), "file_read", ""},
		{"request pattern", open(func(r *Rights) { r.Request = request("f*d") }), "file_read", ""},
		{"request names another", open(func(r *Rights) { r.Request = request("time_now") }), "file_read", LayerRequest},
		{"a request cannot widen the session", open(func(r *Rights) { r.Session = &Narrowing{Deny: all}; r.Request = request("*") }), "file_read", LayerSession},
		{"a request cannot widen the tenant", open(func(r *Rights) { r.Tenant = nil; r.Request = request("*") }), "file_read", LayerTenant},
	}
}

func TestRightsNameTheLayer(t *testing.T) {
	for _, c := range layerCases() {
		t.Run(c.name, func(t *testing.T) {
			d := c.rights.Decide(c.tool)
			if d.Allowed != (c.layer == "") || d.Layer != c.layer {
				t.Fatalf("got %+v, want layer %q", d, c.layer)
			}
			if d.Allowed != (d.Why == "") || !d.Allowed && !strings.Contains(d.Why, c.tool) {
				t.Errorf("why is %q", d.Why)
			}
			if d.Allowed && !c.rights.Any() {
				t.Error("a tool is allowed and Any says that none can be")
			}
		})
	}
}

// TestRightsInAllCombinations holds Decide against its definition: every layer must allow, and the first that does not is named.
func TestRightsInAllCombinations(t *testing.T) {
	const name = "file_read"
	lists := [][]string{nil, {}, {"time_now"}, {"file_*"}}
	cases := 0
	for bits := range 4 {
		for _, widget := range lists {
			for _, tenant := range lists {
				for _, allow := range lists {
					for _, deny := range lists {
						for i, request := range lists {
							r := Rights{Scope: bits&1 != 0, Visitor: bits&2 != 0, Widget: widget, Tenant: tenant, Session: &Narrowing{Allow: allow, Deny: deny}}
							if i > 0 {
								r.Request = &request
							}
							has := func(list []string) bool { return len(list) == 1 && list[0] == "file_*" }
							allowed := []struct {
								layer string
								ok    bool
							}{
								{LayerWidget, !r.Visitor || has(widget)}, {LayerKeyScope, r.Visitor || r.Scope}, {LayerTenant, has(tenant)},
								{LayerSession, !has(deny) && (allow == nil || has(allow))}, {LayerRequest, r.Request == nil || has(request)},
							}
							want := ""
							for _, a := range allowed {
								if !a.ok {
									want = a.layer
									break
								}
							}
							if got := r.Decide(name); got.Layer != want || got.Allowed != (want == "") {
								t.Fatalf("%s: got %+v, want %q", fmt.Sprintf("%+v", r), got, want)
							}
							cases++
						}
					}
				}
			}
		}
	}
	if cases != 4*4*4*4*4*4 {
		t.Errorf("%d combinations", cases)
	}
}

func TestAny(t *testing.T) {
	none := []string{}
	for _, r := range []Rights{{}, {Scope: true}, {Visitor: true, Tenant: []string{"*"}}, {Scope: true, Tenant: []string{"*"}, Request: &none},
		{Scope: true, Tenant: []string{"*"}, Session: &Narrowing{Allow: none}}} {
		if r.Any() {
			t.Errorf("%+v can allow nothing", r)
		}
	}
}
