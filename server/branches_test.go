package server

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
)

// branch is a message of a session with its place in the tree.
type branch struct {
	ID, Role, Content string
	Sequence, Parent  int64
	Active            bool
	Siblings          int
	Epoch             int64
}

func (r *rig) branches(key, session, query string) (list []branch) {
	r.t.Helper()
	var page struct{ Data []branch }
	r.want(200, request{Path: "/v1/sessions/" + session + "/messages?limit=100&" + query, Key: key}, &page)
	return page.Data
}

func contents(list []branch) string {
	var out []string
	for _, m := range list {
		out = append(out, m.Content)
	}
	return strings.Join(out, "|")
}

// TestRegenerate: an answer is given again beside the one there is, the one that was chosen is the conversation, and an edited question leaves the old one readable.
func TestRegenerate(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		n := 0
		model := r.up.on("again", func(c *upcall) {
			n++
			answer(fmt.Sprint("answer ", n))(c)
		})
		r.turn(acme.Key, ses, model, "one")
		r.turn(acme.Key, ses, model, "two")
		all := r.branches(acme.Key, ses, "")
		again := func(id string) reply {
			return r.want(200, post(acme.Key, map[string]any{"model": model, "session_id": ses, "regenerate": id}), nil)
		}
		again(all[3].ID)
		if got := r.up.calls(model)[2].said(); strings.Join(got, "|") != "user:one|assistant:answer 1|user:two" {
			t.Errorf("the provider got %q", got)
		}
		if got := r.branches(acme.Key, ses, ""); contents(got) != "one|answer 1|two|answer 3" || got[3].Siblings != 2 {
			t.Errorf("the branch is %+v", got)
		}
		if got := r.branches(acme.Key, ses, "branch=all"); contents(got) != "one|answer 1|two|answer 2|answer 3" || got[3].Active || got[3].Parent != got[4].Parent {
			t.Errorf("all are %+v", got)
		}
		r.want(200, request{Method: "POST", Path: "/v1/sessions/" + ses + "/messages/" + all[3].ID + "/select", Key: acme.Key}, nil)
		r.turn(acme.Key, ses, model, "three")
		if got := r.up.calls(model)[3].said(); strings.Join(got, "|") != "user:one|assistant:answer 1|user:two|assistant:answer 2|user:three" {
			t.Errorf("after the choice the provider got %q", got)
		}
		body := ask(model, "two, but better", map[string]any{"session_id": ses, "edit": all[2].ID})
		r.want(200, post(acme.Key, body), nil)
		if got := r.up.calls(model)[4].said(); strings.Join(got, "|") != "user:one|assistant:answer 1|user:two, but better" {
			t.Errorf("after the edit the provider got %q", got)
		}
		if got := r.branches(acme.Key, ses, ""); contents(got) != "one|answer 1|two, but better|answer 5" {
			t.Errorf("the branch is %+v", got)
		}
		for what, bad := range map[string]map[string]any{
			"a stranger's":       {"session_id": ses, "regenerate": "msg_00000000000000000000000000"},
			"one of old":         {"session_id": ses, "regenerate": all[3].ID},
			"edit of an answer":  {"session_id": ses, "edit": all[1].ID, "messages": []any{map[string]any{"role": "user", "content": "x"}}},
			"with messages":      {"session_id": ses, "regenerate": all[1].ID, "messages": []any{map[string]any{"role": "user", "content": "x"}}},
			"both":               {"session_id": ses, "regenerate": all[1].ID, "edit": all[0].ID},
			"without a session":  {"model": model, "regenerate": all[1].ID},
			"edit with no words": {"session_id": ses, "edit": all[0].ID, "messages": []any{}},
		} {
			bad["model"] = model
			if a := r.do(post(acme.Key, bad)); a.status < 400 || a.status >= 500 {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
		if got := r.branches(acme.Key, ses, ""); contents(got) != "one|answer 1|two, but better|answer 5" {
			t.Errorf("what was refused changed the branch: %+v", got)
		}
	})
}

// TestCompare: the same question to several models; the answers are siblings, and the first one that there is goes on.
func TestCompare(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		r.up.on("left", answer("from left"))
		r.up.on("right", answer("from right"))
		r.up.on("broken", refuse(400, "application/json", `{"error":{"message":"no"}}`))
		var got struct {
			MessageID string `json:"message_id"`
			Answers   []struct {
				Model, Content string
				MessageID      string `json:"message_id"`
				Error          *struct{ Code string }
				Clawless       *struct{ Model string }
			}
		}
		q := request{Method: "POST", Path: "/v1/sessions/" + ses + "/compare", Key: acme.Key, Body: map[string]any{"models": []string{"lab/broken", "lab/left", "lab/right"}, "content": "who?"}}
		r.want(200, q, &got)
		if len(got.Answers) != 3 || got.Answers[0].Error == nil || got.Answers[1].Content != "from left" || got.Answers[2].Clawless.Model != "lab/right" {
			t.Fatalf("%+v", got)
		}
		if b := r.branches(acme.Key, ses, ""); contents(b) != "who?|from left" || b[1].Siblings != 2 || b[0].ID != got.MessageID {
			t.Errorf("the branch is %+v", b)
		}
		if said := r.up.calls("right")[0].said(); strings.Join(said, "|") != "user:who?" {
			t.Errorf("the second model got %q", said)
		}
		r.settled(acme, 2)
	})
}

// TestSummary: what a model's window has no room for is summarised by the cheap model, once, and stays readable; the receipt says so and the tenant pays for it.
func TestSummary(t *testing.T) {
	each(t, func(c *config.Settings) { c.AutoWeak = "lab/cheap" }, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		r.up.on("cheap", answer("They spoke of many things."))
		model := r.up.on("org/large", answer(strings.Repeat("word ", 6_000)))
		const turns = 10
		for i := range turns {
			r.turn(acme.Key, ses, model, fmt.Sprint("question ", i, strings.Repeat(" long", 6_000)))
		}
		last := r.up.calls(model)[len(r.up.calls(model))-1].said()
		if len(r.up.calls("cheap")) == 0 || !strings.Contains(last[0], "They spoke of many things.") {
			t.Fatalf("no summary: %d calls, %.80q", len(r.up.calls("cheap")), last)
		}
		var sums struct {
			Data []struct {
				Content, Model string
				UpTo           int64 `json:"up_to"`
				Messages       int64
			}
		}
		r.want(200, request{Path: "/v1/sessions/" + ses + "/summaries", Key: acme.Key}, &sums)
		if len(sums.Data) == 0 || sums.Data[0].Content != "They spoke of many things." || sums.Data[0].Model != "lab/cheap" || sums.Data[0].UpTo == 0 {
			t.Errorf("%+v", sums)
		}
		if all := r.messages(acme.Key, ses, 50); len(all) != 2*turns {
			t.Errorf("%d messages are readable", len(all))
		}
		o := r.see(post(acme.Key, ask(model, "and?", map[string]any{"session_id": ses})))
		if o.receipt.Summarised == 0 {
			t.Errorf("the receipt is %+v", o.receipt)
		}
		// Going back before the summary's end brings the messages themselves back.
		first := r.branches(acme.Key, ses, "")[0]
		r.want(200, post(acme.Key, map[string]any{"model": model, "session_id": ses, "regenerate": first.ID}), nil)
		calls := r.up.calls(model)
		if said := calls[len(calls)-1].said(); len(said) != 1 || !strings.HasPrefix(said[0], "user:question 0") {
			t.Errorf("the provider got %.80q", said)
		}
		r.settled(acme, turns+2+len(r.up.calls("cheap")))
	})
}

// TestTitleByModel: after the first answer the cheap model gives the session a better title than its first words, and never replaces one that somebody chose.
func TestTitleByModel(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"title_model": "lab/titles"})
		r.up.on("titles", answer("\"Moving to Bern\"\nbecause"))
		model := r.up.on("m", answer("ok"))
		ses, own := r.session(acme.Key, nil), r.session(acme.Key, map[string]any{"title": "Mine"})
		r.turn(acme.Key, ses, model, "hello there, I want to move")
		r.turn(acme.Key, own, model, "hello")
		var s struct{ Title, Titled string }
		eventually(t, patience, "a title", func() bool {
			r.want(200, request{Path: "/v1/sessions/" + ses, Key: acme.Key}, &s)
			return s.Titled == "model"
		})
		if s.Title != "Moving to Bern" {
			t.Errorf("%+v", s)
		}
		r.want(200, request{Path: "/v1/sessions/" + own, Key: acme.Key}, &s)
		if s.Title != "Mine" || len(r.up.calls("titles")) != 1 {
			t.Errorf("%+v", s)
		}
		r.turn(acme.Key, ses, model, "more")
		r.settled(acme, 4)
	})
}

// TestEpochByPause: after the tenant's pause a turn starts anew, with a summary of what was before where the tenant wants one, and undo goes back.
func TestEpochByPause(t *testing.T) {
	each(t, func(c *config.Settings) { c.AutoWeak = "lab/cheap" }, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"reset_idle_minutes": 30, "carry_summary": true})
		r.up.on("cheap", answer("Anna moved to Bern."))
		model := r.up.on("m", answer("ok"))
		ses := r.session(acme.Key, nil)
		r.turn(acme.Key, ses, model, "I am Anna and move to Bern")
		r.write(func(ctx context.Context, q db.Querier) error {
			_, err := ageMessages.Exec(ctx, q, db.Args{"by": (31 * time.Minute).Microseconds()})
			return err
		})
		r.s.chat.ForgetSession(acme.ID, ses)
		r.turn(acme.Key, ses, model, "where am I?")
		said := r.up.calls(model)[1].said()
		if len(said) != 1 || !strings.Contains(said[0], "Anna moved to Bern.") || !strings.HasSuffix(said[0], "where am I?") || strings.Contains(said[0], "I am Anna") {
			t.Errorf("the provider got %q", said)
		}
		r.turn(acme.Key, ses, model, "sure?")
		if said := strings.Join(r.up.calls(model)[2].said(), "|"); !strings.Contains(said, "Anna moved to Bern.") || !strings.HasSuffix(said, "assistant:ok|user:sure?") {
			t.Errorf("the provider got %q", said)
		}
		var s struct{ Epoch int64 }
		r.want(200, request{Method: "POST", Path: "/v1/sessions/" + ses + "/undo", Key: acme.Key}, &s)
		if s.Epoch != 1 {
			t.Errorf("after undo: %+v", s)
		}
		r.settled(acme, 4)
	})
}

// TestSessionsSpeak: a session asks another one by a tool, and one that it spawns; the answer, the mark, the cost and the bounds.
func TestSessionsSpeak(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"server_tools": []string{"sessions_*", "file_*"}, "session_visibility": "tenant"})
		other := r.session(acme.Key, map[string]any{"model": "lab/other"})
		r.up.on("other", answer("I am the other"))
		// What it is told is another session's words, so it may not write without a person, from its first step on.
		child := r.up.on("child", inTurn(func(c *upcall) { c.want("file_write", `{"path":"x.txt","content":"x"}`) }, answer("seven")))
		model := r.up.on("asks", inTurn(func(c *upcall) { c.want("sessions_send", `{"session_id":"`+other+`","message":"who are you?"}`) }, answer("It is the other.")))
		ses := r.session(acme.Key, nil)
		r.turn(acme.Key, ses, model, "ask it")
		said := r.up.calls(model)[1].said()
		if last := said[len(said)-1]; !strings.Contains(last, "I am the other") {
			t.Errorf("the model got %q", last)
		}
		got := r.up.calls("other")
		if len(got) != 1 || !strings.Contains(got[0].said()[0], "who are you?") || got[0].said()[0] == "user:who are you?" { // it is marked as no person's
			t.Fatalf("the other was asked %d times", len(got))
		}
		spawner := r.up.on("spawns", inTurn(func(c *upcall) { c.want("sessions_spawn", `{"task":"count the days","model":"lab/child"}`) }, answer("seven days")))
		parent := r.session(acme.Key, nil)
		o := r.see(post(acme.Key, ask(spawner, "count", map[string]any{"session_id": parent, "server_tools": []string{"sessions_spawn", "file_*"}})))
		if o.said != "seven days" || o.receipt.BesideTokens < 15 {
			t.Errorf("%s", o.body)
		}
		if got := r.up.calls(child)[1].said(); !strings.HasPrefix(got[len(got)-1], "tool:refused: this turn has read") || r.up.calls(child)[0].offered() == "" || strings.Contains(r.up.calls(child)[0].offered(), "sessions_list") {
			t.Errorf("the child was offered %q and got %q", r.up.calls(child)[0].offered(), got)
		}
		var list struct {
			Data []struct {
				ID       string
				ParentID string `json:"parent_id"`
				Depth    int
			}
		}
		r.want(200, request{Path: "/v1/sessions?parent=" + parent, Key: acme.Key}, &list)
		if len(list.Data) != 1 || list.Data[0].Depth != 1 {
			t.Errorf("children: %+v", list)
		}
		r.settled(acme, 7)
	})
}
