package server

import (
	"context"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
)

var onlyRun = db.System("test.only_run", `SELECT id FROM runs WHERE status = 'running'`)

// TestGivenUpBetweenTries: a caller that goes away, or cancels its run, while nothing but refusals has come from the provider pays for nothing.
func TestGivenUpBetweenTries(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		c := r.tenant("acme", map[string]any{"monthly_tokens": 100_000})
		for _, mode := range modes[:2] {
			model := r.up.on("waits-"+mode, status(429, "Retry-After", "50"))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				res, err := r.http.Do(post(c.Key, ask(model, easy, map[string]any{"stream": mode == "stream"})).make(ctx, t, r.url))
				if err == nil {
					_ = res.Body.Close()
				}
			}()
			eventually(t, patience, "the first try", func() bool { return len(r.up.calls(model)) == 1 })
			r.refused()
			cancel()
			await(t, "the caller", ended)
		}
		model := r.up.on("waits-run", status(429, "Retry-After", "50"))
		ses := r.session(c.Key, nil)
		ended := make(chan outcome, 1)
		go func() { ended <- r.see(post(c.Key, ask(model, easy, map[string]any{"session_id": ses}))) }()
		eventually(t, patience, "the first try", func() bool { return len(r.up.calls(model)) == 1 })
		r.refused()
		var run string
		r.read(func(ctx context.Context, q db.Querier) error { return onlyRun.Get(ctx, q, &run, nil) })
		r.want(200, request{Method: "POST", Path: "/v1/runs/" + run + "/cancel", Key: c.Key}, nil)
		await(t, "the run", ended)
		eventually(t, patience, "nothing is reserved", func() bool { p := r.periods(); return len(p) == 1 && p[0].Reserved == 0 })
		if got := r.ledger(c); len(got) != 0 {
			t.Errorf("ledger: %+v", got)
		}
	})
}

// refused waits until one more refusal of a provider has been read, and not only sent: a caller that leaves in between has a call under way.
func (r *rig) refused() {
	r.t.Helper()
	r.refusals++
	eventually(r.t, patience, "the refusal is read", func() bool {
		m := regexp.MustCompile(`clawless_provider_calls_total\{outcome="rate_limit",provider="lab"\} (\d+)`).FindSubmatch(r.do(request{Path: "/metrics", Key: r.admin}).body)
		return m != nil && string(m[1]) == strconv.Itoa(r.refusals)
	})
}

// TestFallbackWithinTheBudget: a fallback that a budget of money rules out is left out, and does not keep the model that was meant from answering.
func TestFallbackWithinTheBudget(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		for name, f := range map[string]struct {
			fallback, skip string
			micros         int64
		}{"unpriced": {"lab/mystery", "price_unknown", 1_000_000}, "dear": {large, "budget", 100}} {
			c := r.tenant(name, map[string]any{"default_model": small, "fallback_models": []string{f.fallback}, "monthly_cost_micros": f.micros})
			for _, mode := range modes {
				for _, body := range []map[string]any{ask("default", easy, nil), ask(small, easy, map[string]any{"fallback": true})} {
					body["max_tokens"] = 60
					if o := r.try(mode, c, body); o.receipt.Model != small || o.skipped(f.fallback) != f.skip {
						t.Errorf("%s, %s: %d %s", name, mode, o.status, o.body)
					}
				}
			}
		}
	})
}

// TestForbiddenFallback: a fallback above the tenant's tier is passed over, and the receipt says so.
func TestForbiddenFallback(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.TierModels = map[string]string{"lab/secret": "enterprise"} })
	r.fast()
	c := r.tenant("acme", nil)
	r.want(200, request{Method: "PATCH", Path: "/admin/tenants/acme", Key: r.admin, Body: `{"tier":"starter"}`}, nil)
	o := r.try("whole", c, ask("mock/fail-first", easy, map[string]any{"fallback": []string{"lab/secret", "mock/echo"}}))
	if o.route() != "mock/echo fallback" || o.skipped("lab/secret") != "tier" || len(r.up.calls("secret")) != 0 {
		t.Errorf("%d %s", o.status, o.body)
	}
}

const anImage = `[{"role":"user","content":[{"type":"text","text":"what is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]`

// TestAbilities: auto leaves out the models that cannot do what the request needs, and one that was named is refused by name.
func TestAbilities(t *testing.T) {
	r := lite(t, nil)
	r.fast()
	c := r.tenant("acme", map[string]any{"strong_share": 0})
	for _, f := range []struct {
		what, skip, code, param string
		body                    map[string]any
	}{
		{"an image", "no_vision", "unsupported_parameter", "messages", map[string]any{"messages": json.RawMessage(anImage)}},
		{"a level", "no_thinking_level", "unsupported_parameter", "reasoning_effort", ask("", easy, map[string]any{"reasoning_effort": "medium"})},
		{"a long prompt", "context_window", "", "", ask("", strings.Repeat("word and ", 20_000), nil)},
	} {
		f.body["model"] = "auto"
		if o := r.try("whole", c, f.body); o.route() != large+" gate" || o.skipped(small) != f.skip {
			t.Errorf("%s, auto: %d %.600s", f.what, o.status, o.body)
		}
		f.body["model"] = small
		if o := r.try("whole", c, f.body); f.code != "" && (o.status != 400 || o.failed.Code != f.code || *o.failed.Param != f.param) {
			t.Errorf("%s, named: %d %.600s", f.what, o.status, o.body)
		}
	}
	if o := r.try("whole", c, ask("mock/embed", easy, nil)); o.status != 400 || *o.failed.Param != "model" {
		t.Errorf("a model of vectors: %d %s", o.status, o.body)
	}
}

// TestFormatInWords: where the provider cannot be held to a schema the answer is checked before any of it is shown, asked for once more, and both are booked.
func TestFormatInWords(t *testing.T) {
	r := lite(t, hasty)
	say := func(text string) func(*upcall) {
		return func(c *upcall) {
			quoted, _ := json.Marshal(text)
			if !c.body.Stream {
				c.json(`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":` + string(quoted) + `}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}`)
				return
			}
			sse(claudeStart, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"+string(quoted)+"}}\n\n", claudeEnd)(c)
		}
	}
	for _, mode := range modes {
		for name, f := range map[string]struct {
			scripts []func(*upcall)
			said    string
			calls   int
		}{
			"good": {[]func(*upcall){say(`{"city":"Bern"}`)}, `{"city":"Bern"}`, 1},
			"then": {[]func(*upcall){say(`In words: Bern.`), say(`{"city":"Bern"}`)}, `{"city":"Bern"}`, 2},
			"bad":  {[]func(*upcall){say(`{"town":"Bern"}`)}, "", 2},
		} {
			c := r.tenant(name+"-"+mode, nil)
			model := "claude/format-" + name + "-" + mode
			r.up.on(strings.TrimPrefix(model, "claude/"), inTurn(f.scripts...))
			o := r.try(mode, c, ask(model, easy, map[string]any{"response_format": json.RawMessage(citySchema), "max_tokens": 50}))
			if o.said != f.said || o.done != (f.said != "") || f.said == "" && o.status != 502 {
				t.Errorf("%s, %s: %d %s", name, mode, o.status, o.body)
			}
			if lines := r.ledger(c); len(lines) != f.calls || len(r.up.calls(strings.TrimPrefix(model, "claude/"))) != f.calls {
				t.Errorf("%s, %s: ledger %+v", name, mode, lines)
			}
		}
	}
}

// TestRouteIsTheChoice: what POST /v1/route says is what the call then does; it costs nothing, and what was recorded is replayed with the money that the ledger has.
func TestRouteIsTheChoice(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		c := r.tenant("acme", map[string]any{"strong_share": 0.5})
		for _, text := range []string{easy, hard} {
			body := ask("auto", text, map[string]any{"max_tokens": 100})
			told := string(r.want(200, request{Method: "POST", Path: "/v1/route", Key: c.Key, Body: body}, nil).body)
			o := r.try("whole", c, body)
			if !o.done {
				t.Fatalf("%d %s", o.status, o.body)
			}
			for _, want := range []string{`"` + o.receipt.Model + `"`, `"` + o.receipt.Route.Reason + `"`, o.receipt.PriceVersion} {
				if !strings.Contains(told, want) {
					t.Errorf("%s is not in %s", want, told)
				}
			}
		}
		lines := r.ledger(c)
		if len(lines) != 2 {
			t.Fatalf("ledger: %+v", lines)
		}
		var replay struct {
			Decisions, Changed int64
			Recorded           int64 `json:"recorded_cost_micros"`
		}
		r.want(200, request{Method: "POST", Path: "/admin/routes/replay", Key: r.admin, Body: `{"tenant":"acme","policy":{"weak_model":"mock/small","strong_model":"mock/large","strong_share":0}}`}, &replay)
		if replay.Decisions != 2 || replay.Changed != 1 || replay.Recorded != lines[0].Micros+lines[1].Micros {
			t.Errorf("replay %+v, ledger %+v", replay, lines)
		}
	})
}

// TestDrainBetweenTries: a server that is told to stop does not wait for a provider's Retry-After; nobody pays for what was only refused.
func TestDrainBetweenTries(t *testing.T) {
	each(t, func(c *config.Settings) { c.DrainTimeout = 50 * time.Millisecond }, func(t *testing.T, r *rig) {
		c := r.tenant("acme", map[string]any{"monthly_tokens": 100_000})
		stop, ended := r.runs()
		model := r.up.on("waits", status(429, "Retry-After", "50"))
		answers := make(chan outcome, 2)
		for _, mode := range []string{"stream", "session"} {
			go func() { answers <- r.try(mode, c, ask(model, easy, nil)) }()
		}
		eventually(t, patience, "the first tries", func() bool { return len(r.up.calls(model)) == 2 && r.up.busy() == 0 })
		stop()
		for range 2 {
			if o := await(t, "an answer", answers); o.status != 503 || o.failed.Code != "run_interrupted" {
				t.Errorf("%d %s", o.status, o.body)
			}
		}
		if err := await(t, "the end", ended); err != nil {
			t.Error(err)
		}
		if got := r.ledger(c); len(got) != 0 {
			t.Errorf("ledger: %+v", got)
		}
	})
}
