package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/config"
)

// TestThinkingPrecedence: the message's level goes before the session's, and that before the tenant's; the receipt says which held and who asked for it.
func TestThinkingPrecedence(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		with := r.tenant("with", map[string]any{"thinking": "low"})
		without := r.tenant("without", nil)
		for _, f := range []struct {
			who              customer
			session, message string
			level, from      string
			thoughts         int // sentences
		}{
			{without, "", "", "", "", 0},
			{with, "", "", "low", "tenant", 2},
			{with, "high", "", "high", "session", 8},
			{with, "high", "minimal", "minimal", "message", 1},
			{with, "off", "", "off", "session", 0},
			{with, "high", "off", "off", "message", 0},
			{without, "medium", "", "medium", "session", 4},
			{without, "", "medium", "medium", "message", 4},
		} {
			ses := r.session(f.who.Key, map[string]any{"thinking": f.session})
			body := ask(large, easy, map[string]any{"session_id": ses, "stream": true})
			if f.message != "" {
				body["reasoning_effort"] = f.message
			}
			o := r.see(post(f.who.Key, body))
			if !o.done || o.receipt.Thinking != f.level || o.receipt.ThinkingFrom != f.from {
				t.Errorf("%+v: %q from %q: %s", f, o.receipt.Thinking, o.receipt.ThinkingFrom, o.body)
			}
			thought := r.thought(f.who.Key, ses)
			if got := strings.Count(thought, "."); got != f.thoughts || strings.Contains(string(o.body), `"reasoning_content"`) != (f.thoughts > 0) || f.thoughts > 0 && strings.Contains(o.said, "First ") {
				t.Errorf("%+v: %d sentences of thoughts: %s", f, got, thought)
			}
			if tokens := o.receipt.Tokens; (tokens.Thinking > 0) != (f.thoughts > 0) {
				t.Errorf("%+v: %+v", f, tokens)
			}
		}
		if o := r.try("whole", with, ask(large, easy, map[string]any{"thinking": map[string]any{"type": "enabled", "budget_tokens": 1024}})); o.receipt.Thinking != "minimal" || o.receipt.ThinkingFrom != "message" {
			t.Errorf("a budget of thoughts: %s", o.body)
		}
	})
}

// thought is what the session keeps of the thoughts of its last answer.
func (r *rig) thought(key, session string) string {
	r.t.Helper()
	var page struct {
		Data []struct {
			Role    string
			Thought string `json:"reasoning_content"`
		}
	}
	r.want(200, request{Path: "/v1/sessions/" + session + "/messages", Key: key}, &page)
	return page.Data[len(page.Data)-1].Thought
}

// TestThinkingLevels: a level that the model does not have is refused with those it has when the message asks for it, and left out when only a default does.
func TestThinkingLevels(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		c := r.tenant("acme", map[string]any{"thinking": "high"})
		for _, mode := range modes {
			o := r.try(mode, c, ask(small, easy, map[string]any{"reasoning_effort": "high"}))
			if o.status != 400 || o.failed.Code != "unsupported_parameter" || o.failed.Param == nil || *o.failed.Param != "reasoning_effort" || !strings.Contains(o.failed.Message, "off") {
				t.Errorf("%s: %d %s", mode, o.status, o.body)
			}
			if o := r.try(mode, c, ask(small, easy, nil)); !o.done || o.receipt.Thinking != "" {
				t.Errorf("%s: %d %s", mode, o.status, o.body)
			}
			o = r.try(mode, c, ask(large, easy, map[string]any{"reasoning_effort": "loud"}))
			if o.status != 400 || !strings.Contains(o.failed.Message, "off, minimal, low, medium, high") {
				t.Errorf("%s: %d %s", mode, o.status, o.body)
			}
			if o := r.try(mode, c, ask("auto", easy, map[string]any{"reasoning_effort": "low"})); o.route() != large+" gate" || o.skipped(small) != "no_thinking_level" || o.receipt.Thinking != "low" {
				t.Errorf("%s: auto: %s", mode, o.body)
			}
		}
	})
}

// TestThinkingInWidget: a page's visitor sees what the model thought only where the tenant allows it, and never the receipt; the tenant sees both.
func TestThinkingInWidget(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		for _, shown := range []bool{false, true} {
			c := r.tenant(fmt.Sprint("shown-", shown), map[string]any{"default_model": large, "thinking": "low", "thinking_in_widget": shown})
			g := r.visitor(r.widget(c), nil)
			for _, stream := range []bool{false, true} {
				var ses struct{ ID string }
				r.want(201, g.as(request{Method: "POST", Path: "/v1/sessions", Body: `{}`}), &ses)
				a := r.want(200, g.as(post("", map[string]any{"session_id": ses.ID, "stream": stream, "messages": []any{map[string]string{"role": "user", "content": easy}}})), nil)
				run := a.header.Get("Clawless-Run-Id")
				seen := map[string]string{
					"answer": string(a.body),
					"stream": string(r.want(200, g.as(request{Path: "/v1/runs/" + run + "/stream"}), nil).body),
					"run":    string(r.want(200, g.as(request{Path: "/v1/runs/" + run}), nil).body),
				}
				for where, text := range seen {
					if strings.Contains(text, "First ") != (shown && where != "run") {
						t.Errorf("shown %v, stream %v, %s: %s", shown, stream, where, text)
					}
					for _, secret := range []string{"cost_micros", "price_version", `"route"`, `"attempts"`} {
						if strings.Contains(text, secret) {
							t.Errorf("%s tells a visitor %s: %s", where, secret, text)
						}
					}
				}
				for _, h := range []string{"Clawless-Cost-Micros", "Clawless-Route", "Clawless-Attempts"} {
					if a.header.Get(h) != "" {
						t.Errorf("a visitor is told %s: %s", h, a.header.Get(h))
					}
				}
				own := string(r.want(200, g.as(request{Path: "/v1/sessions/" + ses.ID + "/messages"}), nil).body)
				if strings.Contains(own, "First ") {
					t.Errorf("the visitor's history: %s", own)
				}
				if !strings.Contains(r.thought(c.Key, ses.ID), "First ") {
					t.Error("the tenant does not see the thoughts")
				}
			}
		}
	})
}

// TestAnswerCache: the same question of the same tenant costs nothing the second time, and only that one.
func TestAnswerCache(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		c := r.tenant("acme", map[string]any{"answer_cache_seconds": 3600, "default_model": "lab/one"})
		other := r.tenant("other", map[string]any{"answer_cache_seconds": 3600})
		none := r.tenant("none", nil)
		one := r.up.on("one", answer("a ", "b"))
		question := func(more map[string]any) map[string]any { return ask(one, easy, more) }
		first := r.try("whole", c, question(nil))
		for i, step := range []struct {
			who  customer
			body map[string]any
			hit  bool
		}{
			{c, question(nil), true},
			{c, question(map[string]any{"user": "anna"}), true},
			{c, question(map[string]any{"temperature": 0.5}), false},
			{c, question(map[string]any{"max_tokens": 7}), false},
			{c, question(map[string]any{"reasoning_effort": "low"}), false},
			{c, question(map[string]any{"tools": json.RawMessage(weatherTool)}), false},
			{c, ask(one, hard, nil), false},
			{c, ask("lab/two", easy, nil), false},
			{other, question(nil), false},
			{none, question(nil), false},
			{none, question(nil), false},
		} {
			for _, mode := range modes[:2] {
				if !step.hit && mode == "stream" && step.who.ID != none.ID {
					step.hit = true // what was kept in one piece is streamed too
				}
				before, lines := r.up.total(), len(r.ledger(step.who))
				o := r.try(mode, step.who, step.body)
				hit := o.receipt.Cache == "hit"
				if !o.done || hit != step.hit || r.up.total()-before != map[bool]int{true: 0, false: 1}[hit] || len(r.ledger(step.who))-lines != map[bool]int{true: 0, false: 1}[hit] {
					t.Errorf("step %d, %s: hit %v, %d calls: %s", i, mode, hit, r.up.total()-before, o.body)
				}
				if hit && (o.receipt.CostMicros == nil || *o.receipt.CostMicros != 0) {
					t.Errorf("step %d, %s: %s", i, mode, o.body)
				}
				if step.hit && i < 2 && (o.said != first.said || o.finish != first.finish || o.receipt.Model != first.receipt.Model) {
					t.Errorf("step %d, %s: %s", i, mode, o.body)
				}
			}
		}
	})
}

// total is how many calls there were of all models.
func (u *upstream) total() (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, calls := range u.seen {
		n += len(calls)
	}
	return n
}

// TestAnswerCacheForgets: an answer is not given again once its time is over, nor when the tenant's model is another one now or it may not use that model any more.
func TestAnswerCacheForgets(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.DefaultModel = "lab/first" })
	c := r.tenant("acme", map[string]any{"answer_cache_seconds": 3600})
	change := func(settings map[string]any) {
		r.want(200, request{Method: "PATCH", Path: "/admin/tenants/acme", Key: r.admin, Body: map[string]any{"settings": settings}}, nil)
	}
	r.up.on("first", answer("of the first"))
	r.up.on("second", answer("of the second"))
	say := func(want string, hit bool) {
		t.Helper()
		if o := r.try("whole", c, ask("default", easy, nil)); o.said != want || (o.receipt.Cache == "hit") != hit {
			t.Errorf("want %q, hit %v: %d %s", want, hit, o.status, o.body)
		}
	}
	say("of the first", false)
	say("of the first", true)
	change(map[string]any{"default_model": "lab/second"})
	say("of the second", false)
	say("of the second", true)
	change(map[string]any{"allowed_models": []string{"lab/first"}})
	if o := r.try("whole", c, ask("default", easy, nil)); o.status != 403 {
		t.Errorf("a model that is not allowed any more: %d %s", o.status, o.body)
	}
	change(map[string]any{"allowed_models": []string{}, "strong_share": 0})
	for _, weak := range []string{small, small, "mock/echo"} {
		change(map[string]any{"weak_model": weak})
		if o := r.try("whole", c, ask("auto", easy, nil)); o.receipt.Model != weak {
			t.Errorf("auto between other models: %s instead of %s", o.receipt.Model, weak)
		}
	}
	change(map[string]any{"answer_cache_seconds": 1})
	if o := r.try("whole", c, ask("default", hard, nil)); !o.done {
		t.Fatalf("%s", o.body)
	}
	eventually(t, patience, "the answer is forgotten", func() bool { return r.try("whole", c, ask("default", hard, nil)).receipt.Cache == "" })
	change(map[string]any{"answer_cache_seconds": 0})
	say("of the second", false)
}

// TestKeptAnswerIsWhole: an answer that is given again has all that it had: thoughts, calls, refusal and the tokens' probabilities.
func TestKeptAnswerIsWhole(t *testing.T) {
	r := lite(t, nil)
	c := r.tenant("acme", map[string]any{"answer_cache_seconds": 3600})
	r.up.on("calls", talk("I look it up.", []string{"One ", "moment."}, []string{`{"city":"Bern"}`}, "tool_calls"))
	r.up.on("odds", func(c *upcall) {
		c.json(`{"choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"logprobs":{"content":[{"token":"ok","logprob":-0.25,"bytes":null,"top_logprobs":[]}],"refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`)
	})
	r.up.on("no", func(c *upcall) {
		c.json(`{"choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":"I will not."},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`)
	})
	for _, model := range []string{"lab/calls", "lab/odds", "lab/no"} {
		body := ask(model, easy, map[string]any{"logprobs": true, "tools": json.RawMessage(weatherTool)})
		var list [2]struct {
			Choices  json.RawMessage
			Usage    json.RawMessage
			Clawless struct{ Cache string }
		}
		for i := range list {
			r.want(200, post(c.Key, body), &list[i])
		}
		if list[1].Clawless.Cache != "hit" || string(list[0].Choices) != string(list[1].Choices) || string(list[0].Usage) != string(list[1].Usage) {
			t.Errorf("%s:\n%s %s\n%s %s", model, list[0].Choices, list[0].Usage, list[1].Choices, list[1].Usage)
		}
	}
}
