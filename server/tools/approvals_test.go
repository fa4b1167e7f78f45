package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tools/approvals"
	"github.com/clawless/clawless/server/tools/executions"
)

const order = `{"amount": 5, "note": "pay", "password": "hunter2-hunter2"}`

// ask makes a run of the owner that waits for an approval.
func (r *rig) ask(owner string, wait time.Duration) approvals.Approval {
	r.t.Helper()
	run := ids.New(ids.Run)
	var who any
	if owner != "" {
		who = owner
	}
	r.exec(makeRun, db.Args{"tenant": r.a, "id": run, "owner": who, "status": "running"})
	c := tool.Call{ID: "call_1", TenantID: r.a, RunID: run, SessionID: "ses_1", EndUser: owner, Arguments: json.RawMessage(order)}
	a, err := approvals.New(c, "pay", []tool.Taint{{Kind: tool.FromWeb, Source: "https://evil.example/x"}}, time.Now(), wait)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.db.Write(r.t.Context(), func(q db.Querier) error { return approvals.Ask(r.t.Context(), q, a) }); err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *rig) stored(a approvals.Approval) (now approvals.Approval) {
	r.t.Helper()
	err := r.db.Read(r.t.Context(), func(q db.Querier) (err error) {
		now, err = approvals.Get(r.t.Context(), q, db.TenantOf(r.a), "", a.RunID, a.ID)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return now
}

func decision(a approvals.Approval, word string) string {
	return fmt.Sprintf(`{"approval_id":%q,"decision":%q}`, a.ID, word)
}

// TestApproval: shown without credentials, decided once, for exactly that call; the waiting run is told.
func TestApproval(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := r.ask("", time.Minute)
		var list approvals.ApprovalList
		got := r.want(200, &list, "GET", "/v1/runs/"+a.RunID+"/approvals", "")
		if len(list.Data) != 1 || list.Data[0].Status != "pending" || strings.Contains(string(got.body), "hunter2") || !strings.Contains(string(got.body), "evil.example") {
			t.Errorf("%s", got.body)
		}
		var b approvals.ApprovalBody
		r.want(200, &b, "POST", "/v1/runs/"+a.RunID+"/approve", decision(a, "approve"))
		if b.Status != "approved" || b.DecidedBy != "key_1" || b.DecidedAt == nil || <-r.decided != a.RunID+" "+a.ID {
			t.Errorf("%+v", b)
		}
		for _, word := range []string{"approve", "deny"} {
			if c := r.want(409, nil, "POST", "/v1/runs/"+a.RunID+"/approve", decision(a, word)); !strings.Contains(string(c.body), "approved already") {
				t.Errorf("%s", c.body)
			}
		}
		now := r.stored(a)
		if !now.Covers("pay", json.RawMessage(`{"password":"hunter2-hunter2","note":"pay","amount":5}`)) {
			t.Error("the same call in other words is not covered")
		}
		for name, arguments := range map[string]string{"pay": `{"amount":50,"note":"pay","password":"hunter2-hunter2"}`, "pay2": order} {
			if now.Covers(name, json.RawMessage(arguments)) {
				t.Errorf("%s %s is covered", name, arguments)
			}
		}
		d := r.ask("", time.Minute)
		r.want(200, &b, "POST", "/v1/runs/"+d.RunID+"/approve", decision(d, "deny"))
		if b.Status != "denied" || r.stored(d).Covers("pay", json.RawMessage(order)) {
			t.Errorf("%+v", b)
		}
		r.want(422, nil, "POST", "/v1/runs/"+d.RunID+"/approve", decision(d, "perhaps"))
		r.want(404, nil, "POST", "/v1/runs/"+a.RunID+"/approve", decision(d, "approve")) // of another run
	})
}

// TestTooLate: what has expired, or whose run is over, cannot be decided; the sweep and the waiting run say so in the row.
func TestTooLate(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		late, over, swept, waits := r.ask("", -time.Second), r.ask("", time.Minute), r.ask("", -time.Second), r.ask("", time.Minute)
		r.exec(endRun, db.Args{"id": over.RunID})
		if c := r.want(409, nil, "POST", "/v1/runs/"+late.RunID+"/approve", decision(late, "approve")); !strings.Contains(string(c.body), "expired") {
			t.Errorf("%s", c.body)
		}
		if c := r.want(409, nil, "POST", "/v1/runs/"+over.RunID+"/approve", decision(over, "approve")); !strings.Contains(string(c.body), "over") {
			t.Errorf("%s", c.body)
		}
		var list approvals.ApprovalList
		if r.want(200, &list, "GET", "/v1/runs/"+late.RunID+"/approvals", ""); list.Data[0].Status != "expired" {
			t.Errorf("%+v", list)
		}
		err := r.db.Write(ctx, func(q db.Querier) error {
			n, err := approvals.Sweep(ctx, q, time.Now())
			if n != 2 {
				t.Errorf("%d swept", n)
			}
			return err
		})
		if err != nil || r.stored(swept).Status != approvals.Expired || r.stored(waits).Status != approvals.Waiting {
			t.Errorf("%v", err)
		}
		err = r.db.Write(ctx, func(q db.Querier) error {
			tenant := db.TenantOf(r.a)
			pending, err := approvals.Pending(ctx, q, tenant, waits.RunID, time.Now())
			if err != nil || len(pending) != 1 {
				t.Errorf("pending: %v %v", pending, err)
			}
			a, err := approvals.Expire(ctx, q, tenant, waits.RunID, waits.ID, time.Now())
			if err != nil || a.Status != approvals.Expired {
				t.Errorf("%+v %v", a, err)
			}
			pending, err = approvals.Pending(ctx, q, tenant, waits.RunID, time.Now())
			if len(pending) != 0 {
				t.Errorf("pending: %v", pending)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		r.want(409, nil, "POST", "/v1/runs/"+waits.RunID+"/approve", decision(waits, "approve"))
		if len(r.decided) != 0 {
			t.Error("a run was told of a decision that was none")
		}
	})
}

// TestWhoApproves: a visitor decides what their own run asks, and sees nothing of others'; another tenant sees nothing at all.
func TestWhoApproves(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		own, others, tenants := r.ask("vis_1", time.Minute), r.ask("vis_2", time.Minute), r.ask("", time.Minute)
		guest := as("visitor", r.a, "vis_1")
		for _, a := range []approvals.Approval{others, tenants} {
			r.want(404, nil, "GET", "/v1/runs/"+a.RunID+"/approvals", "", guest...)
			r.want(404, nil, "POST", "/v1/runs/"+a.RunID+"/approve", decision(a, "approve"), guest...)
			r.want(404, nil, "POST", "/v1/runs/"+own.RunID+"/approve", decision(a, "approve"), guest...)
		}
		for _, stranger := range [][]string{as("visitor", r.b, "vis_1"), as("key", r.b, "key_2")} {
			r.want(404, nil, "GET", "/v1/runs/"+own.RunID+"/approvals", "", stranger...)
			r.want(404, nil, "POST", "/v1/runs/"+own.RunID+"/approve", decision(own, "approve"), stranger...)
		}
		for _, a := range []approvals.Approval{own, others, tenants} {
			if r.stored(a).Status != approvals.Waiting {
				t.Fatalf("a stranger decided %+v", a)
			}
		}
		r.want(200, nil, "GET", "/v1/runs/"+own.RunID+"/approvals", "", guest...)
		a := r.want(200, nil, "POST", "/v1/runs/"+own.RunID+"/approve", decision(own, "approve"), guest...)
		if strings.Contains(string(a.body), "decided_by") || r.stored(own).DecidedBy != "vis_1" {
			t.Errorf("%s", a.body)
		}
		r.want(200, nil, "POST", "/v1/runs/"+others.RunID+"/approve", decision(others, "deny"))
	})
}

// TestOneDecision: of many at once, on two servers, exactly one is taken, and the run is told once.
func TestOneDecision(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		other := r.replica()
		for range 5 {
			a := r.ask("", time.Minute)
			var mu sync.Mutex
			taken := map[int][]string{}
			var wg sync.WaitGroup
			for i := range 12 {
				on, word := r, []string{"approve", "deny"}[i%2]
				if i%3 == 0 {
					on = other
				}
				wg.Go(func() {
					status := on.do("POST", "/v1/runs/"+a.RunID+"/approve", decision(a, word)).status
					mu.Lock()
					defer mu.Unlock()
					taken[status] = append(taken[status], word)
				})
			}
			wg.Wait()
			if len(taken[200]) != 1 || len(taken[409]) != 11 || len(r.decided) != 1 {
				t.Fatalf("%v", taken)
			}
			<-r.decided
			if now := r.stored(a); (now.Status == approvals.Approved) != (taken[200][0] == "approve") {
				t.Errorf("%s was taken, %s is stored", taken[200][0], now.Status)
			}
		}
	})
}

// TestExecutions: kept without credentials and bounded, in pages that neither repeat nor miss, of a run in their order.
func TestExecutions(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		now := time.Now()
		insert := func(tenantID, runID string, n int, arguments string) {
			c := tool.Call{ID: fmt.Sprintf("call_%d", n), TenantID: tenantID, RunID: runID, Arguments: json.RawMessage(arguments)}
			e := executions.New(c, "pay", now.Add(time.Duration(n/3)*time.Millisecond)) // three at one time
			e.Decision, e.Layer, e.Status, e.Error = executions.Denied, "taint", executions.Skipped, "no\x00 \xff"+strings.Repeat("x", 9_000)
			e.Taints, e.Duration, e.CostMicros = []tool.Taint{{Kind: tool.FromFile, Source: "a.txt"}}, 1500*time.Millisecond, 7
			if err := r.db.Write(ctx, func(q db.Querier) error { return executions.Insert(ctx, q, e) }); err != nil {
				t.Fatal(err)
			}
		}
		long := `{"token":"abcdefghijkl","text":"` + strings.Repeat("ü\\n", 9_000) + `"}`
		for i, arguments := range []string{order, long, `{broken`, ``, "{\"a\":\"\\u0000\"}", "\xff\x00", `{"n":9007199254740993}`} {
			insert(r.a, "run_a", i, arguments)
		}
		for i := range 20 {
			insert(r.a, "run_b", 10+i, `{}`)
		}
		insert(r.b, "run_a", 1, `{}`)
		seen := map[string]bool{}
		var last time.Time
		for path := "/v1/tool-executions?limit=4"; path != ""; {
			var page struct {
				Data []executions.ToolExecutionBody `json:"data"`
				Next *string                        `json:"next_cursor"`
			}
			r.want(200, &page, "GET", path, "")
			for _, e := range page.Data {
				if seen[e.ID] || !last.IsZero() && e.CreatedAt.After(last) || len(e.Arguments) > 8<<10 || strings.Contains(string(e.Arguments), "hunter2") || strings.Contains(string(e.Arguments), "abcdefghijkl") ||
					len(e.Error) > 3<<10 || e.DurationMS != 1500 || e.CostMicros != 7 || e.Taint[0].Source != "a.txt" {
					t.Errorf("%+v", e)
				}
				seen[e.ID], last = true, e.CreatedAt
			}
			if path = ""; page.Next != nil {
				path = "/v1/tool-executions?limit=4&cursor=" + *page.Next
			}
		}
		if len(seen) != 27 {
			t.Errorf("%d of 27", len(seen))
		}
		var rows []executions.Execution
		err := r.db.Read(ctx, func(q db.Querier) (err error) {
			rows, err = executions.OfRun(ctx, q, db.TenantOf(r.a), "run_a")
			return err
		})
		if err != nil || len(rows) != 7 || rows[0].CallID != "call_0" || rows[6].CallID != "call_6" || string(rows[6].Arguments) != `{"n":9007199254740993}` || string(rows[3].Arguments) != "{}" {
			t.Errorf("%v %+v", err, rows)
		}
		if a := r.want(200, nil, "GET", "/v1/tool-executions?run=run_b&limit=200", ""); strings.Count(string(a.body), "run_b") != 20 {
			t.Errorf("of the run: %s", a.body)
		}
		if a := r.want(200, nil, "GET", "/v1/tool-executions?session=ses_1", ""); !strings.Contains(string(a.body), `"data":[]`) {
			t.Errorf("of a session without any: %s", a.body)
		}
	})
}
