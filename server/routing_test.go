package server

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
)

// Two questions on either side of the threshold of one half.
const (
	easy = "Say thanks to Anna."
	hard = "Implement a lock-free concurrent hash map in C++ with resizing and explain the memory ordering of each atomic operation."

	small, large = "mock/small", "mock/large" // which the rig puts behind auto
)

var (
	decisionsOf = db.Scoped("test.decisions", `SELECT used, reason, cost_micros FROM route_decisions WHERE tenant_id = :tenant_id ORDER BY created_at, id`)
	ageMessages = db.System("test.age_messages", `UPDATE messages SET created_at = created_at - :by`)
)

type decisionRow struct {
	Used   string `db:"used"`
	Reason string `db:"reason"`
	Micros int64  `db:"cost_micros"`
}

func (r *rig) decisions(c customer) (rows []decisionRow) {
	r.t.Helper()
	r.read(func(ctx context.Context, q db.Querier) error {
		return decisionsOf.Select(ctx, q, db.TenantOf(c.ID), &rows, nil)
	})
	return rows
}

func (o outcome) route() string {
	if o.receipt.Route == nil {
		return fmt.Sprintf("status %d without a route: %s", o.status, o.body)
	}
	return o.receipt.Model + " " + o.receipt.Route.Reason
}

// skipped is why a candidate of the receipt was left out.
func (o outcome) skipped(model string) string {
	if o.receipt.Route != nil {
		for _, c := range o.receipt.Route.Candidates {
			if c.Model == model {
				return c.Skipped
			}
		}
	}
	return "no candidate"
}

// TestAutoByScore: auto sends the easy question to the small model and the hard one to the large, as the share says, and tells why and what it cost in every form.
func TestAutoByScore(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		for share, want := range map[float64][2]string{0: {small, small}, 0.5: {small, large}, 1: {large, large}} {
			for i, text := range []string{easy, hard} {
				for _, mode := range modes {
					c := r.tenant(fmt.Sprintf("share-%d-%d-%s", int(share*10), i, mode), map[string]any{"strong_share": share})
					o := r.try(mode, c, ask("auto", text, nil))
					if o.route() != want[i]+" score" || o.receipt.Asked != "auto" || !o.done {
						t.Fatalf("share %v, %s, %s: %s", share, text, mode, o.body)
					}
					route, lines, kept := o.receipt.Route, r.ledger(c), r.decisions(c)
					if route.Score == nil || route.Threshold == nil || *route.StrongShare != share || (*route.Score > *route.Threshold) != (want[i] == large) {
						t.Errorf("route: %+v", route)
					}
					if len(lines) != 1 || lines[0].Model != want[i] || lines[0].Micros == 0 || *o.receipt.CostMicros != lines[0].Micros || o.receipt.PriceVersion != lines[0].Prices {
						t.Errorf("ledger %+v, receipt %+v", lines, o.receipt)
					}
					if o.receipt.Tokens.Input != lines[0].Input || o.receipt.Tokens.Output != lines[0].Output || len(route.Candidates) != 2 {
						t.Errorf("ledger %+v, receipt %+v", lines, o.receipt)
					}
					for _, cand := range route.Candidates {
						if cand.CostMicros == nil || cand.Model == want[i] && *cand.CostMicros != lines[0].Micros {
							t.Errorf("candidate %+v", cand)
						}
					}
					if len(kept) != 1 || kept[0] != (decisionRow{want[i], "score", lines[0].Micros}) {
						t.Errorf("decisions: %+v", kept)
					}
					r.told(mode, o)
				}
			}
		}
	})
}

// told demands that the headers and the run say what the receipt does.
func (r *rig) told(mode string, o outcome) {
	r.t.Helper()
	if mode != "session" {
		if o.header.Get("Clawless-Model") != o.receipt.Model || o.header.Get("Clawless-Route") != o.receipt.Route.Reason {
			r.t.Errorf("%s: headers %v", mode, o.header)
		}
	}
	if mode == "whole" && (o.header.Get("Clawless-Cost-Micros") != fmt.Sprint(*o.receipt.CostMicros) || o.header.Get("Clawless-Price-Version") != o.receipt.PriceVersion || o.header.Get("Clawless-Attempts") != fmt.Sprint(len(o.receipt.Attempts))) {
		r.t.Errorf("headers %v", o.header)
	}
}

// TestRunKeepsReceipt: a session's answer has the same receipt in its body, in its last chunk, at its run, and when it is asked for again, here and on another server.
func TestRunKeepsReceipt(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		c := r.tenant("acme", map[string]any{"strong_share": 0.5})
		replica := r.replica()
		for _, stream := range []bool{false, true} {
			ses := r.session(c.Key, nil)
			q := once(post(c.Key, ask("auto", hard, map[string]any{"session_id": ses, "stream": stream})), fmt.Sprint("receipt-", stream))
			first := r.see(q)
			if first.route() != large+" score" || first.receipt.SessionID != ses || first.receipt.RunID != first.header.Get("Clawless-Run-Id") {
				t.Fatalf("%s", first.body)
			}
			var run struct{ Clawless dialect.Receipt }
			r.want(200, request{Path: "/v1/runs/" + first.receipt.RunID, Key: c.Key}, &run)
			here, there := r.see(q), replica.see(q)
			for where, got := range map[string]dialect.Receipt{"run": run.Clawless, "replay": here.receipt, "replay of another server": there.receipt} {
				if !reflect.DeepEqual(got, first.receipt) {
					t.Errorf("stream %v, %s: %+v, first %+v", stream, where, got, first.receipt)
				}
			}
			if here.said != first.said || there.said != first.said || !here.done || !there.done || there.finish != first.finish {
				t.Errorf("stream %v: %q, %q, %q", stream, first.said, here.said, there.said)
			}
		}
		alone := once(post(c.Key, ask("auto", hard, nil)), "alone")
		if a, b := r.see(alone), replica.see(alone); !reflect.DeepEqual(a.receipt, b.receipt) || b.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%+v, %+v", a.receipt, b.receipt)
		}
		if got := r.ledger(c); len(got) != 3 {
			t.Errorf("ledger: %+v", got)
		}
	})
}

// TestGates: a model above the tenant's tier or outside its list is neither called nor shown, whoever names it.
func TestGates(t *testing.T) {
	each(t, func(c *config.Settings) { c.TierModels = map[string]string{large: "business", "lab/*": "enterprise"} }, func(t *testing.T, r *rig) {
		r.fast()
		of := func(name, tier string, settings map[string]any) customer {
			c := r.tenant(name, settings)
			r.want(200, request{Method: "PATCH", Path: "/admin/tenants/" + c.ID, Key: r.admin, Body: map[string]any{"tier": tier}}, nil)
			return c
		}
		sees := func(c customer, model string) bool {
			one := r.do(request{Path: "/v1/models/" + model, Key: c.Key})
			listed := strings.Contains(string(r.want(200, request{Path: "/v1/models", Key: c.Key}, nil).body), `"`+model+`"`)
			if listed != (one.status == 200) {
				t.Errorf("%s is listed: %v, and reads %d", model, listed, one.status)
			}
			return listed
		}
		share := map[string]any{"strong_share": 1}
		starter, business := of("starter", "starter", share), of("business", "business", share)
		listed := of("listed", "enterprise", map[string]any{"strong_share": 1, "allowed_models": []string{small, "auto"}})
		shut := of("shut", "starter", map[string]any{"weak_model": "lab/w", "strong_model": large})
		for _, mode := range modes {
			for _, c := range []struct {
				who         customer
				model       string
				route, code string
				skip        string
			}{
				{starter, large, "", "model_not_in_tier", ""},
				{starter, "auto", small + " gate", "", "tier"},
				{business, large, large + " explicit", "", ""},
				{business, "auto", large + " score", "", ""},
				{listed, large, "", "model_not_allowed", ""},
				{listed, "auto", small + " gate", "", "not_allowed"},
				{shut, "auto", "", "model_not_in_tier", ""},
			} {
				o := r.try(mode, c.who, ask(c.model, hard, nil))
				if c.code != "" {
					if o.status != 403 || o.failed.Code != c.code || o.failed.Param == nil || *o.failed.Param != "model" {
						t.Errorf("%s, %s of %s: %d %s", mode, c.model, c.who.Name, o.status, o.body)
					}
				} else if o.route() != c.route || c.skip != "" && o.skipped(large) != c.skip {
					t.Errorf("%s, %s of %s: %s", mode, c.model, c.who.Name, o.body)
				}
			}
		}
		if sees(starter, large) || !sees(business, large) || sees(listed, large) || !sees(listed, small) || sees(business, "lab/small") {
			t.Error("the lists of models do not fit")
		}
		if got := r.ledger(shut); len(got) != 0 || len(r.up.calls("w")) != 0 {
			t.Errorf("ledger: %+v", got)
		}
	})
}

// TestSticky: a session goes up when a question is hard, stays up when the next is easy, and comes down after a reset or five idle minutes.
func TestSticky(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		c := r.tenant("acme", map[string]any{"strong_share": 0.5})
		ses := r.session(c.Key, map[string]any{"model": "auto"})
		turn := func(text, want string) {
			t.Helper()
			if o := r.see(post(c.Key, map[string]any{"session_id": ses, "messages": []any{map[string]string{"role": "user", "content": text}}})); o.route() != want {
				t.Errorf("%q: %s, want %s", text, o.route(), want)
			}
		}
		idle := func(d time.Duration) {
			r.write(func(ctx context.Context, q db.Querier) error {
				_, err := ageMessages.Exec(ctx, q, db.Args{"by": d.Microseconds()})
				return err
			})
			r.s.chat.ForgetSession(c.ID, ses)
		}
		turn(easy, small+" score")
		turn(hard, large+" score")
		turn(easy, large+" sticky")
		idle(4 * time.Minute)
		turn(easy, large+" sticky")
		idle(6 * time.Minute)
		turn(easy, small+" score")
		turn(hard, large+" score")
		r.want(200, request{Method: "POST", Path: "/v1/sessions/" + ses + "/reset", Key: c.Key}, nil)
		turn(easy, small+" score")
		if got := r.decisions(c); len(got) != 7 {
			t.Errorf("decisions: %+v", got)
		}
	})
}

const (
	weatherTool = `[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]`
	citySchema  = `{"type":"json_schema","json_schema":{"name":"city","strict":true,"schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}}}`
)

// TestEscalation: an unusable answer of the small model is thrown away unseen and the large one asked, once; both are booked and the receipt has their sum.
func TestEscalation(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		for verdict, body := range map[string]map[string]any{
			"empty_answer":       ask("auto", "[empty] hi", nil),
			"invalid_json":       ask("auto", "[invalid json] hi", map[string]any{"response_format": json.RawMessage(citySchema)}),
			"repeated_tool_call": ask("auto", "", map[string]any{"tools": json.RawMessage(weatherTool)}),
		} {
			for _, mode := range modes {
				if mode == "session" && verdict == "repeated_tool_call" {
					continue // its history cannot be sent along
				}
				t.Run(verdict+" "+mode, func(t *testing.T) {
					r := *r
					r.t = t
					c := r.tenant(strings.ReplaceAll(verdict, "_", "-")+"-"+mode, map[string]any{"strong_share": 0.5, "monthly_cost_micros": 10_000})
					if verdict == "repeated_tool_call" { // the very call that the small model makes
						body["messages"] = repeating(&r, c)
					}
					o := r.try(mode, c, body)
					if !o.done || o.route() != large+" escalation" || o.attempts() != small+":"+verdict+" "+large+":ok" || o.said == "" {
						t.Fatalf("%d, %s, %s: %s", o.status, o.route(), o.attempts(), o.body)
					}
					if verdict == "invalid_json" && !json.Valid([]byte(o.said)) {
						t.Errorf("said %q", o.said)
					}
					lines := r.ledger(c)
					if len(lines) > 2 { // the call that repeating made
						lines = lines[1:]
					}
					if len(lines) != 2 || lines[0].Model != small || lines[0].Outcome != "discarded" || lines[1].Model != large || lines[1].Outcome != "completed" {
						t.Fatalf("ledger: %+v", lines)
					}
					sum := lines[0].Micros + lines[1].Micros
					kept := r.decisions(c)
					if lines[0].Micros == 0 || *o.receipt.CostMicros != sum || kept[len(kept)-1] != (decisionRow{large, "escalation", sum}) {
						t.Errorf("ledger %+v, receipt %d, decisions %+v", lines, *o.receipt.CostMicros, kept)
					}
					r.nothingHeld(c)
				})
			}
		}
		named := r.tenant("named", nil)
		if o := r.try("stream", named, ask(small, "[empty] hi", nil)); !o.done || o.said != "" || o.route() != small+" explicit" {
			t.Errorf("a model that was named: %s", o.body)
		}
		poor := r.tenant("poor", map[string]any{"strong_share": 0.5, "monthly_cost_micros": 60})
		if o := r.try("whole", poor, ask("auto", "[empty] hi", map[string]any{"max_tokens": 50})); !o.done || o.said != "" || o.route() != small+" gate" || o.skipped(large) != "budget" {
			t.Errorf("a budget that pays for the small model alone: %d %s", o.status, o.body)
		}
	})
}

// repeating is a conversation in which the small model has called a tool and got its result.
func repeating(r *rig, c customer) any {
	r.t.Helper()
	user := map[string]any{"role": "user", "content": "[repeat] hi"}
	var first struct {
		Choices []struct {
			Message struct {
				ToolCalls []map[string]any `json:"tool_calls"`
			} `json:"message"`
		} `json:"choices"`
	}
	a := r.want(200, post(c.Key, map[string]any{"model": small, "messages": []any{user}, "tools": json.RawMessage(weatherTool)}), &first)
	calls := first.Choices[0].Message.ToolCalls
	if len(calls) != 1 {
		r.t.Fatalf("no call: %s", a.body)
	}
	return []any{user, map[string]any{"role": "assistant", "tool_calls": calls}, map[string]any{"role": "tool", "tool_call_id": calls[0]["id"], "content": "12"}}
}

// TestFallbacks: a model that was named is strict; another may answer where the caller allows it, or where nobody named one.
func TestFallbacks(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		const down = "mock/fail-first"
		c := r.tenant("acme", map[string]any{"fallback_models": []string{"mock/gone", "mock/echo"}, "default_model": down})
		for _, f := range []struct {
			model    string
			fallback any
			want     string
		}{
			{down, nil, ""},
			{down, false, ""},
			{down, true, "mock/echo fallback"},
			{down, []string{"mock/recall"}, "mock/recall fallback"},
			{"default", nil, "mock/echo fallback"},
		} {
			body := ask(f.model, "hi", nil)
			if f.fallback != nil {
				body["fallback"] = f.fallback
			}
			o := r.try("stream", c, body)
			if f.want == "" && (o.status != 502 || o.failed.Code != "provider_unreachable") || f.want != "" && o.route() != f.want {
				t.Errorf("%s with %v: %d %s", f.model, f.fallback, o.status, o.body)
			}
		}
		if got := r.ledger(c); len(got) != 3 {
			t.Errorf("ledger: %+v", got)
		}
	})
}

// TestUnknownPrice: auto does not choose a model whose price nobody knows, a tenant with a budget of money may not call one, and for others the receipt says so.
func TestUnknownPrice(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		model := r.up.on("mystery", answer("ok"))
		c := r.tenant("acme", map[string]any{"weak_model": model, "strong_share": 0})
		if o := r.try("whole", c, ask("auto", easy, nil)); o.route() != large+" gate" || o.skipped(model) != "price_unknown" {
			t.Errorf("auto: %s", o.body)
		}
		both := r.tenant("both", map[string]any{"weak_model": model, "strong_model": "lab/riddle"})
		if o := r.try("whole", both, ask("auto", easy, nil)); o.status < 400 || !strings.Contains(o.failed.Message, "price") {
			t.Errorf("auto without a price: %d %s", o.status, o.body)
		}
		o := r.try("stream", c, ask(model, easy, nil))
		if !o.done || !o.receipt.PriceUnknown || o.receipt.CostMicros != nil || o.receipt.PriceVersion != "" {
			t.Errorf("named: %s", o.body)
		}
		capped := r.tenant("capped", map[string]any{"monthly_cost_micros": 1_000_000})
		for _, mode := range modes {
			if o := r.try(mode, capped, ask(model, easy, nil)); o.status != 403 || o.failed.Code != "price_unknown" {
				t.Errorf("with a budget, %s: %d %s", mode, o.status, o.body)
			}
		}
		if n := len(r.up.calls(model)); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestMoneyHolds: of many calls at once on two servers no more are served than the budget of money covers, at no moment is more used and reserved, and auto takes what can still be paid.
func TestMoneyHolds(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		const n, budget = 48, 5000
		c := r.tenant("acme", map[string]any{"monthly_cost_micros": budget})
		replica := r.replica()
		done := make(chan struct{})
		var watch, wg sync.WaitGroup
		watch.Go(func() { r.neverMore(budget, done) })
		var mu sync.Mutex
		count := map[int]int{}
		for i := range n {
			on := []*rig{r, replica}[i%2]
			wg.Go(func() {
				body := ask(large, easy, map[string]any{"stream": i%3 == 0})
				if i%4 != 0 {
					body["max_tokens"] = 120
				}
				o := on.see(post(c.Key, body))
				mu.Lock()
				defer mu.Unlock()
				count[o.status]++
				if o.status != 200 && (o.status != 429 || o.failed.Code != "quota_exceeded" || o.header.Get("Retry-After") == "") {
					t.Errorf("%d %s", o.status, o.body)
				}
			})
		}
		wg.Wait()
		close(done)
		watch.Wait()
		var usage struct {
			Cost     int64 `json:"cost_micros"`
			Reserved int64 `json:"reserved_micros"`
			Monthly  int64 `json:"monthly_cost_micros"`
		}
		r.want(200, request{Path: "/v1/usage", Key: c.Key}, &usage)
		if count[200] == 0 || count[429] == 0 || usage.Cost > budget || usage.Cost == 0 || usage.Reserved != 0 || usage.Monthly != budget {
			t.Errorf("statuses %v, usage %+v", count, usage)
		}
		thrifty := r.tenant("thrifty", map[string]any{"monthly_cost_micros": 400, "strong_share": 1})
		if o := r.try("whole", thrifty, ask("auto", hard, map[string]any{"max_tokens": 200})); o.route() != small+" gate" || o.skipped(large) != "budget" {
			t.Errorf("auto with little left: %d %s", o.status, o.body)
		}
		broke := r.tenant("broke", map[string]any{"monthly_cost_micros": 1})
		if o := r.try("whole", broke, ask("auto", hard, map[string]any{"max_tokens": 200})); o.status != 429 || o.failed.Code != "quota_exceeded" {
			t.Errorf("auto with nothing left: %d %s", o.status, o.body)
		}
	})
}

// neverMore reads the money again and again until done is closed and demands that the budget holds at every moment.
func (r *rig) neverMore(limit int64, done <-chan struct{}) {
	for {
		for _, p := range r.periods() {
			if p.UsedMicros+p.ReservedMicros > limit || p.UsedMicros != p.LedgerMicros || p.ReservedMicros != p.HeldMicros {
				r.t.Errorf("the budget of %d does not hold: %+v", limit, p)
			}
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
