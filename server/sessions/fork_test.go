package sessions_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tool"
)

// TestEpochs: a reset keeps what was said and what is carried over, undo returns to the branch as it was, and a second reset does not take the first one's number.
func TestEpochs(t *testing.T) {
	each(t, func(r *rig) {
		s := r.session(nil)
		r.say(s.ID, "one", "two")
		change := func(fn func(q db.Querier) (sessions.Session, error)) (got sessions.Session) {
			r.Helper()
			r.write(func(q db.Querier) (err error) { got, err = fn(q); return err })
			return got
		}
		reset := func(reason, carry string) sessions.Session {
			return change(func(q db.Querier) (sessions.Session, error) {
				return sessions.Reset(r.ctx(), q, r.t, "", s.ID, reason, carry, r.tick())
			})
		}
		undo := func() sessions.Session {
			return change(func(q db.Querier) (sessions.Session, error) {
				return sessions.Undo(r.ctx(), q, r.t, "", s.ID, r.tick())
			})
		}
		at := func(got sessions.Session, epoch, last, head int64) {
			r.Helper()
			if got.Epoch != epoch || got.LastEpoch != last || got.Head != head {
				r.Fatalf("epoch %d of %d with head %d, want %d of %d with %d", got.Epoch, got.LastEpoch, got.Head, epoch, last, head)
			}
		}
		at(reset(sessions.Asked, "we spoke of numbers"), 2, 2, 0)
		r.holds(s.ID, "we spoke of numbers")
		r.say(s.ID, "three")
		at(r.get(s.ID), 2, 2, 3)
		at(undo(), 1, 2, 2)
		r.holds(s.ID, "")
		at(reset(sessions.Idle, ""), 3, 3, 0)
		at(undo(), 1, 3, 2)
		if err := r.d.Write(r.ctx(), func(q db.Querier) error { _, err := sessions.Undo(r.ctx(), q, r.t, "", s.ID, r.tick()); return err }); !fault.Is(err, fault.Conflict) {
			r.Errorf("the first epoch was undone: %v", err)
		}
		var got []string
		r.read(func(q db.Querier) error {
			list, err := sessions.Epochs(r.ctx(), q, r.t, s.ID, 0, 10)
			for _, e := range list {
				got = append(got, fmt.Sprintf("%d %d %s %d", e.Epoch, e.Previous, e.Reason, e.Messages))
			}
			return err
		})
		if want := []string{"1 0 start 2", "2 1 reset 1", "3 1 idle 0"}; !reflect.DeepEqual(got, want) {
			r.Errorf("epochs %q, want %q", got, want)
		}
	})
}

// holds demands the summary that stands for older messages; an empty text is none.
func (r *rig) holds(id, want string) {
	r.Helper()
	r.read(func(q db.Querier) error {
		got, ok, err := sessions.HoldingSummary(r.ctx(), q, r.t, r.get(id))
		if got.Content != want || ok != (want != "") {
			r.Errorf("the summary is %q (%v), want %q", got.Content, ok, want)
		}
		return err
	})
}

// TestSummaries: the newest whose last message is in the branch holds, and one holds again when its branch is continued again.
func TestSummaries(t *testing.T) {
	each(t, func(r *rig) {
		s := r.session(nil)
		r.say(s.ID, "one", "two", "three", "four")
		add := func(from, to int64, text string) {
			r.write(func(q db.Querier) error {
				sum := sessions.Summary{SessionID: s.ID, Epoch: 1, FromSequence: from, UpTo: to, Messages: to, Content: text, Model: "lab/m", Taint: []tool.Taint{{Kind: tool.FromWeb, Source: "https://a.example.com"}}}
				return sessions.AddSummary(r.ctx(), q, r.t, &sum, r.tick())
			})
		}
		r.holds(s.ID, "")
		before := r.get(s.ID).Version
		add(1, 2, "of two")
		add(1, 4, "of four")
		if after := r.get(s.ID).Version; after != before+2 {
			r.Errorf("version %d after %d: the cache would not see the summaries", after, before)
		}
		r.holds(s.ID, "of four")
		r.write(func(q db.Querier) error { _, err := sessions.Rewind(r.ctx(), q, r.t, s.ID, 3, r.tick()); return err })
		r.holds(s.ID, "of two")
		other := r.say(s.ID, "another four")
		r.holds(s.ID, "of two")
		r.write(func(q db.Querier) error { _, err := sessions.Rewind(r.ctx(), q, r.t, s.ID, 1, r.tick()); return err })
		r.holds(s.ID, "")
		r.write(func(q db.Querier) error {
			_, err := sessions.Select(r.ctx(), q, r.t, "", s.ID, other[0].ID, r.tick())
			return err
		})
		r.holds(s.ID, "of two")
		r.read(func(q db.Querier) error {
			list, err := sessions.Summaries(r.ctx(), q, r.t, s.ID, "", 10)
			if len(list) != 2 || list[0].Taint[0].Source != "https://a.example.com" || list[1].Content != "of four" {
				r.Errorf("summaries %+v", list)
			}
			return err
		})
	})
}

// TestFork: the copy has the branch up to the message with all that was said, done and marked in it, the summary that holds there, and numbers of its own; the session stays.
func TestFork(t *testing.T) {
	each(t, func(r *rig) {
		s := r.session(func(s *sessions.Session) {
			s.EndUser, s.Model, s.Depth, s.ParentID, s.Tools = "u1", "lab/m", 1, "ses_parent", &sessions.Narrowing{Allow: []string{}, Deny: []string{"x*"}}
			s.Metadata["k"] = "v"
		})
		said := r.say(s.ID, "one", "two", "three", "four")
		r.write(func(q db.Querier) error { _, err := sessions.Rewind(r.ctx(), q, r.t, s.ID, 1, r.tick()); return err })
		r.write(func(q db.Querier) error {
			call := llm.ToolCall{ID: "c1"}
			call.Function.Name, call.Function.Arguments = "look", `{"a":1}`
			for _, m := range []sessions.Message{{Role: "assistant", ToolCalls: []llm.ToolCall{call}, Model: "lab/m", RunID: "run_1", InputTokens: 3, Reasoning: "hm"},
				{Role: "tool", ToolCallID: "c1", Content: llm.Text("found"), Taint: []tool.Taint{{Kind: tool.FromWeb, Source: "https://a.example.com"}}},
				{Role: "assistant", Content: llm.Text("so"), FinishReason: "stop"}, {Role: "user", Content: json.RawMessage(`[{"type":"text","text":"last"}]`), Origin: "ses_x"}} {
				m.ID, m.SessionID = ids.New(ids.Message), s.ID
				if err := sessions.Append(r.ctx(), q, r.t, &m, r.tick()); err != nil {
					return err
				}
			}
			for _, sum := range []sessions.Summary{{Epoch: 1, FromSequence: 1, UpTo: 5, Content: "up to the call"}, {Epoch: 1, FromSequence: 1, UpTo: 8, Content: "all"}, {Epoch: 1, FromSequence: 1, UpTo: 3, Content: "the other branch"}} {
				sum.SessionID = s.ID
				if err := sessions.AddSummary(r.ctx(), q, r.t, &sum, r.tick()); err != nil {
					return err
				}
			}
			return nil
		})
		before := r.get(s.ID)
		fork, err := sessions.Fork(r.ctx(), r.d, r.t, "u1", s.ID, sessions.Forking{Sequence: 7, ExternalID: "mine"}, r.tick())
		if err != nil {
			r.Fatal(err)
		}
		r.sameBranch(s.ID, fork.ID, []int64{1, 5, 6, 7})
		r.holds(fork.ID, "up to the call")
		if fork.ForkedFrom != s.ID || fork.ForkedAt != 7 || fork.Title != "one" || fork.Titled != sessions.ByWords || fork.EndUser != "u1" || fork.Depth != 1 || fork.ParentID != "" ||
			fork.Metadata["k"] != "v" || fork.ExternalID != "mine" || !reflect.DeepEqual(fork.Tools, s.Tools) || fork.Head != 4 || fork.LastSequence != 4 {
			r.Errorf("the fork: %+v", fork)
		}
		if after := r.get(s.ID); !reflect.DeepEqual(before, after) {
			r.Errorf("the session changed from %+v to %+v", before, after)
		}
		inactive, err := sessions.Fork(r.ctx(), r.d, r.t, "", s.ID, sessions.Forking{MessageID: said[2].ID, Title: "Another"}, r.tick())
		if err != nil || inactive.Title != "Another" {
			r.Fatal(err, inactive)
		}
		r.sameBranch(s.ID, inactive.ID, []int64{1, 2, 3})
		r.holds(inactive.ID, "the other branch")
		if got := r.say(inactive.ID, "on"); got[0].Sequence != 4 || got[0].Parent != 3 {
			r.Errorf("the fork goes on with %+v", got[0])
		}
		r.refusesForks(s.ID)
	})
}

// refusesForks demands that nobody forks another's session, from no message, or under an external id that is taken.
func (r *rig) refusesForks(id string) {
	r.Helper()
	for who, f := range map[string]sessions.Forking{"another's": {}, "no message": {Sequence: 99}, "no id": {MessageID: "msg_none"}, "taken": {ExternalID: "mine"}} {
		owner, want := "u1", fault.NotFound
		if who == "another's" {
			owner = "u2"
		}
		if who == "taken" {
			want = fault.Conflict
		}
		if _, err := sessions.Fork(r.ctx(), r.d, r.t, owner, id, f, r.tick()); !fault.Is(err, want) {
			r.Errorf("%s: %v", who, err)
		}
	}
}

// sameBranch demands that a fork's messages are those of the session's sequences, but for what numbers them.
func (r *rig) sameBranch(from, fork string, sequences []int64) {
	r.Helper()
	all, got := r.all(from), r.all(fork)
	if len(got) != len(sequences) {
		r.Fatalf("%d messages, want %d", len(got), len(sequences))
	}
	for i, m := range got {
		want := all[sequences[i]-1]
		if m.ID == want.ID || m.Sequence != int64(i)+1 || m.Parent != int64(i) || !m.Active || m.Epoch != 1 || m.RunID != "" {
			r.Errorf("message %d: %+v", i+1, m)
		}
		m.ID, m.SessionID, m.Sequence, m.Parent, m.RunID, m.Active, m.Siblings = want.ID, want.SessionID, want.Sequence, want.Parent, want.RunID, want.Active, want.Siblings
		if !reflect.DeepEqual(m, want) {
			r.Errorf("message %d:\n%+v, want\n%+v", i+1, m, want)
		}
	}
}

// TestBuildingIsInvisible: a session that is being put together is in no list and no search, takes no message, and a sweep removes it when its server died.
func TestBuildingIsInvisible(t *testing.T) {
	each(t, func(r *rig) {
		s := sessions.New(r.t.ID(), r.tick())
		s.Title, s.ExternalID = "hidden title", "ext"
		b, err := sessions.Build(r.ctx(), r.d, s)
		if err != nil {
			r.Fatal(err)
		}
		for i := range 150 {
			m := sessions.Message{ID: ids.New(ids.Message), Sequence: int64(i) + 1, Parent: int64(i), Epoch: 1, Active: true, Role: "user", Content: llm.Text("hidden words"), CreatedAt: db.At(r.now)}
			if err := b.Add(r.ctx(), m); err != nil {
				r.Fatal(err)
			}
		}
		r.read(func(q db.Querier) error {
			if _, err := sessions.Get(r.ctx(), q, r.t, "", s.ID); !fault.Is(err, fault.NotFound) {
				r.Errorf("it can be read: %v", err)
			}
			for _, by := range []sessions.Query{{Limit: 9}, {Limit: 9, ExternalID: "ext"}, {Limit: 9, Search: "hidden"}} {
				if list, err := sessions.List(r.ctx(), q, r.t, by); err != nil || len(list) != 0 {
					r.Errorf("%+v lists it: %v %v", by, list, err)
				}
			}
			return nil
		})
		err = r.d.Write(r.ctx(), func(q db.Querier) error {
			return sessions.Append(r.ctx(), q, r.t, &sessions.Message{ID: "msg_x", SessionID: s.ID, Role: "user"}, r.now)
		})
		if !fault.Is(err, fault.NotFound) {
			r.Errorf("it takes a message: %v", err)
		}
		sweep := func(at time.Time) (n int64) {
			r.write(func(q db.Querier) (err error) { n, err = sessions.Sweep(r.ctx(), q, at); return err })
			return n
		}
		if early, late := sweep(r.now.Add(time.Minute)), sweep(r.now.Add(2*time.Hour)); early != 0 || late != 1 {
			r.Errorf("swept %d early and %d late", early, late)
		}
	})
}

// TestTitles: a model's title takes the place of the first words, never of the caller's.
func TestTitles(t *testing.T) {
	each(t, func(r *rig) {
		s := r.session(nil)
		give := func(title, by string) (done bool) {
			r.write(func(q db.Querier) (err error) {
				done, err = sessions.Title(r.ctx(), q, r.t, s.ID, title, by)
				return err
			})
			return done
		}
		check := func(done bool, isDone bool, title, by string) {
			r.Helper()
			if got := r.get(s.ID); done != isDone || got.Title != title || got.Titled != by {
				r.Errorf("done %v, %q by %q; want %v, %q by %q", done, got.Title, got.Titled, isDone, title, by)
			}
		}
		r.say(s.ID, "first words")
		check(false, false, "first words", sessions.ByWords)
		check(give("other words", sessions.ByWords), false, "first words", sessions.ByWords)
		check(give("a model's", sessions.ByModel), true, "a model's", sessions.ByModel)
		check(give("again", sessions.ByModel), false, "a model's", sessions.ByModel)
		r.say(s.ID, "later words")
		check(false, false, "a model's", sessions.ByModel)
		set := func(title string) {
			r.write(func(q db.Querier) error {
				_, err := sessions.Update(r.ctx(), q, r.t, "", s.ID, sessions.Change{Title: &title}, r.tick())
				return err
			})
		}
		set("mine")
		check(give("a model's", sessions.ByModel), false, "mine", sessions.ByCaller)
		set("")
		check(give("a model's again", sessions.ByModel), true, "a model's again", sessions.ByModel)
	})
}
