package server

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/runs"
)

// TestRoutingSettings: what a tenant's choice of models, thinking, cache and money may be; what is left out of a change stays, and an empty value resets.
func TestRoutingSettings(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		change := func(settings string) reply {
			return r.do(request{Method: "PATCH", Path: "/admin/tenants/acme", Key: r.admin, Body: `{"settings":` + settings + `}`})
		}
		read := func() string {
			var own struct{ Settings json.RawMessage }
			r.want(200, request{Path: "/v1/tenant", Key: acme.Key}, &own)
			return string(own.Settings)
		}
		says := func(want ...string) {
			t.Helper()
			got := read()
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%s is not in %s", w, got)
				}
			}
		}
		says(`"monthly_cost_micros":0`, `"weak_model":""`, `"fallback_models":[]`, `"thinking":""`, `"thinking_in_widget":false`, `"answer_cache_seconds":0`)
		if strings.Contains(read(), "strong_share") {
			t.Errorf("a share that was not set: %s", read())
		}
		change(`{"monthly_cost_micros":25000000,"weak_model":"lab/w","strong_model":"big","strong_share":0,"fallback_models":["lab/a","b"],"thinking":"none","thinking_in_widget":true,"answer_cache_seconds":3600}`)
		change(`{"default_model":"auto"}`)
		says(`"default_model":"auto"`, `"monthly_cost_micros":25000000`, `"weak_model":"lab/w"`, `"strong_model":"big"`, `"strong_share":0`, `"fallback_models":["lab/a","b"]`, `"thinking":"off"`,
			`"thinking_in_widget":true`, `"answer_cache_seconds":3600`)
		change(`{"monthly_cost_micros":0,"weak_model":"","fallback_models":[],"thinking":"","thinking_in_widget":false,"answer_cache_seconds":0}`)
		says(`"monthly_cost_micros":0`, `"weak_model":""`, `"strong_model":"big"`, `"fallback_models":[]`, `"thinking":""`, `"thinking_in_widget":false`, `"answer_cache_seconds":0`)
		for _, bad := range []string{`{"strong_share":1.5}`, `{"strong_share":"half"}`, `{"thinking":"loud"}`, `{"weak_model":"auto"}`, `{"strong_model":"lab/"}`, `{"fallback_models":["lab/*"]}`,
			`{"answer_cache_seconds":86401}`, `{"monthly_cost_micros":-1}`, `{"monthly_cost_micros":1.5}`, `{"thinking_in_widget":"yes"}`} {
			if a := change(bad); a.status != 422 || len(a.problem(t).Details) == 0 {
				t.Errorf("%s: %d %s", bad, a.status, a.body)
			}
		}
	})
}

// TestSessionThinking: a session has a level of its own, which a visitor neither sets nor changes.
func TestSessionThinking(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		level := func(path string) string {
			var s struct{ Thinking string }
			r.want(200, request{Path: path, Key: acme.Key}, &s)
			return s.Thinking
		}
		path := "/v1/sessions/" + r.session(acme.Key, map[string]any{"thinking": "high"})
		plain := "/v1/sessions/" + r.session(acme.Key, nil)
		if level(path) != "high" || level(plain) != "" {
			t.Errorf("made with %q and %q", level(path), level(plain))
		}
		patch := func(path, body string) reply {
			return r.do(request{Method: "PATCH", Path: path, Key: acme.Key, Body: body})
		}
		for _, step := range []struct{ body, want string }{{`{"title":"t"}`, "high"}, {`{"thinking":"none"}`, "off"}, {`{"thinking":""}`, ""}, {`{"thinking":"minimal"}`, "minimal"}} {
			if a := patch(path, step.body); a.status != 200 || level(path) != step.want {
				t.Errorf("after %s: %d, %q", step.body, a.status, level(path))
			}
		}
		for _, a := range []reply{patch(path, `{"thinking":"loud"}`), r.do(request{Method: "POST", Path: "/v1/sessions", Key: acme.Key, Body: `{"thinking":"loud"}`})} {
			if a.status != 422 || !strings.Contains(string(a.body), "off, minimal, low, medium, high") {
				t.Errorf("a level that is none: %d %s", a.status, a.body)
			}
		}
		g := r.visitor(r.widget(acme), nil)
		r.want(403, g.as(request{Method: "POST", Path: "/v1/sessions", Body: `{"thinking":"high"}`}), nil)
		var own struct{ ID string }
		r.want(201, g.as(request{Method: "POST", Path: "/v1/sessions", Body: `{}`}), &own)
		r.want(403, g.as(request{Method: "PATCH", Path: "/v1/sessions/" + own.ID, Body: `{"thinking":"high"}`}), nil)
	})
}

// TestRunReceipt: what Finish stores beside a run is read with it, byte for byte, and not by a visitor.
func TestRunReceipt(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		g := r.visitor(r.widget(acme), nil)
		var ses struct{ ID string }
		r.want(201, g.as(request{Method: "POST", Path: "/v1/sessions", Body: `{}`}), &ses)
		const receipt = `{"model":"lab/m","cost":{"micros":7},"z":[1, 2]}`
		turn := runs.Run{ID: ids.New(ids.Run), TenantID: acme.ID, SessionID: ses.ID, KeyID: acme.KeyID, EndUser: g.ID, RequestID: "req_1", Model: "lab/m", Provider: "lab", StartedAt: db.At(time.Now())}
		r.write(func(ctx context.Context, q db.Querier) error { return runs.Insert(ctx, q, turn, "node_1") })
		get := func(q request) string {
			q.Path = "/v1/runs/" + turn.ID
			var body map[string]json.RawMessage
			r.want(200, q, &body)
			return string(body["clawless"])
		}
		if got := get(request{Key: acme.Key}); got != "" {
			t.Errorf("while it runs: %s", got)
		}
		turn.Status, turn.FinishedAt, turn.Receipt = runs.Completed, db.At(time.Now()), json.RawMessage(receipt)
		r.write(func(ctx context.Context, q db.Querier) error { return runs.Finish(ctx, q, turn) })
		if got := get(request{Key: acme.Key}); got != strings.ReplaceAll(receipt, ", ", ",") {
			t.Errorf("the tenant reads %s", got)
		}
		if got := get(g.as(request{})); got != "" {
			t.Errorf("the visitor reads %s", got)
		}
	})
}

// billed is a line of the list of all tenants, or a tenant's own usage.
type billed struct {
	Tenant   string `json:"tenant_id"`
	Name     string `json:"tenant_name"`
	Requests int64
	Tokens   int64 `json:"used_tokens"`
	Cost     int64 `json:"cost_micros"`
	Monthly  int64 `json:"monthly_cost_micros"`
	Models   []struct {
		Model string
		Cost  int64 `json:"cost_micros"`
	}
}

// bill reads the list of a month, three tenants at a time.
func (r *rig) bill(period string) (all []billed) {
	r.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Data []billed
			Next *string `json:"next_cursor"`
		}
		r.want(200, request{Path: "/admin/usage?period=" + period + "&limit=3&cursor=" + cursor, Key: r.admin}, &page)
		if page.Data == nil {
			r.t.Error("data is null")
		}
		all = append(all, page.Data...)
		if page.Next == nil {
			return all
		}
		cursor = *page.Next
	}
}

// TestBill: what an operator bills from. The list of all tenants and each one's own view agree, by model too, and a deleted tenant stays on the list.
func TestBill(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		var ids []string
		const n = 7
		for i := range n {
			c := r.tenant(fmt.Sprint("t", i), map[string]any{"monthly_cost_micros": 1_000_000})
			ids = append(ids, c.ID)
			r.write(func(ctx context.Context, q db.Querier) error { return calls(ctx, q, c.ID, i+1) })
		}
		r.want(204, request{Method: "DELETE", Path: "/admin/tenants/t3", Key: r.admin}, nil)
		all := r.bill("2026-03")
		if len(all) != n {
			t.Fatalf("%d tenants: %+v", len(all), all)
		}
		slices.Reverse(ids)
		for i, got := range all {
			calls := int64(n - i)
			if got.Tenant != ids[i] || got.Requests != calls || got.Tokens != 15*calls || got.Cost != 1000*calls || (got.Name == "") != (calls == 4) {
				t.Errorf("line %d: %+v", i, got)
			}
			if got.Name == "" {
				continue
			}
			var own billed
			r.want(200, request{Path: "/admin/tenants/" + got.Name + "/usage?period=2026-03", Key: r.admin}, &own)
			var sum int64
			for _, m := range own.Models {
				sum += m.Cost
			}
			if own.Cost != got.Cost || own.Requests != got.Requests || own.Monthly != 1_000_000 || sum != got.Cost || len(own.Models) != min(2, int(calls)) {
				t.Errorf("%s: %+v", got.Name, own)
			}
		}
		r.want(422, request{Path: "/admin/usage?period=2026-13", Key: r.admin}, nil)
		r.want(400, request{Path: "/admin/usage?cursor=x", Key: r.admin}, nil)
		if none := r.bill("1999-01"); len(none) != 0 {
			t.Errorf("a month without calls: %+v", none)
		}
	})
}

// calls settles n calls of two models in March 2026.
func calls(ctx context.Context, q db.Querier, tenant string, n int) error {
	now := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
	for i := range n {
		e := quotas.Entry{TenantID: tenant, RequestID: fmt.Sprint("req_", i), Provider: "lab", Model: fmt.Sprint("lab/m", i%2), Usage: llm.Usage{Input: 10, Output: 5}, Micros: 1000,
			PriceVersion: "v1", Source: quotas.Counted, Outcome: "completed"}
		if _, err := quotas.Settle(ctx, q, quotas.Hold{ID: e.RequestID, TenantID: tenant, Period: quotas.Period(now)}, e, now); err != nil {
			return err
		}
	}
	return nil
}
