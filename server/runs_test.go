package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/runs"
)

// run is a run as its owner reads it.
type run struct {
	ID, Status, Model string
	SessionID         string `json:"session_id"`
	FinishReason      string `json:"finish_reason"`
	Error             *struct{ Code, Message string }
	Usage             *struct {
		Input  int64 `json:"input_tokens"`
		Output int64 `json:"output_tokens"`
	}
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
}

func (r *rig) run(key, id string) (v run) {
	r.t.Helper()
	r.want(200, request{Path: "/v1/runs/" + id, Key: key}, &v)
	return v
}

// TestUserMessageIsDurableFirst: when the provider is asked, what the user said can already be read, on a replica too.
func TestUserMessageIsDurableFirst(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		replica := r.replica()
		model := r.up.on("check", func(c *upcall) {
			if all := replica.messages(acme.Key, ses, 10); len(all) != 1 || all[0].Content != "keep me" {
				t.Errorf("when the provider is asked the session has %+v", all)
			}
			answer("ok")(c)
		})
		r.turn(acme.Key, ses, model, "keep me")
	})
}

// TestRunOutlivesItsStarter: a session's turn goes on and is recorded when its caller hangs up, and anybody who may can read it meanwhile and afterwards.
func TestRunOutlivesItsStarter(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		ahead := make(chan struct{})
		model := r.up.on("patient", func(c *upcall) {
			c.text("Hel")
			if c.until(ahead) {
				c.text("lo ")
				c.text("wörld\n\u2028")
				c.finish("stop", 7, 3)
			}
		})
		f := r.stream(post(acme.Key, ask(model, "x", map[string]any{"session_id": ses, "stream": true})))
		id := f.res.Header.Get("Clawless-Run-Id")
		f.next()
		f.hangUp()
		if v := r.run(acme.Key, id); v.Status != "running" || v.SessionID != ses || v.Model != model || v.Usage != nil || v.FinishedAt != nil {
			t.Errorf("while it runs: %+v", v)
		}
		watch := r.stream(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key})
		close(ahead)
		live := watch.rest()
		if got := text(t, live); got != "Hello wörld\n\u2028" {
			t.Errorf("a second reader got %q", got)
		}
		v := r.run(acme.Key, id)
		if v.Status != "completed" || v.FinishReason != "stop" || v.Usage == nil || v.Usage.Input != 7 || v.Usage.Output != 3 || v.FinishedAt == nil || v.FinishedAt.Before(v.StartedAt) {
			t.Errorf("afterwards: %+v", v)
		}
		if all := r.messages(acme.Key, ses, 10); len(all) != 2 || all[1].Content != "Hello wörld\n\u2028" || all[1].RunID != id {
			t.Errorf("messages: %+v", all)
		}
		rows := r.settled(acme, 1)
		if rows[0].RunID != id || rows[0].Outcome != "completed" || rows[0].Source != "provider" {
			t.Errorf("ledger: %+v", rows)
		}
		resumes(t, r, acme, id, live)
	})
}

// resumes goes on after every event and demands byte for byte what is left.
func resumes(t *testing.T, r *rig, acme customer, id string, all []event) {
	t.Helper()
	for i, e := range all {
		if e.ID == "" {
			t.Fatalf("event %d has no id: %+v", i, e)
		}
		rest := r.stream(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key, Header: map[string]string{"Last-Event-ID": e.ID}}).rest()
		if fmt.Sprint(rest) != fmt.Sprint(all[i+1:]) {
			t.Errorf("after %s: %v, want %v", e.ID, rest, all[i+1:])
		}
	}
	for _, bad := range []string{"-1", "x", "9223372036854775808", "1.5", "999999", " 1 2"} {
		if a := r.do(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key, Header: map[string]string{"Last-Event-ID": bad}}); a.status != 400 {
			t.Errorf("Last-Event-ID %s: %d %s", bad, a.status, a.body)
		}
	}
}

// TestEventIDs: a session's stream carries event ids only for those who ask, and two readers at once see the same.
func TestEventIDs(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	model := r.up.on("ids", answer("a", "b", "c"))
	plain := r.stream(post(acme.Key, ask(model, "x", map[string]any{"session_id": r.session(acme.Key, nil), "stream": true}))).rest()
	q := post(acme.Key, ask(model, "x", map[string]any{"session_id": r.session(acme.Key, nil), "stream": true, "stream_options": map[string]any{"include_usage": true}}))
	q.Header = map[string]string{"Clawless-Event-Ids": "1"}
	f := r.stream(q)
	id := f.res.Header.Get("Clawless-Run-Id")
	marked := f.rest()
	checkForm(t, plain, model, false)
	last := int64(0)
	for _, e := range marked {
		n, err := strconv.ParseInt(e.ID, 10, 64)
		if err != nil || n <= last {
			t.Errorf("event id %q after %d", e.ID, last)
		}
		last = n
	}
	if got := r.stream(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key}).rest(); fmt.Sprint(got) != fmt.Sprint(marked) {
		t.Errorf("read again: %v, first: %v", got, marked)
	}
}

// TestCancel: a cancel stops the provider within a second, keeps what was said, counts it, and is told to every reader.
func TestCancel(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"monthly_tokens": 100_000})
		ses := r.session(acme.Key, nil)
		left := make(chan time.Time, 1)
		model := r.up.on("long", func(c *upcall) {
			c.text("partial")
			<-c.gone
			left <- time.Now()
		})
		f := r.stream(post(acme.Key, ask(model, "a question", map[string]any{"session_id": ses, "stream": true})))
		id := f.res.Header.Get("Clawless-Run-Id")
		f.next()
		f.next()
		start := time.Now()
		var v run
		r.want(200, request{Method: "POST", Path: "/v1/runs/" + id + "/cancel", Key: acme.Key}, &v)
		if took := await(t, "the provider is left", left).Sub(start); took > time.Second {
			t.Errorf("the provider was left after %s", took)
		}
		if v.Status != "cancelled" || v.Error == nil || v.Error.Code != "run_cancelled" || v.Usage == nil || v.Usage.Output != 2 || v.Usage.Input == 0 {
			t.Errorf("the run: %+v", v)
		}
		saying, failed, _ := collect(t, f.rest())
		if saying != "" || failed == nil || failed.Code != "run_cancelled" {
			t.Errorf("its reader: %q %+v", saying, failed)
		}
		if all := r.messages(acme.Key, ses, 10); len(all) != 2 || all[1].Content != "partial" || all[1].FinishReason != "cancelled" {
			t.Errorf("messages: %+v", all)
		}
		if rows := r.settled(acme, 1); rows[0].Outcome != "cancelled" || rows[0].Source != "counted" || rows[0].Output != v.Usage.Output || rows[0].Input != v.Usage.Input {
			t.Errorf("ledger: %+v", rows)
		}
		r.want(200, request{Method: "POST", Path: "/v1/runs/" + id + "/cancel", Key: acme.Key}, &v) // again is the same
		if v.Status != "cancelled" {
			t.Errorf("cancelled twice: %+v", v)
		}
		next := r.up.on("next", answer("fine"))
		r.turn(acme.Key, ses, next, "go on")
		if got := strings.Join(r.up.calls(next)[0].said(), "|"); got != "user:a question|assistant:partial|user:go on" {
			t.Errorf("the next turn's context: %s", got)
		}
	})
}

// TestFailedRun: a run that its provider fails says so everywhere, keeps what came, and the session goes on.
func TestFailedRun(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"monthly_tokens": 100_000})
		ses := r.session(acme.Key, nil)
		refused := r.up.on("refused", refuse(503, "text/plain", secretHost))
		for _, stream := range []bool{false, true} {
			a := r.do(post(acme.Key, ask(refused, "one", map[string]any{"session_id": ses, "stream": stream})))
			if a.status != 503 || a.problem(t).Code != "provider_overloaded" {
				t.Errorf("%d %s", a.status, a.body)
			}
			v := r.run(acme.Key, a.header.Get("Clawless-Run-Id"))
			if v.Status != "failed" || v.Error == nil || v.Error.Code != "provider_overloaded" || strings.Contains(v.Error.Message, secretHost) || v.Usage.Input+v.Usage.Output != 0 {
				t.Errorf("the run: %+v", v)
			}
		}
		broken := r.up.on("broken", func(c *upcall) { c.text("half") })
		f := r.stream(post(acme.Key, ask(broken, "two", map[string]any{"session_id": ses, "stream": true})))
		if saying, failed, _ := collect(t, f.rest()); saying != "half" || failed == nil || failed.Code != "stream_broken" {
			t.Errorf("%q %+v", saying, failed)
		}
		if v := r.run(acme.Key, f.res.Header.Get("Clawless-Run-Id")); v.Status != "failed" || v.Usage.Output != 1 {
			t.Errorf("the run: %+v", v)
		}
		all := r.messages(acme.Key, ses, 10)
		if len(all) != 4 || all[3].Content != "half" || all[3].FinishReason != "error" {
			t.Errorf("messages: %+v", all)
		}
		if rows := r.settled(acme, 1); rows[0].Outcome != "failed" {
			t.Errorf("ledger: %+v", rows)
		}
	})
}

// TestRetention: a finished run's events are kept for run_retention and then gone, its state and messages are not.
func TestRetention(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.RunRetention = 50 * time.Millisecond })
	acme := r.tenant("acme", nil)
	ses := r.session(acme.Key, nil)
	model := r.up.on("short", answer("ok"))
	id := r.turn(acme.Key, ses, model, "x").header.Get("Clawless-Run-Id")
	eventually(t, patience, "the events are dropped", func() bool {
		_ = r.s.hub.Sweep(t.Context())
		return r.do(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key}).status == 410
	})
	if p := r.do(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key}).problem(t); p.Code != "run_expired" {
		t.Errorf("code %s", p.Code)
	}
	if v := r.run(acme.Key, id); v.Status != "completed" {
		t.Errorf("the run: %+v", v)
	}
}

// TestContextTooLong: a session that has outgrown a model is cut until the model takes it, and the answer says how much was left out.
func TestContextTooLong(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		roomy := r.up.on("roomy", answer(strings.Repeat("answer ", 300)))
		for range 6 {
			r.turn(acme.Key, ses, roomy, strings.Repeat("question ", 300))
		}
		tight := r.up.on("tight", func(c *upcall) {
			if len(c.raw) > 12_000 {
				refuse(400, "application/json", `{"error":{"message":"maximum context length exceeded","code":"context_length_exceeded"}}`)(c)
				return
			}
			answer("fits")(c)
		})
		a := r.turn(acme.Key, ses, tight, "and now?")
		var got struct {
			Clawless struct {
				Dropped int `json:"dropped_messages"`
			}
		}
		a.read(t, &got)
		calls := r.up.calls(tight)
		last := calls[len(calls)-1].said()
		if got.Clawless.Dropped != 14-len(last) || len(last) < 3 || last[len(last)-1] != "user:and now?" || !strings.HasPrefix(last[0], "user:") {
			t.Errorf("dropped %d, sent %d messages: %.80q", got.Clawless.Dropped, len(last), last)
		}
		none := r.up.on("none", refuse(400, "application/json", `{"error":{"message":"too long","code":"context_length_exceeded"}}`))
		if p := r.want(400, post(acme.Key, ask(none, "x", map[string]any{"session_id": ses})), nil).problem(t); p.Code != "context_length_exceeded" {
			t.Errorf("code %s", p.Code)
		}
		if rows := r.settled(acme, 7); rows[6].Outcome != "completed" {
			t.Errorf("ledger: %+v", rows)
		}
	})
}

// TestRecover: what a killed server leaves is put right at the next start: its runs are interrupted, delivered tokens are billed once, holds are given back.
func TestRecover(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"monthly_tokens": 1_000_000})
		now := time.Now().Add(-time.Hour)
		ctx := context.Background()
		const n = 1100 // more than one sweep takes
		ses := r.session(acme.Key, nil)
		runID := ids.New(ids.Run)
		r.write(func(_ context.Context, q db.Querier) error {
			dead := runs.Run{ID: runID, TenantID: acme.ID, SessionID: ses, KeyID: acme.KeyID, RequestID: "req_dead", Model: "lab/m", Provider: "lab", StartedAt: db.At(now)}
			if err := runs.Insert(ctx, q, dead, "node_dead"); err != nil {
				return err
			}
			for i := range n {
				b := quotas.Budget{TenantID: acme.ID, RequestID: fmt.Sprint("req_dead_", i), Monthly: 1_000_000, Input: 10, Output: 90, Exact: true}
				if i == 0 {
					b.RunID, b.RequestID = runID, "req_dead"
				}
				h, err := quotas.Reserve(ctx, q, b, now)
				if err != nil {
					return err
				}
				if i < 2 {
					if err := quotas.Delivered(ctx, q, h, 42, 0, now); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if p := r.periods(); p[0].Reserved != 100*n {
			t.Fatalf("reserved %+v", p)
		}
		for range 2 { // the second time there is nothing to do
			if err := r.s.recover(ctx); err != nil {
				t.Fatal(err)
			}
			if v := r.run(acme.Key, runID); v.Status != "interrupted" || v.Error == nil || v.Error.Code != "run_interrupted" {
				t.Errorf("the run: %+v", v)
			}
			rows := r.ledger(acme)
			if p := r.periods(); p[0].Reserved != 0 || p[0].Used != 84 || len(rows) != 2 || rows[0].Outcome != "interrupted" || rows[0].Source != "counted" {
				t.Errorf("totals %+v, ledger %+v", p, rows)
			}
		}
		model := r.up.on("after", answer("ok"))
		r.turn(acme.Key, ses, model, "again") // the session is not broken
	})
}

// TestManyReaders: a run is read by many at once, some of whom leave, and each sees all of it.
func TestManyReaders(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	ses := r.session(acme.Key, nil)
	ahead := make(chan struct{})
	words := make([]string, 500)
	for i := range words {
		words[i] = fmt.Sprint("w", i, " ")
	}
	model := r.up.on("read", func(c *upcall) {
		c.text("begin ")
		if c.until(ahead) {
			answer(words...)(c)
		}
	})
	f := r.stream(post(acme.Key, ask(model, "x", map[string]any{"session_id": ses, "stream": true})))
	id := f.res.Header.Get("Clawless-Run-Id")
	var wg, ready sync.WaitGroup
	want := "begin " + strings.Join(words, "")
	for i := range 20 {
		ready.Add(1)
		wg.Go(func() {
			g := r.stream(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key})
			first, _ := g.next()
			ready.Done()
			if i%4 == 0 {
				g.hangUp()
				return
			}
			if got := text(t, append([]event{first}, g.rest()...)); got != want {
				t.Errorf("reader %d got %d bytes", i, len(got))
			}
		})
	}
	ready.Wait()
	close(ahead)
	wg.Wait()
	if got := text(t, f.rest()); got != want {
		t.Errorf("the starter got %d bytes", len(got))
	}
}

// TestRunElsewhere: a replica that does not have a run says how it stands, has it cancelled by the server that has it, and does not pretend that its events are gone.
func TestRunElsewhere(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		model := r.up.on("there", func(c *upcall) {
			c.text("partial")
			<-c.gone
		})
		f := r.stream(post(acme.Key, ask(model, "x", map[string]any{"session_id": r.session(acme.Key, nil), "stream": true})))
		id := f.res.Header.Get("Clawless-Run-Id")
		f.next()
		f.next()
		replica := r.replica()
		if v := replica.run(acme.Key, id); v.Status != "running" || v.Error != nil {
			t.Errorf("the run: %+v", v)
		}
		if a := replica.want(409, request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key}, nil); a.header.Get("Retry-After") == "" {
			t.Errorf("%s", a.body)
		}
		cancelled := make(chan run, 1)
		go func() {
			var v run
			replica.want(200, request{Method: "POST", Path: "/v1/runs/" + id + "/cancel", Key: acme.Key}, &v)
			cancelled <- v
		}()
		eventually(t, patience, "the run ends", func() bool {
			if err := r.s.heed(t.Context()); err != nil { // what its periodic job does
				t.Fatal(err)
			}
			return r.run(acme.Key, id).Status != "running"
		})
		if v := await(t, "the cancel", cancelled); v.Status != "cancelled" || v.Error == nil || v.Error.Code != "run_cancelled" || v.Usage.Output != 2 {
			t.Errorf("cancelled: %+v", v)
		}
		if _, failed, _ := collect(t, f.rest()); failed == nil || failed.Code != "run_cancelled" {
			t.Errorf("its reader: %+v", failed)
		}
	})
}

// TestUnstorableWords: what a provider says, and no database keeps, neither loses the run nor what it has cost.
func TestUnstorableWords(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"monthly_tokens": 1_000_000})
		ses := r.session(acme.Key, nil)
		said := r.up.on("said", func(c *upcall) {
			c.json(`{"choices":[{"message":{"content":"a\u0000b","reasoning_content":"c\u0000d","tool_calls":[{"id":"e\u0000","function":{"name":"f\u0000","arguments":"{\"g\":\"\u0000\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`)
		})
		r.turn(acme.Key, ses, said, "x")
		if all := r.messages(acme.Key, ses, 10); len(all) != 2 || all[1].Content != "a\x00b" {
			t.Errorf("messages: %+v", all)
		}
		refused := r.up.on("refused", refuse(400, "application/json", `{"error":{"message":"bad \u0000 thing","type":"invalid_request_error\u0000","code":"c\u0000"}}`))
		a := r.want(400, post(acme.Key, ask(refused, "y", map[string]any{"session_id": ses})), nil)
		if v := r.run(acme.Key, a.header.Get("Clawless-Run-Id")); v.Status != "failed" {
			t.Errorf("the run: %+v", v)
		}
		if rows := r.settled(acme, 1); rows[0].Outcome != "completed" {
			t.Errorf("ledger: %+v", rows)
		}
		for _, body := range []string{`{"model":"lab/x\u0000"`, `{"model":"lab/x","user":"u\u0000"`, `{"model":"lab/x","session_id":"s\u0000"`, `{"model":"lab/` + strings.Repeat("x", 300) + `"`, `{"model":"lab/x","user":"` + strings.Repeat("u", 300) + `"`} {
			r.want(400, post(acme.Key, body+`,"messages":[{"role":"user","content":"x"}]}`), nil)
		}
		r.want(400, request{Method: "POST", Path: "/v1/sessions", Key: acme.Key, Body: `{"title":"\u0000"}`}, nil)
	})
}
