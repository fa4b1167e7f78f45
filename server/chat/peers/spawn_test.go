package peers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tool"
)

func (r *rig) get(id string) (s sessions.Session, err error) {
	err = r.db.Read(r.t.Context(), func(q db.Querier) error {
		s, err = sessions.Get(r.t.Context(), q, db.TenantOf(r.a), "", id)
		return err
	})
	return s, err
}

// TestSpawn: the new session is the parent's in all that matters, its first turn is a child of the turn, and what came of it is returned.
func TestSpawn(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		parent := r.session(func(s *sessions.Session) {
			s.EndUser, s.Model, s.Thinking, s.SystemPrompt, s.ExternalID = "u1", "mock/echo", "high", "be brief", "x1"
			s.Metadata, s.Tools = map[string]string{"secret": "1"}, &sessions.Narrowing{Allow: []string{"sessions_*", "time_now"}, Deny: []string{"sessions_send"}}
		})
		r.reply = func(context.Context, Send, string) Sent {
			return Sent{Status: string(runs.Completed), Text: "four", Tokens: 30, CostMicros: 7}
		}
		c := r.call(parent, args{"task": "count the corners of a square", "title": "corners", "tools": []string{"time_now"}, "wait_seconds": 33})
		c.Hops = 2
		var o wireOutcome
		result := r.must(NameSpawn, c, &o)
		if o.Status != "completed" || o.Answer != "four" || o.Tokens != 30 || o.CostMicros != 7 || o.Archived || !ids.Valid(ids.Run, o.RunID) {
			t.Errorf("%s", result.Text)
		}
		if result.CostMicros != 0 || !slices.Equal(result.Taints, []tool.Taint{{Kind: tool.FromSession, Source: o.SessionID}}) {
			t.Errorf("cost %d beside the model, taints %v", result.CostMicros, result.Taints)
		}
		child, err := r.get(o.SessionID)
		if err != nil {
			t.Fatal(err)
		}
		if child.ParentID != parent.ID || child.Depth != 1 || child.EndUser != "u1" || child.Model != "mock/echo" || child.Thinking != "high" || child.SystemPrompt != "be brief" ||
			child.Title != "corners" || child.ExternalID != "" || len(child.Metadata) != 0 || fmt.Sprint(*child.Tools) != "{[time_now] [sessions_send]}" {
			t.Errorf("%+v, tools %v", child, child.Tools)
		}
		s := r.begun[0]
		if !s.Child || s.Hops != 2 || s.Wait != 33*time.Second || s.Key != "" || s.From.RunID != c.RunID || !strings.HasPrefix(s.Text, "[Task from session "+parent.ID) ||
			!strings.HasSuffix(s.Text, "\n\ncount the corners of a square") {
			t.Errorf("sent %+v", s)
		}
		r.must(NameSpawn, r.call(parent, args{"task": "a task of many words without a title", "model": "mock/small", "archive": true}), &o)
		if child, err = r.get(o.SessionID); err != nil || child.Model != "mock/small" || child.Title != "a task of many words without a title" || child.ArchivedAt.IsZero() || !o.Archived ||
			fmt.Sprint(*child.Tools) != fmt.Sprint(*parent.Tools) {
			t.Errorf("%+v, %v", child, err)
		}
		r.must(NameSpawn, r.call(parent, args{"task": "no tools", "tools": []string{}}), &o)
		if child, err = r.get(o.SessionID); err != nil || child.Tools == nil || child.Tools.Allow == nil || len(child.Tools.Allow) != 0 {
			t.Errorf("no tools are %v, %v", child.Tools, err)
		}
	})
}

// TestSpawnRefused: a start that fails leaves no session, nobody chooses what may not be chosen, and another tenant's session spawns nothing.
func TestSpawnRefused(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		parent := r.session(func(s *sessions.Session) { s.Tools = &sessions.Narrowing{Allow: []string{"time_*"}} })
		r.refuse = func(Send) error { return fault.New(fault.QuotaExceeded, "no budget") }
		for range 5 { // a failed start takes no place
			r.refused(NameSpawn, r.call(parent, args{"task": "x"}), fault.QuotaExceeded)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		r.refuse = func(Send) error {
			cancel()
			return context.Canceled
		}
		if _, err := r.do(cancelled, NameSpawn, r.call(parent, args{"task": "x"}), new(any)); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled turn: %v", err)
		}
		var l wireList
		if r.must(NameList, r.call(parent, args{"archived": true}), &l); len(l.Sessions) != 1 {
			t.Errorf("left behind: %+v", l.Sessions)
		}
		r.refuse, r.asked = nil, nil
		if words := r.refused(NameSpawn, r.call(parent, args{"task": "x", "tools": []string{"time_now", "http_fetch"}}), fault.Forbidden); !strings.Contains(words, "http_fetch") {
			t.Errorf("a model is told %q", words)
		}
		visitor := r.session(func(s *sessions.Session) { s.EndUser = ids.New(ids.Visitor) })
		r.refused(NameSpawn, r.call(visitor, args{"task": "x", "model": "mock/dear"}), fault.Forbidden)
		stolen := r.call(parent, args{"task": "x"})
		stolen.TenantID = r.b
		r.refused(NameSpawn, stolen, fault.NotFound)
		if len(r.asked) != 0 {
			t.Errorf("%d turns were asked for", len(r.asked))
		}
		r.must(NameSpawn, r.call(visitor, args{"task": "x"}), new(wireOutcome))
	})
}

// TestSpawnBounds: a session has three children that are not archived, whoever spawns at once, and the tree is three levels deep.
func TestSpawnBounds(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		parent := r.session(nil)
		spawn := func() (born []string) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for range 12 {
				wg.Go(func() {
					var o wireOutcome
					_, err := r.do(t.Context(), NameSpawn, r.call(parent, args{"task": "a task"}), &o)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						born = append(born, o.SessionID)
					} else if !fault.Is(err, fault.Conflict) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			return born
		}
		born := spawn()
		if len(born) != 3 {
			t.Fatalf("%d children, want 3", len(born))
		}
		r.write(func(q db.Querier) error {
			archived := true
			_, err := sessions.Update(t.Context(), q, db.TenantOf(r.a), "", born[0], sessions.Change{Archived: &archived}, time.Now())
			return errors.Join(err, sessions.Delete(t.Context(), q, db.TenantOf(r.a), "", born[1]))
		})
		if more := spawn(); len(more) != 2 {
			t.Errorf("%d more children, want 2", len(more))
		}
		deep := r.session(nil)
		for level := range maxDepth + 1 {
			c := r.call(deep, args{"task": "deeper"})
			c.Depth = 0 // what the row says counts
			if level == maxDepth {
				r.refused(NameSpawn, c, fault.Conflict)
				break
			}
			var o wireOutcome
			r.must(NameSpawn, c, &o)
			var err error
			if deep, err = r.get(o.SessionID); err != nil || deep.Depth != int64(level+1) {
				t.Fatalf("depth %d, %v", deep.Depth, err)
			}
		}
	})
}

// TestNarrowing: whatever a session allows and whatever is asked for, its child may use nothing that it may not.
func TestNarrowing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 4))
	names := []string{"time_now", "calculate", "http_fetch", "file_read", "file_write", "sessions_send", "crm_find"}
	patterns := append([]string{"*", "file_*", "sessions_*", "[", "?ime_now", "c*"}, names...)
	pick := func(from []string) (out []string) {
		for range rnd.IntN(4) {
			out = append(out, from[rnd.IntN(len(from))])
		}
		return out
	}
	rights := func(s sessions.Session) tool.Rights {
		r := tool.Rights{Scope: true, Tenant: []string{"*"}}
		if s.Tools != nil {
			r.Session = &tool.Narrowing{Allow: s.Tools.Allow, Deny: s.Tools.Deny}
		}
		return r
	}
	made := 0
	for range 5000 {
		parent := sessions.New("ten_1", time.Now())
		if rnd.IntN(4) > 0 {
			parent.Tools = &sessions.Narrowing{Allow: pick(patterns), Deny: pick(patterns)}
		}
		in := spawnArguments{Task: "x"}
		if rnd.IntN(4) > 0 {
			asked := pick(names)
			in.Tools = &asked
		}
		child, err := childOf(parent, in, time.Now())
		if err != nil {
			continue
		}
		made++
		for _, name := range names {
			may := rights(child).Decide(name).Allowed
			if may && !rights(parent).Decide(name).Allowed || may && in.Tools != nil && !slices.Contains(*in.Tools, name) {
				t.Fatalf("parent %+v, asked %v: the child may use %s", parent.Tools, in.Tools, name)
			}
			if !may && rights(parent).Decide(name).Allowed && (in.Tools == nil || slices.Contains(*in.Tools, name)) {
				t.Fatalf("parent %+v, asked %v: the child may not use %s", parent.Tools, in.Tools, name)
			}
		}
	}
	if made < 2000 {
		t.Errorf("only %d of 5000 were allowed", made)
	}
}
