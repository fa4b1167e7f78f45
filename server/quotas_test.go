package server

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
)

// never reads the totals again and again until done is closed and demands that the budget holds at every moment.
func (r *rig) never(limit int64, done <-chan struct{}) {
	for {
		for _, p := range r.periods() {
			if p.Used+p.Reserved > limit || p.Used != p.Ledger || p.Reserved != p.Held {
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

// TestBudgetHolds: of many calls at once exactly as many are served as fit, on two servers together, and at no moment is more used and reserved than there is.
func TestBudgetHolds(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		const n, fit, each = 60, 12, 1000
		// A prompt of 7 characters is held as its ceiling, 4 + 4 tokens with its quotes; the answer as its limit.
		acme := r.tenant("acme", map[string]any{"monthly_tokens": fit * each})
		const limit = each - 9
		replica := r.replica()
		ahead, arrived := make(chan struct{}), make(chan struct{}, n)
		model := r.up.on("costly", func(c *upcall) {
			arrived <- struct{}{}
			if c.until(ahead) {
				c.text("x")
				c.finish("stop", 9, limit)
			}
		})
		done := make(chan struct{})
		var watch, wg sync.WaitGroup
		watch.Go(func() { r.never(fit*each, done) })
		var mu sync.Mutex
		count := map[int]int{}
		for i := range n {
			on := []*rig{r, replica}[i%2]
			wg.Go(func() {
				a := on.do(post(acme.Key, ask(model, "1234567", map[string]any{"max_tokens": limit, "stream": i%3 == 0})))
				mu.Lock()
				count[a.status]++
				mu.Unlock()
				if a.status == 429 && (a.problem(t).Code != "quota_exceeded" || a.header.Get("Retry-After") == "") {
					t.Errorf("%s, Retry-After %q", a.body, a.header.Get("Retry-After"))
				}
			})
		}
		eventually(t, patience, "the rest is refused", func() bool { mu.Lock(); defer mu.Unlock(); return count[429] == n-fit })
		eventually(t, patience, "the budget's worth has arrived", func() bool { return len(arrived) == fit })
		close(ahead)
		wg.Wait()
		close(done)
		watch.Wait()
		if count[200] != fit || count[429] != n-fit {
			t.Errorf("statuses: %v", count)
		}
		if p := r.periods()[0]; p.Used != fit*each || p.Reserved != 0 {
			t.Errorf("totals: %+v", p)
		}
		var usage map[string]any
		r.want(200, request{Path: "/v1/usage", Key: acme.Key}, &usage)
		if usage["used_tokens"] != float64(fit*each) || usage["requests"] != float64(fit) || usage["output_tokens"] != float64(fit*limit) || usage["monthly_tokens"] != float64(fit*each) {
			t.Errorf("usage: %v", usage)
		}
	})
}

// TestHoldsEnd: what was set aside comes back when the provider fails before its first token, with sessions and without.
func TestHoldsEnd(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"monthly_tokens": 20_000})
		for i, script := range []func(*upcall){refuse(500, "text/plain", ""), refuse(429, "application/json", "{}"), refuse(400, "application/json", `{"error":{"message":"no"}}`), refuse(200, "text/html", "")} {
			model := r.up.on(fmt.Sprint("fail", i), script)
			for _, more := range []map[string]any{{}, {"stream": true}, {"session_id": r.session(acme.Key, nil)}} {
				if a := r.do(post(acme.Key, ask(model, "x", more))); a.status < 400 {
					t.Errorf("status %d", a.status)
				}
			}
		}
		if p := r.periods()[0]; p.Used != 0 || p.Reserved != 0 || p.Requests != 0 {
			t.Errorf("failed calls cost %+v", p)
		}
		r.want(404, post(acme.Key, ask("mock/none", "x", nil)), nil)
	})
}

// countings are usages as providers report them, and what is billed.
var countings = []struct {
	name, usage   string
	input, output int64
	source        string
}{
	{"true", `{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}`, 11, 3, "provider"},
	{"none", `null`, 9, 2, "counted"},
	{"negative", `{"prompt_tokens":-5,"completion_tokens":-9,"total_tokens":-14}`, 9, 2, "counted"},
	{"zeros", `{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`, 9, 2, "counted"},
	{"2^63", `{"prompt_tokens":9223372036854775808,"completion_tokens":9223372036854775808}`, 9, 2, "counted"},
	{"2^62", `{"prompt_tokens":4611686018427387904,"completion_tokens":4611686018427387904}`, 9, 2, "counted"},
	{"a thousand million", `{"prompt_tokens":1000000000,"completion_tokens":3}`, 9, 2, "counted"},
	{"more than the caller's limit", `{"prompt_tokens":11,"completion_tokens":900000}`, 9, 2, "counted"},
	{"texts", `{"prompt_tokens":"11","completion_tokens":[3]}`, 9, 2, "counted"},
}

// TestAbsurdUsage: a provider's count that cannot be true is replaced by ours, in the ledger and in what the caller is told.
func TestAbsurdUsage(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		for i, c := range countings {
			acme := r.tenant(fmt.Sprint("t", i), map[string]any{"monthly_tokens": 1_000_000})
			model := r.up.on(fmt.Sprint("count", i), func(u *upcall) {
				if !u.body.Stream {
					u.json(`{"choices":[{"message":{"content":"seven c"},"finish_reason":"stop"}],"usage":` + c.usage + `}`)
					return
				}
				u.text("seven c")
				u.frame(`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
				u.frame(`{"choices":[],"usage":` + c.usage + `}`)
				u.frame("[DONE]")
			})
			body := map[string]any{"max_tokens": 100, "stream_options": map[string]any{"include_usage": true}}
			a := r.want(200, post(acme.Key, ask(model, "sixteen letters.", body)), nil)
			body["stream"] = true
			events := r.stream(post(acme.Key, ask(model, "sixteen letters.", body))).rest()
			for _, row := range r.settled(acme, 2) {
				if row.Input != c.input || row.Output != c.output || row.Source != c.source {
					t.Errorf("%s: ledger %+v, want %d and %d, %s", c.name, row, c.input, c.output, c.source)
				}
			}
			told := fmt.Sprintf(`"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d`, c.input, c.output, c.input+c.output)
			if !strings.Contains(string(a.body), told) || !strings.Contains(events[len(events)-2].Data, told) {
				t.Errorf("%s: told %s and %s, want %s", c.name, a.body, events[len(events)-2].Data, told)
			}
		}
	})
}

// TestLongAnswer: an answer whose caller names no limit goes on as long as there is budget, and is cut where it ends.
func TestLongAnswer(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		piece := strings.Repeat("word ", 200) // 1000 bytes: 250 tokens, 500 at most
		model := r.up.on("endless", func(c *upcall) {
			for range 200 {
				if c.r.Context().Err() != nil {
					return
				}
				c.text(piece)
			}
			c.finish("stop", 5, 50_000)
		})
		for _, c := range []struct {
			name    string
			monthly int64
			finish  string
			low     int
			high    int
		}{{"rich", 1_000_000, "stop", 200_000, 200_000}, {"unlimited", 0, "stop", 200_000, 200_000}, {"poor", 30_000, "length", 40_000, 80_000}} {
			acme := r.tenant(c.name, map[string]any{"monthly_tokens": c.monthly})
			list := checkForm(t, r.stream(post(acme.Key, ask(model, "x", map[string]any{"stream": true}))).rest(), model, false)
			got, _, _ := collectChunks(list)
			if f := finishOf(list); f != c.finish || len(got) < c.low || len(got) > c.high {
				t.Errorf("%s: %d bytes, ended by %s", c.name, len(got), f)
			}
			rows := r.settled(acme, 1)
			if c.monthly > 0 && rows[0].Input+rows[0].Output > c.monthly {
				t.Errorf("%s: billed %+v", c.name, rows[0])
			}
		}
		poor := r.up.on("limited", func(c *upcall) { c.text(strings.Repeat("x", 600)); c.finish("length", 5, 100) })
		acme := r.tenant("limited", map[string]any{"monthly_tokens": 10_000})
		list := checkForm(t, r.stream(post(acme.Key, ask(poor, "x", map[string]any{"stream": true, "max_tokens": 100}))).rest(), poor, false)
		if got, _, _ := collectChunks(list); len(got) != 600 || finishOf(list) != "length" {
			t.Errorf("a caller's own limit is the provider's to keep: %d bytes", len(got))
		}
	})
}

var expireHolds = db.System("test.expire", `UPDATE reservations SET expires_at = 1`)

// TestSweepBesideLiveCall: a call whose hold was swept under it, after a machine had slept, is billed once all the same.
func TestSweepBesideLiveCall(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"monthly_tokens": 50_000})
		ahead := make(chan struct{})
		model := r.up.on("slept", func(c *upcall) {
			c.text("a")
			if c.until(ahead) {
				c.finish("stop", 7, 3)
			}
		})
		ses := r.session(acme.Key, nil)
		f := r.stream(post(acme.Key, ask(model, "x", map[string]any{"stream": true})))
		g := r.stream(post(acme.Key, ask(model, "x", map[string]any{"stream": true, "session_id": ses})))
		f.next()
		g.next()
		r.write(func(ctx context.Context, q db.Querier) error {
			_, err := expireHolds.Exec(ctx, q, nil)
			return err
		})
		if n, err := r.s.sweep(t.Context(), false); err != nil || n != 2 {
			t.Fatalf("swept %d, %v", n, err)
		}
		close(ahead)
		text(t, f.rest())
		text(t, g.rest())
		rows := r.settled(acme, 2)
		for _, row := range rows {
			if row.Input != 7 || row.Output != 3 {
				t.Errorf("ledger: %+v", row)
			}
		}
		if n := len(r.messages(acme.Key, ses, 10)); n != 2 {
			t.Errorf("%d messages", n)
		}
	})
}

// TestTenantDeletedWhileAnswering: the ledger keeps what a deleted tenant's last call has cost.
func TestTenantDeletedWhileAnswering(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"monthly_tokens": 50_000})
		model := r.up.on("last", func(c *upcall) {
			c.text("last words")
			<-c.gone
		})
		f := r.stream(post(acme.Key, ask(model, "x", map[string]any{"stream": true})))
		g := r.stream(post(acme.Key, ask(model, "x", map[string]any{"stream": true, "session_id": r.session(acme.Key, nil)})))
		for range 2 {
			f.next()
			g.next()
		}
		start := time.Now()
		r.want(204, request{Method: "DELETE", Path: "/admin/tenants/acme", Key: r.admin}, nil)
		for _, s := range []*frames{f, g} {
			if _, failed, _ := collect(t, s.rest()); failed == nil || failed.Code != "tenant_suspended" {
				t.Errorf("the stream ended with %+v", failed)
			}
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		for _, row := range r.settled(acme, 2) {
			if row.Output != 3 || row.Outcome != "cancelled" {
				t.Errorf("ledger: %+v", row)
			}
		}
	})
}
