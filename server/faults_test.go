package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/models"
)

// outcome is what a caller sees of one call, however it asked.
type outcome struct {
	reply
	said    string
	finish  string
	failed  *problem // of the status, or in the middle of a stream
	done    bool     // the answer is complete
	receipt dialect.Receipt
}

// modes are the ways to ask the same question.
var modes = []string{"whole", "stream", "session"}

// try asks in a mode and reads all of the answer.
func (r *rig) try(mode string, c customer, body map[string]any) (o outcome) {
	r.t.Helper()
	body = maps.Clone(body)
	body["stream"] = mode != "whole"
	if mode == "session" {
		body["session_id"] = r.session(c.Key, nil)
	}
	return r.see(post(c.Key, body))
}

// see makes a chat call and reads its answer in either form.
func (r *rig) see(q request) (o outcome) {
	r.t.Helper()
	o.reply = r.do(q)
	if o.status != 200 {
		o.envelope(r.t)
		p := o.problem(r.t)
		o.failed = &p
		return o
	}
	if !strings.HasPrefix(o.header.Get("Content-Type"), "text/event-stream") {
		var body struct {
			Choices []struct {
				Message      struct{ Content string }
				FinishReason string `json:"finish_reason"`
			}
			Clawless dialect.Receipt
		}
		o.read(r.t, &body)
		o.said, o.finish, o.receipt, o.done = body.Choices[0].Message.Content, body.Choices[0].FinishReason, body.Clawless, true
		return o
	}
	var list []event
	for _, e := range strings.Split(strings.TrimSuffix(string(o.body), "\n\n"), "\n\n") {
		if data, ok := strings.CutPrefix(e, "data: "); ok {
			list = append(list, event{Data: data})
		} else if !strings.HasPrefix(e, "retry: ") {
			r.t.Errorf("an event without data: %q", e)
		}
	}
	o.said, o.failed, o.done = collect(r.t, list)
	for _, e := range list {
		var end struct {
			Choices []struct {
				FinishReason *string `json:"finish_reason"`
			}
			Clawless *dialect.Receipt
		}
		if e.Data == "[DONE]" || json.Unmarshal([]byte(e.Data), &end) != nil || end.Clawless == nil {
			continue
		}
		o.finish, o.receipt = *end.Choices[0].FinishReason, *end.Clawless
	}
	return o
}

// part is a test that runs beside others in the same one, and says which it is.
type part struct {
	testing.TB
	name string
}

func (p part) Errorf(format string, args ...any) {
	p.Helper()
	p.TB.Errorf("%s: %s", p.name, fmt.Sprintf(format, args...))
}

func (p part) Fatalf(format string, args ...any) {
	p.Helper()
	p.Errorf(format, args...)
	runtime.Goexit()
}

func (p part) Fatal(args ...any) {
	p.Helper()
	p.Fatalf("%s", fmt.Sprint(args...))
}

// beside runs a part of the test at the same time as the others, on a rig that speaks for it. Of parallel subtests only as many run at once as there are processors,
// and most of the time here is waiting.
func (r *rig) beside(wg *sync.WaitGroup, name string, test func(r *rig)) {
	own := *r
	own.t = part{r.t, name}
	wg.Go(func() { test(&own) })
}

// attempts are the receipt's, as model:outcome.
func (o outcome) attempts() string {
	var out []string
	for _, a := range o.receipt.Attempts {
		out = append(out, a.Model+":"+a.Outcome)
	}
	return strings.Join(out, " ")
}

// hasty makes every wait for a provider short, but not so short that a busy machine is taken for a silent provider.
func hasty(c *config.Settings) {
	lab := c.Providers["lab"]
	lab.FirstTokenTimeout, lab.IdleTimeout, lab.AnswerTimeout = 700*time.Millisecond, 700*time.Millisecond, 700*time.Millisecond
	c.Providers["lab"] = lab
	spare := lab
	spare.APIKey = "another-secret-41"
	c.Providers["spare"] = spare
	claude := lab
	claude.Driver = "anthropic"
	c.Providers["claude"] = claude
}

// hang is a script that takes the call and says nothing.
func hang(c *upcall) { <-c.gone }

// sse is a script that sends events as they stand and ends.
func sse(events ...string) func(*upcall) {
	return func(c *upcall) { c.write(strings.Join(events, "")) }
}

// What Anthropic's streams are made of.
const (
	claudeStart = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"m\",\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
	claudeSome = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"some \"}}\n\n"
	claudeEnd  = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded at " + secretHost + "\"}}\n\n"
)

// claudeFine answers whole calls and streams with "some ".
func claudeFine(c *upcall) {
	if c.body.Stream {
		sse(claudeStart, claudeSome, claudeEnd)(c)
		return
	}
	c.json(`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"some "}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}`)
}

func status(code int, header ...string) func(*upcall) {
	return refuse(code, "application/json", `{"error":{"message":"no `+secretHost+`"}}`, header...)
}

var fine = answer("fi", "ne")

// dated is a 429 whose Retry-After is a date so far from now.
func dated(d time.Duration) func(*upcall) {
	return func(c *upcall) { status(429, "Retry-After", time.Now().Add(d).UTC().Format(http.TimeFormat))(c) }
}

// earlyFault is one way of failing before anything was shown.
type earlyFault struct {
	name     string
	provider string
	script   func() func(*upcall)
	status   int
	code     string
	retry    string
	calls    int
	said     string
	gap      time.Duration // at least, between the first two calls
}

var earlyFaults = []earlyFault{
	{"429, then fine", "lab", func() func(*upcall) { return inTurn(status(429), fine) }, 200, "", "", 2, "fine", 0},
	{"429 with a second, then fine", "lab", func() func(*upcall) { return inTurn(status(429, "Retry-After", "1"), fine) }, 200, "", "", 2, "fine", time.Second},
	{"429 with a date, then fine", "lab", func() func(*upcall) { return inTurn(dated(2*time.Second), fine) }, 200, "", "", 2, "fine", 900 * time.Millisecond},
	{"429 with a past date, then fine", "lab", func() func(*upcall) { return inTurn(dated(-time.Hour), fine) }, 200, "", "", 2, "fine", 0},
	{"429 with a negative wait, then fine", "lab", func() func(*upcall) { return inTurn(status(429, "Retry-After", "-1"), fine) }, 200, "", "", 2, "fine", 0},
	{"429 with an hour", "lab", func() func(*upcall) { return status(429, "Retry-After", "3600") }, 429, "rate_limit_exceeded", "3600", 1, "", 0},
	{"429 with thirty years", "lab", func() func(*upcall) { return status(429, "Retry-After", "1000000000") }, 429, "rate_limit_exceeded", "3600", 1, "", 0},
	{"529, then fine", "lab", func() func(*upcall) { return inTurn(status(529), status(529), fine) }, 200, "", "", 3, "fine", 0},
	{"529", "lab", func() func(*upcall) { return status(529) }, 503, "provider_overloaded", "", 3, "", 0},
	{"503 with two minutes", "lab", func() func(*upcall) { return status(503, "Retry-After", "120") }, 503, "provider_overloaded", "120", 1, "", 0},
	{"hangs, then fine", "lab", func() func(*upcall) { return inTurn(hang, fine) }, 200, "", "", 2, "fine", 500 * time.Millisecond},
	{"hangs", "lab", func() func(*upcall) { return hang }, 504, "timeout", "", 3, "", 0},
	{"reset, then fine", "lab", func() func(*upcall) { return inTurn(func(*upcall) { panic(http.ErrAbortHandler) }, fine) }, 200, "", "", 2, "fine", 0},
	{"garbage, then fine", "lab", func() func(*upcall) {
		return inTurn(refuse(200, "text/event-stream", "\x00\xff\xfe{{{data:\n\n"), fine)
	}, 200, "", "", 2, "fine", 0},
	{"an error in a 200, then fine", "claude", func() func(*upcall) { return inTurn(sse(overloaded), claudeFine) }, 200, "", "", 2, "some ", 0},
	{"an error in a 200 after its start, then fine", "claude", func() func(*upcall) { return inTurn(sse(claudeStart, overloaded), claudeFine) }, 200, "", "", 2, "some ", 0},
	{"an error in a 200", "claude", func() func(*upcall) { return sse(claudeStart, overloaded) }, 503, "provider_overloaded", "", 3, "", 0},
}

// TestFaultsBeforeTheFirstToken: what fails before anything was shown is tried again where that may help, the caller gets the answer or the right status, and only answers cost.
func TestFaultsBeforeTheFirstToken(t *testing.T) {
	r := lite(t, hasty)
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, f := range earlyFaults {
		for _, mode := range modes {
			r.beside(&wg, f.name+", "+mode, func(r *rig) { r.early(f, mode, fmt.Sprint("early-", i, "-", mode)) })
		}
	}
}

func (r *rig) early(f earlyFault, mode, name string) {
	c := r.tenant(name, map[string]any{"monthly_tokens": 100_000})
	r.up.on(name, f.script())
	o := r.try(mode, c, ask(f.provider+"/"+name, "hi "+canary, map[string]any{"max_tokens": 50}))
	if o.status != f.status || o.said != f.said || o.done != (f.status == 200) || o.header.Get("Retry-After") != f.retry {
		r.t.Errorf("status %d, %q, done %v, Retry-After %q: %s", o.status, o.said, o.done, o.header.Get("Retry-After"), o.body)
	}
	if f.code != "" && (o.failed == nil || o.failed.Code != f.code) {
		r.t.Errorf("want %s: %s", f.code, o.body)
	}
	if strings.Contains(string(o.body), secretHost) {
		r.t.Errorf("tells the provider's words: %s", o.body)
	}
	calls := r.up.calls(name)
	if len(calls) != f.calls {
		r.t.Errorf("%d calls of the provider, want %d", len(calls), f.calls)
	} else if f.gap > 0 && calls[1].at.Sub(calls[0].at) < f.gap {
		r.t.Errorf("tried again after %s, want %s", calls[1].at.Sub(calls[0].at), f.gap)
	}
	lines := 0
	if f.status == 200 {
		lines = 1
		if len(o.receipt.Attempts) != f.calls || o.receipt.Attempts[f.calls-1].Outcome != "ok" {
			r.t.Errorf("receipt: %+v", o.receipt)
		}
	}
	if got := r.ledger(c); len(got) != lines {
		r.t.Errorf("ledger: %+v", got)
	}
	r.nothingHeld(c)
}

// nothingHeld demands that the tenant has no reservation left.
func (r *rig) nothingHeld(c customer) {
	r.t.Helper()
	for _, p := range r.periods() {
		if p.TenantID == c.ID && (p.Reserved != 0 || p.Held != 0 || p.ReservedMicros != 0) {
			r.t.Errorf("still reserved: %+v", p)
		}
	}
}

// TestFaultsAfterTheFirstToken: what fails after something was shown ends with an error event. Nothing is tried again, no other model's words follow, and what was shown is billed once.
func TestFaultsAfterTheFirstToken(t *testing.T) {
	r := lite(t, hasty)
	var wg sync.WaitGroup
	defer wg.Wait()
	some := func(then func(*upcall)) func(*upcall) {
		return func(c *upcall) { c.text("some "); then(c) }
	}
	for i, f := range []struct {
		name     string
		provider string
		script   func(*upcall)
		code     string
	}{
		{"overloaded", "claude", sse(claudeStart, claudeSome, overloaded), "provider_overloaded"},
		{"cut", "claude", sse(claudeStart, claudeSome), "stream_broken"},
		{"silence", "lab", some(hang), "timeout"},
		{"trickle", "lab", some(trickle), "timeout"},
		{"reset", "lab", some(func(*upcall) { panic(http.ErrAbortHandler) }), "stream_broken"},
		{"garbage", "lab", some(func(c *upcall) {
			c.write("data: {\"choices\":[{\"delta\":{\"content\":\"\xf0\x9f\n\n")
			c.finish("stop", 1, 1)
		}), "stream_broken"},
		{"an error event", "lab", some(func(c *upcall) { c.frame(`{"error":{"message":"` + secretHost + `","code":429}}`) }), "rate_limit_exceeded"},
		{"a line without an end", "lab", some(func(c *upcall) { c.endless("data: ", strings.Repeat("x", 64<<10)) }), "stream_broken"},
	} {
		for _, mode := range modes[1:] {
			r.beside(&wg, f.name+", "+mode, func(r *rig) {
				t, name := r.t, fmt.Sprint("late-", i, "-", mode)
				c := r.tenant(name, map[string]any{"fallback_models": []string{"spare/" + name + "-spare"}})
				r.up.on(name, f.script)
				spare := r.up.on(name+"-spare", answer("another's words"))
				o := r.try(mode, c, ask(f.provider+"/"+name, "hi", map[string]any{"fallback": true}))
				if o.status != 200 || o.said != "some " || o.done || o.failed == nil || o.failed.Code != f.code || o.finish != "" {
					t.Errorf("%d, %q, done %v, finish %q: %s", o.status, o.said, o.done, o.finish, o.body)
				}
				if strings.Contains(string(o.body), secretHost) || strings.Contains(string(o.body), "another") {
					t.Errorf("tells what it must not: %s", o.body)
				}
				if a, b := len(r.up.calls(name)), len(r.up.calls(spare)); a != 1 || b != 0 {
					t.Errorf("%d calls of the provider, %d of the other", a, b)
				}
				got := r.ledger(c)
				if len(got) != 1 || got[0].Outcome != "failed" || got[0].Output == 0 || got[0].Model != f.provider+"/"+name {
					t.Errorf("ledger: %+v", got)
				}
				r.nothingHeld(c)
			})
		}
	}
}

// trickle sends a byte of a line now and then, for ever.
func trickle(c *upcall) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for c.tick(tick.C) {
		c.write(" ")
	}
}

// tick waits for the next tick and reports false when the caller has hung up.
func (c *upcall) tick(tick <-chan time.Time) bool {
	select {
	case <-tick:
		return true
	case <-c.gone:
		return false
	}
}

// endless sends the head and then the same again until the caller hangs up.
func (c *upcall) endless(head, piece string) {
	c.write(head)
	for c.r.Context().Err() == nil {
		c.write(piece)
	}
}

// TestEndlessStream: an answer without an end is ended by the caller's limit, by the budget or by the server's own bound, and what came is billed.
func TestEndlessStream(t *testing.T) {
	r := lite(t, nil)
	frame := `data: {"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("word ", 1600) + `"},"finish_reason":null}]}` + "\n\n"
	for name, f := range map[string]struct {
		settings map[string]any
		more     map[string]any
		most     int // bytes
	}{
		"its own limit": {nil, map[string]any{"max_tokens": 10}, 10*128 + 64<<10 + 16<<10},
		"the budget":    {map[string]any{"monthly_tokens": 20_000}, nil, 20_000 * 8},
		"no limit":      {map[string]any{"monthly_tokens": 0}, nil, 32<<20 + 16<<10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := *r
			r.t = t
			c := r.tenant(strings.ReplaceAll(name, " ", "-"), f.settings)
			model := r.up.on(name, func(c *upcall) { c.endless("", frame) })
			o := r.try("stream", c, ask(model, "hi", f.more))
			if o.status != 200 || !o.done || o.finish != "length" || len(o.said) == 0 || len(o.said) > f.most || strings.Trim(o.said, "word ") != "" {
				t.Errorf("%d, done %v, finish %q, %d bytes", o.status, o.done, o.finish, len(o.said))
			}
			if got := r.ledger(c); len(got) != 1 || got[0].Output == 0 || f.settings["monthly_tokens"] == 20_000 && got[0].Input+got[0].Output > 20_000 {
				t.Errorf("ledger: %+v", got)
			}
			r.nothingHeld(c)
			await(t, "the upstream is left", r.up.calls(model)[0].over)
		})
	}
}

// TestProvidersStandIn: what another target, another key and an open circuit change about a call.
func TestProvidersStandIn(t *testing.T) {
	r := lite(t, func(c *config.Settings) {
		hasty(c)
		two := c.Providers["lab"]
		two.APIKey = "first-secret-90, second-secret-91"
		c.Providers["two"] = two
	})
	r.log.secret("first-secret-90")
	r.log.secret("second-secret-91")
	t.Run("fallback", func(t *testing.T) { r.fallback(t) })
	t.Run("keys", func(t *testing.T) { r.secondKey(t) })
	t.Run("circuit", func(t *testing.T) { r.circuit(t) })
}

func (r rig) fallback(t *testing.T) {
	r.t = t
	var wg sync.WaitGroup
	defer wg.Wait()
	for what, f := range map[string]struct {
		script  func(*upcall)
		outcome string
		status  int // without a fallback
		calls   int
	}{
		"overloaded": {status(529), "overloaded", 503, 3},
		"limited":    {status(429, "Retry-After", "900"), "rate_limit", 429, 1},
		"hanging":    {hang, "timeout", 504, 3},
		"refused":    {status(401), "auth", 502, 1},
		"torn":       {func(*upcall) { panic(http.ErrAbortHandler) }, "unreachable", 502, 3},
	} {
		for _, mode := range modes {
			r.beside(&wg, what+", "+mode, func(r *rig) {
				t, name := r.t, what+"-"+mode
				c := r.tenant(name, nil)
				first := r.up.on(name, f.script)
				spare := "spare/" + strings.TrimPrefix(r.up.on(name+"-spare", fine), "lab/")
				o := r.try(mode, c, ask(first, "hi", map[string]any{"fallback": []string{spare}}))
				if !o.done || o.said != "fine" || o.receipt.Model != spare || o.receipt.Asked != first || o.receipt.Route == nil || o.receipt.Route.Reason != "fallback" {
					t.Fatalf("%d %s", o.status, o.body)
				}
				if got := o.attempts(); got != first+":"+f.outcome+" "+spare+":ok" || len(r.up.calls(name)) != 1 {
					t.Errorf("attempts %s", got)
				}
				if got := r.ledger(c); len(got) != 1 || got[0].Model != spare {
					t.Errorf("ledger %+v", got)
				}
				if mode != "session" && (o.header.Get("Clawless-Model") != spare || o.header.Get("Clawless-Route") != "fallback") {
					t.Errorf("headers %v", o.header)
				}
				strict := r.try(mode, c, ask(first, "hi", nil))
				if strict.status != f.status || len(r.up.calls(name)) != 1+f.calls || len(r.up.calls(name+"-spare")) != 1 {
					t.Errorf("a model that was named is strict, but: %d, %d calls: %s", strict.status, len(r.up.calls(name)), strict.body)
				}
			})
		}
	}
}

func (r rig) secondKey(t *testing.T) {
	r.t = t
	c := r.tenant("keys", nil)
	r.up.on("keyed", func(c *upcall) {
		if c.header.Get("Authorization") == "Bearer first-secret-90" {
			status(401)(c)
			return
		}
		fine(c)
	})
	for i, want := range []string{"two/keyed:auth two/keyed:ok", "two/keyed:ok"} {
		o := r.try("stream", c, ask("two/keyed", "hi", nil))
		if o.said != "fine" || !o.done || o.attempts() != want || o.receipt.Attempts[len(o.receipt.Attempts)-1].Key != 2 {
			t.Errorf("call %d: %d %s", i, o.status, o.body)
		}
	}
	if n := len(r.up.calls("keyed")); n != 3 {
		t.Errorf("%d calls of the provider", n)
	}
	if two := r.health("two"); two.Keys.OK != 1 || two.Keys.Cooling != 1 {
		t.Errorf("the operator sees %+v", two)
	}
	if got := r.ledger(c); len(got) != 2 {
		t.Errorf("ledger: %+v", got)
	}
}

func (r rig) circuit(t *testing.T) {
	r.t = t
	c := r.tenant("circuit", nil)
	model := r.up.on("weary", status(500))
	r.up.on("rested", fine)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if o := r.try("whole", c, ask(model, "hi", nil)); o.status != 502 && o.status != 503 {
				t.Errorf("%d %s", o.status, o.body)
			}
		})
	}
	wg.Wait()
	before := len(r.up.calls(model))
	for _, mode := range modes {
		o := r.try(mode, c, ask(model, "hi", nil))
		if o.status != 503 || o.failed.Code != "provider_overloaded" || o.header.Get("Retry-After") == "" || len(o.header.Get("Retry-After")) > 2 {
			t.Errorf("%s: %d, Retry-After %q: %s", mode, o.status, o.header.Get("Retry-After"), o.body)
		}
		o = r.try(mode, c, ask(model, "hi", map[string]any{"fallback": []string{"spare/rested"}}))
		if o.said != "fine" || !o.done || o.receipt.Model != "spare/rested" || !strings.HasPrefix(o.attempts(), model+":cooling") && !strings.Contains(string(o.body), `"skipped":"cooling"`) {
			t.Errorf("%s: %d %s", mode, o.status, o.body)
		}
	}
	if n := len(r.up.calls(model)); n != before {
		t.Errorf("%d calls while the circuit was open", n-before)
	}
	if got := r.ledger(c); len(got) != len(modes) {
		t.Errorf("ledger: %+v", got)
	}
	lab := r.health("lab")
	if len(lab.Circuits) != 1 || lab.Circuits[0].Model != "weary" || lab.Circuits[0].State != "open" || lab.Circuits[0].Class != "server" {
		t.Errorf("the operator sees %+v", lab)
	}
}

// health is a provider as the operator sees it.
func (r *rig) health(name string) (one models.ProviderBody) {
	r.t.Helper()
	var page models.ProviderListBody
	r.want(200, request{Path: "/admin/providers", Key: r.admin}, &page)
	for _, p := range page.Data {
		if p.Name == name {
			return p
		}
	}
	r.t.Fatalf("no provider %s: %+v", name, page)
	return one
}
