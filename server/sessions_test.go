package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/config"
)

// said is a message of a session as its owner reads it.
type said struct {
	ID           string
	Sequence     int64
	Epoch        int64
	Role         string
	Content      any
	RunID        string `json:"run_id"`
	Model        string
	FinishReason string `json:"finish_reason"`
	ToolCalls    []any  `json:"tool_calls"`
}

// messages reads a whole session page by page and demands that no message is repeated or missed.
func (r *rig) messages(key, session string, limit int) []said {
	r.t.Helper()
	var all []said
	cursor := ""
	for {
		var page struct {
			Data []said
			More bool    `json:"has_more"`
			Next *string `json:"next_cursor"`
		}
		r.want(200, request{Path: fmt.Sprintf("/v1/sessions/%s/messages?limit=%d&cursor=%s", session, limit, cursor), Key: key}, &page)
		all = append(all, page.Data...)
		if page.More != (page.Next != nil) {
			r.t.Fatalf("has_more %v, next_cursor %v", page.More, page.Next)
		}
		if !page.More {
			break
		}
		cursor = *page.Next
	}
	for i, m := range all {
		if m.Sequence != int64(i)+1 {
			r.t.Fatalf("message %d has the sequence %d", i+1, m.Sequence)
		}
	}
	return all
}

func (r *rig) turn(key, session, model, words string) reply {
	r.t.Helper()
	return r.want(200, post(key, ask(model, words, map[string]any{"session_id": session})), nil)
}

// TestConcurrentTurns: turns that come at once are answered one after the other, each with everything before it in its context.
func TestConcurrentTurns(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		const n = 12
		var mu sync.Mutex
		var contexts [][]string
		busy := 0
		model := r.up.on("turns", func(c *upcall) {
			mu.Lock()
			busy++
			if busy != 1 {
				t.Errorf("%d turns of one session at the provider at once", busy)
			}
			contexts = append(contexts, c.said())
			mu.Unlock()
			words := c.said()
			c.text("re " + strings.TrimPrefix(words[len(words)-1], "user:"))
			mu.Lock()
			busy--
			mu.Unlock()
			c.finish("stop", 1, 1)
		})
		replica := r.replica()
		var wg sync.WaitGroup
		for i := range n {
			on := []*rig{r, replica}[i%2]
			wg.Go(func() { on.turn(acme.Key, ses, model, fmt.Sprint("q", i)) })
		}
		wg.Wait()
		for i, c := range contexts {
			if len(c) != 2*i+1 {
				t.Errorf("turn %d saw %d messages: %q", i, len(c), c)
			}
		}
		all := r.messages(acme.Key, ses, 5)
		for i := 0; i < len(all); i += 2 {
			if all[i].Role != "user" || all[i+1].Role != "assistant" || all[i+1].Content != "re "+all[i].Content.(string) || all[i].RunID == "" || all[i].RunID != all[i+1].RunID {
				t.Errorf("messages %d and %d do not belong together: %+v %+v", i+1, i+2, all[i], all[i+1])
			}
		}
		if len(all) != 2*n {
			t.Errorf("%d messages", len(all))
		}
	})
}

// TestTurnsInOrder: turns that wait for one another get their turn in the order in which they came, and one that has waited too long is told so.
func TestTurnsInOrder(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.SessionWait = 20 * time.Second })
	acme := r.tenant("acme", nil)
	ses := r.session(acme.Key, nil)
	ahead := make(chan struct{})
	model := r.up.on("first", func(c *upcall) {
		if c.until(ahead) {
			answer("done")(c)
		}
	})
	var wg sync.WaitGroup
	const n = 6
	for i := range n {
		wg.Go(func() { r.turn(acme.Key, ses, model, fmt.Sprint("q", i)) })
		// The next one comes when this one is in its place.
		eventually(t, patience, "the turn is in the queue", func() bool { return r.s.chat.Waiting(acme.ID, ses) == i+1 })
	}
	close(ahead)
	wg.Wait()
	var asked []string
	for _, m := range r.messages(acme.Key, ses, 50) {
		if m.Role == "user" {
			asked = append(asked, m.Content.(string))
		}
	}
	if got := strings.Join(asked, " "); got != "q0 q1 q2 q3 q4 q5" {
		t.Errorf("order: %s", got)
	}
}

func TestSessionBusy(t *testing.T) {
	each(t, func(c *config.Settings) { c.SessionWait = 300 * time.Millisecond }, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		ahead := make(chan struct{})
		defer close(ahead)
		model := r.up.on("long", func(c *upcall) {
			c.text("begun")
			if c.until(ahead) {
				c.finish("stop", 1, 1)
			}
		})
		f := r.stream(post(acme.Key, ask(model, "x", map[string]any{"session_id": ses, "stream": true})))
		f.next()
		for _, on := range []*rig{r, r.replica()} {
			start := time.Now()
			a := on.want(409, post(acme.Key, ask(model, "y", map[string]any{"session_id": ses})), nil)
			if a.problem(t).Code != "session_busy" || a.header.Get("Retry-After") == "" {
				t.Errorf("%s, Retry-After %q", a.body, a.header.Get("Retry-After"))
			}
			if took := time.Since(start); took < 250*time.Millisecond {
				t.Errorf("it did not wait: %s", took)
			}
		}
		if n := len(r.messages(acme.Key, ses, 50)); n != 1 {
			t.Errorf("%d messages: a turn that was refused must leave none", n)
		}
	})
}

// TestMemory: what a turn is given: instructions by precedence, the history since the last reset, and a turn's own system message for that turn alone.
func TestMemory(t *testing.T) {
	each(t, func(c *config.Settings) { c.SystemPrompt = "server's" }, func(t *testing.T, r *rig) {
		plain, own := r.tenant("plain", nil), r.tenant("own", map[string]any{"system_prompt": "tenant's"})
		model := r.up.on("memory", answer("noted"))
		last := func() string {
			calls := r.up.calls(model)
			return strings.Join(calls[len(calls)-1].said(), "|")
		}
		check := func(want string) {
			t.Helper()
			if got := last(); got != want {
				t.Errorf("the provider got\n %s\nwant\n %s", got, want)
			}
		}
		ses := r.session(plain.Key, nil)
		r.turn(plain.Key, ses, model, "one")
		check("system:server's|user:one")
		second := r.session(own.Key, nil)
		r.turn(own.Key, second, model, "one")
		check("system:tenant's|user:one")
		third := r.session(own.Key, map[string]any{"system_prompt": "session's", "model": model})
		r.want(200, post(own.Key, map[string]any{"session_id": third, "messages": []any{map[string]any{"role": "system", "content": "turn's"}, map[string]any{"role": "user", "content": "one"}}}), nil)
		check("system:session's\n\nturn's|user:one")
		r.turn(own.Key, third, "default", "two")
		check("system:session's|user:one|assistant:noted|user:two")
		r.want(200, request{Method: "POST", Path: "/v1/sessions/" + third + "/reset", Key: own.Key}, nil)
		r.turn(own.Key, third, "", "three")
		check("system:session's|user:three")
		if all := r.messages(own.Key, third, 2); len(all) != 6 || all[4].Content != "three" || all[4].Epoch != all[0].Epoch+1 {
			t.Errorf("after a reset the messages stay readable: %+v", all)
		}
		r.want(200, request{Method: "PATCH", Path: "/v1/sessions/" + third, Key: own.Key, Body: `{"system_prompt":""}`}, nil)
		r.turn(own.Key, third, "", "four")
		check("system:tenant's|user:three|assistant:noted|user:four")
	})
}

// TestToolsInSession: calls, their results and what follows; results that answer nothing are refused and leave nothing behind.
func TestToolsInSession(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		calls := `[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"b\":1}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]`
		caller := r.up.on("caller", func(c *upcall) {
			c.json(`{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":` + calls + `},"finish_reason":"tool_calls"}]}`)
		})
		plain := r.up.on("plain", answer("done"))
		send := func(status int, messages string) reply {
			t.Helper()
			return r.want(status, post(acme.Key, `{"model":"`+plain+`","session_id":"`+ses+`","messages":`+messages+`}`), nil)
		}
		r.turn(acme.Key, ses, caller, "use them")
		for _, bad := range []string{`[{"role":"tool","tool_call_id":"c1","content":"1"}]`, `[{"role":"tool","tool_call_id":"c9","content":"1"}]`,
			`[{"role":"tool","tool_call_id":"c1","content":"1"},{"role":"tool","tool_call_id":"c2","content":"2"},{"role":"tool","tool_call_id":"c3","content":"3"}]`,
			`[{"role":"user","content":"x"},{"role":"tool","tool_call_id":"c1","content":"1"},{"role":"tool","tool_call_id":"c2","content":"2"}]`,
			`[{"role":"assistant","content":"I say"},{"role":"user","content":"x"}]`, `[{"role":"system","content":"alone"}]`} {
			send(400, bad)
		}
		if all := r.messages(acme.Key, ses, 50); len(all) != 2 || len(all[1].ToolCalls) != 2 || all[1].Content != nil || all[1].FinishReason != "tool_calls" {
			t.Fatalf("messages: %+v", all)
		}
		send(200, `[{"role":"tool","tool_call_id":"c2","content":"2"},{"role":"tool","tool_call_id":"c1","content":"1"}]`)
		got := r.up.calls(plain)[0]
		if s := strings.Join(got.said(), "|"); s != "user:use them|assistant:null|tool:1|tool:2" || !strings.Contains(string(got.raw), `"arguments":"{\"b\":1}"`) {
			t.Errorf("the provider got %s: %s", s, got.raw)
		}
		send(400, `[{"role":"tool","tool_call_id":"c1","content":"again"}]`)
		r.turn(acme.Key, ses, caller, "again")
		r.turn(acme.Key, ses, plain, "never mind") // the calls stay open, and no provider would take them so
		if s := strings.Join(r.up.calls(plain)[1].said(), "|"); s != "user:use them|assistant:null|tool:1|tool:2|assistant:done|user:again\n\nnever mind" {
			t.Errorf("the provider got %s", s)
		}
	})
}

// TestSessionTitle: the first words of the first user message, or what the caller chose.
func TestSessionTitle(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	model := r.up.on("any", answer("ok"))
	for words, want := range map[string]string{"  hello\n\tworld ": "hello world", strings.Repeat("wörter ", 20): "wörter wörter wörter wörter wörter wörter wörter wörter…", strings.Repeat("x", 80): strings.Repeat("x", 60) + "…"} {
		ses := r.session(acme.Key, nil)
		r.turn(acme.Key, ses, model, words)
		r.turn(acme.Key, ses, model, "later")
		var s struct {
			Title string
			Count int `json:"message_count"`
		}
		r.want(200, request{Path: "/v1/sessions/" + ses, Key: acme.Key}, &s)
		if s.Title != want || s.Count != 4 {
			t.Errorf("title %q of %q, %d messages", s.Title, words, s.Count)
		}
	}
	ses := r.session(acme.Key, map[string]any{"title": "mine"})
	a := r.turn(acme.Key, ses, model, "words")
	if !strings.Contains(string(r.do(request{Path: "/v1/sessions/" + ses, Key: acme.Key}).body), `"title":"mine"`) {
		t.Error("a chosen title was replaced")
	}
	if !strings.Contains(string(a.body), `"session_id":"`+ses+`"`) {
		t.Errorf("the receipt does not name the session: %s", a.body)
	}
}

// TestSessionPaging: lists newest first, page by page without repeats or holes, also while they grow; foreign cursors are refused or see nothing foreign.
func TestSessionPaging(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme, other := r.tenant("acme", nil), r.tenant("other", nil)
		var made []string
		for range 23 {
			made = append(made, r.session(acme.Key, map[string]any{"user": "u1"}))
		}
		r.session(other.Key, nil)
		var seen []string
		cursor, grown := "", false
		for {
			var page struct {
				Data []struct{ ID string }
				Next *string `json:"next_cursor"`
			}
			r.want(200, request{Path: "/v1/sessions?limit=5&user=u1&cursor=" + cursor, Key: acme.Key}, &page)
			for _, s := range page.Data {
				seen = append(seen, s.ID)
			}
			if !grown {
				grown = true
				r.session(acme.Key, map[string]any{"user": "u1"})
			}
			if page.Next == nil {
				break
			}
			cursor = *page.Next
			r.want(200, request{Path: "/v1/sessions?limit=5&cursor=" + cursor, Key: other.Key}, nil)
		}
		slices.Reverse(made)
		if !slices.Equal(seen, made) {
			t.Errorf("%d sessions seen, %d made, or in another order", len(seen), len(made))
		}
		for _, bad := range []string{"x", "dDE", "bjE", strings.Repeat("A", 100), "dC0x", "%00"} {
			if a := r.do(request{Path: "/v1/sessions?cursor=" + bad, Key: acme.Key}); a.status != 400 {
				t.Errorf("cursor %s: %d %s", bad, a.status, a.body)
			}
		}
	})
}

// TestSessionChangesAtOnce: changes of different settings, and turns meanwhile, lose nothing of one another.
func TestSessionChangesAtOnce(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		model := r.up.on("any", answer("ok"))
		for round := range 5 {
			ses := r.session(acme.Key, nil)
			var wg sync.WaitGroup
			for _, body := range []string{`{"model":"lab/x"}`, `{"system_prompt":"p"}`, `{"metadata":{"a":"b"}}`} {
				wg.Go(func() {
					r.want(200, request{Method: "PATCH", Path: "/v1/sessions/" + ses, Key: acme.Key, Body: body}, nil)
				})
			}
			wg.Go(func() { r.turn(acme.Key, ses, model, "first words") })
			wg.Wait()
			got := string(r.do(request{Path: "/v1/sessions/" + ses, Key: acme.Key}).body)
			for _, want := range []string{`"title":"first words"`, `"model":"lab/x"`, `"system_prompt":"p"`, `"metadata":{"a":"b"}`, `"message_count":2`} {
				if !strings.Contains(got, want) {
					t.Errorf("round %d lacks %s: %s", round, want, got)
				}
			}
		}
		ses := r.session(acme.Key, nil)
		r.want(422, request{Method: "PATCH", Path: "/v1/sessions/" + ses, Key: acme.Key, Body: map[string]any{"metadata": map[string]string{"k": strings.Repeat("x", 3000)}}}, nil)
		r.want(422, request{Method: "POST", Path: "/v1/sessions", Key: acme.Key, Body: map[string]any{"metadata": map[string]string{strings.Repeat("x", 65): ""}}}, nil)
	})
}

// TestDeleteWhileRunning: a session that is deleted under its run takes its messages along and stops the run, whose end is told and whose tokens are billed; nothing comes back.
func TestDeleteWhileRunning(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		ahead := make(chan struct{})
		model := r.up.on("late", func(c *upcall) {
			c.text("one ")
			if c.until(ahead) {
				c.text("two")
				c.finish("stop", 5, 2)
			}
		})
		f := r.stream(post(acme.Key, ask(model, "x", map[string]any{"session_id": ses, "stream": true})))
		f.next()
		r.want(http.StatusNoContent, request{Method: "DELETE", Path: "/v1/sessions/" + ses, Key: acme.Key}, nil)
		defer close(ahead)
		frames := f.rest()
		if end := frames[len(frames)-1]; !strings.Contains(end.Data, "run_cancelled") {
			t.Errorf("the stream ends with %s", end.Data)
		}
		r.want(404, request{Path: "/v1/sessions/" + ses + "/messages", Key: acme.Key}, nil)
		if rows := r.settled(acme, 1); rows[0].Output != 1 || rows[0].Outcome != "cancelled" {
			t.Errorf("ledger: %+v", rows)
		}
		r.want(404, post(acme.Key, ask(model, "x", map[string]any{"session_id": ses})), nil)
	})
}
