package server

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTenants: what an operator does with a tenant, by id or by name.
func TestTenants(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		var made struct{ ID, Name, Tier, Status string }
		a := r.want(201, request{Method: "POST", Path: "/admin/tenants", Key: r.admin, Body: `{"name":"acme"}`}, &made)
		if made.Tier != "starter" || made.Status != "active" || !strings.Contains(string(a.body), `"allowed_models":[],"allowed_tools":[],"monthly_tokens":1000000`) {
			t.Errorf("made: %s", a.body)
		}
		etag := a.header.Get("ETag")
		patch := func(body, match string) reply {
			return r.do(request{Method: "PATCH", Path: "/admin/tenants/acme", Key: r.admin, Body: body, Header: map[string]string{"If-Match": match}})
		}
		b := patch(`{"tier":"pro","settings":{"system_prompt":"be brief"}}`, etag)
		if b.status != 200 || b.header.Get("ETag") == etag || !strings.Contains(string(b.body), `"monthly_tokens":10000000`) {
			t.Errorf("changed: %d %s", b.status, b.body)
		}
		if c := patch(`{"tier":"business"}`, etag); c.status != 412 || c.problem(t).Code != "stale_version" {
			t.Errorf("a stale change: %d %s", c.status, c.body)
		}
		if c := patch(`{"settings":{"monthly_tokens":0,"allowed_models":["lab/*"]}}`, ""); c.status != 200 || !strings.Contains(string(c.body), `"system_prompt":"be brief"`) || !strings.Contains(string(c.body), `"monthly_tokens":0`) {
			t.Errorf("a field that is left out stays: %s", c.body)
		}
		for _, path := range []string{"acme", made.ID} {
			got := r.want(200, request{Path: "/admin/tenants/" + path, Key: r.admin}, nil)
			if !strings.Contains(string(got.body), made.ID) || got.header.Get("ETag") == "" {
				t.Errorf("%s: %s", path, got.body)
			}
		}
		r.want(409, request{Method: "POST", Path: "/admin/tenants", Key: r.admin, Body: `{"name":"acme"}`}, nil)
		r.want(201, request{Method: "POST", Path: "/admin/tenants", Key: r.admin, Body: `{"name":"other"}`}, nil)
		if p := r.want(409, request{Method: "PATCH", Path: "/admin/tenants/other", Key: r.admin, Body: `{"name":"acme"}`}, nil).problem(t); p.Param == nil || *p.Param != "name" {
			t.Errorf("a name that is taken: %+v", p)
		}
		for _, bad := range []string{"Acme", "a b", "-a", "a-", "ten_x", "../x", strings.Repeat("a", 64), "é", "a.b"} {
			r.want(422, request{Method: "POST", Path: "/admin/tenants", Key: r.admin, Body: map[string]any{"name": bad}}, nil)
		}
		r.want(204, request{Method: "DELETE", Path: "/admin/tenants/acme", Key: r.admin}, nil)
		r.want(404, request{Path: "/admin/tenants/acme", Key: r.admin}, nil)
		r.want(201, request{Method: "POST", Path: "/admin/tenants", Key: r.admin, Body: `{"name":"acme"}`}, nil)
		audited(t, r, made.ID)
	})
}

// audited demands that the log tells what was done to the tenant, the newest first.
func audited(t *testing.T, r *rig, tenant string) {
	t.Helper()
	var log struct {
		Data []struct {
			Action, Target, Actor string
			TenantID              string `json:"tenant_id"`
			RequestID             string `json:"request_id"`
		}
	}
	r.want(200, request{Path: "/admin/audit?limit=200", Key: r.admin}, &log)
	var actions []string
	for _, e := range log.Data {
		if e.TenantID == tenant {
			actions = append(actions, e.Action)
			if !strings.HasPrefix(e.RequestID, "req_") || !strings.HasPrefix(e.Actor, "key_") || e.Target != tenant {
				t.Errorf("audit: %+v", e)
			}
		}
	}
	if want := []string{"tenant.delete", "tenant.update", "tenant.update", "tenant.create"}; !slices.Equal(actions, want) {
		t.Errorf("audit: %v, want %v", actions, want)
	}
}

// TestTenantChangesAtOnce: changes that name no version all apply, one after the other.
func TestTenantChangesAtOnce(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.tenant("acme", nil)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				field := []string{"default_model", "system_prompt"}[i%2]
				r.want(200, request{Method: "PATCH", Path: "/admin/tenants/acme", Key: r.admin, Body: fmt.Sprintf(`{"settings":{%q:"v%d"}}`, field, i)}, nil)
			})
		}
		wg.Wait()
		got := string(r.do(request{Path: "/admin/tenants/acme", Key: r.admin}).body)
		if !strings.Contains(got, `"default_model":"v`) || !strings.Contains(got, `"system_prompt":"v`) {
			t.Errorf("%s", got)
		}
	})
}

// TestAllowedTools: what a request may offer to the model is the tenant's to say; a change is felt at once here and within a second on a replica.
func TestAllowedTools(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", map[string]any{"allowed_tools": []string{"get_*", "now"}})
	r.up.on("t", answer("ok"))
	offer := func(on *rig, names ...string) int {
		var tools []any
		for _, n := range names {
			tools = append(tools, map[string]any{"type": "function", "function": map[string]any{"name": n}})
		}
		return on.do(post(acme.Key, ask("lab/t", "x", map[string]any{"tools": tools}))).status
	}
	r.cfg.CacheTTL = time.Second // as where several servers cannot hear each other
	replica := r.replica()
	for _, on := range []*rig{r, replica} {
		if offer(on, "get_weather", "now") != 200 || offer(on, "get_weather", "rm") != 403 || offer(on, "nowhere") != 403 {
			t.Error("allowed_tools are not kept")
		}
	}
	r.want(200, request{Method: "PATCH", Path: "/admin/tenants/acme", Key: r.admin, Body: `{"settings":{"allowed_tools":["rm"]}}`}, nil)
	if offer(r, "now") != 403 || offer(r, "rm") != 200 {
		t.Error("the change is not felt at once")
	}
	eventually(t, patience, "the replica follows", func() bool { return offer(replica, "now") == 403 && offer(replica, "rm") == 200 })
}
