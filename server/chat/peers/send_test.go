package peers

import (
	"context"
	"errors"
	"fmt"
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

// pair is a session and one that it spawned.
func pair(r *rig) (from, to sessions.Session) {
	from = r.session(nil)
	return from, r.session(func(s *sessions.Session) { s.ParentID, s.Depth = from.ID, 1 })
}

// TestSend: the message arrives marked, the answer comes back as another session's words, and what the turn is told is right.
func TestSend(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		from, to := pair(r)
		r.reply = func(_ context.Context, s Send, _ string) Sent {
			return Sent{Status: string(runs.Completed), Text: strings.Repeat("界", 4100)}
		}
		c := r.call(from, args{"session_id": to.ID, "message": "how many?"})
		c.Hops = 2
		var o wireOutcome
		result := r.must(NameSend, c, &o)
		if o.Status != "completed" || o.SessionID != to.ID || !ids.Valid(ids.Run, o.RunID) || o.Answer != strings.Repeat("界", 4000) || !o.Truncated || o.Omitted != 100 || o.Reason != "" {
			t.Errorf("%.300s", result.Text)
		}
		if len(result.Taints) != 1 || result.Taints[0] != (tool.Taint{Kind: tool.FromSession, Source: to.ID}) {
			t.Errorf("taints %v", result.Taints)
		}
		s := r.begun[0]
		if s.Hops != 3 || s.Child || s.From.RunID != c.RunID || s.Wait > time.Minute || s.Wait < 50*time.Second || s.Key == "" {
			t.Errorf("sent %+v", s)
		}
		if !strings.HasPrefix(s.Text, "[From session "+from.ID+", not from a person.") || !strings.HasSuffix(s.Text, "\n\nhow many?") {
			t.Errorf("text %q", s.Text)
		}
		r.reply = func(context.Context, Send, string) Sent {
			return Sent{Status: string(runs.Failed), Text: "the provider is overloaded"}
		}
		for range 2 { // a failure is what became of it, too
			c.ID = "again"
			if result = r.must(NameSend, c, &o); o.Status != "failed" || o.Reason != "the provider is overloaded" || o.Answer != "" {
				t.Errorf("%s", result.Text)
			}
		}
		if r.count() != 2 {
			t.Errorf("%d turns began, want 2", r.count())
		}
	})
}

// TestSendRefused: what may not be sent begins no turn and takes no key.
func TestSendRefused(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		from, to := pair(r)
		archived := r.session(func(s *sessions.Session) { s.ParentID, s.ArchivedAt = from.ID, db.At(r.at) })
		r.refused(NameSend, r.call(from, args{"session_id": from.ID, "message": "me"}), fault.InvalidRequest)
		if words := r.refused(NameSend, r.call(from, args{"session_id": archived.ID, "message": "old"}), fault.Conflict); !strings.Contains(words, "archived") {
			t.Errorf("archived: %q", words)
		}
		for _, bad := range []args{{}, {"session_id": to.ID}, {"session_id": to.ID, "message": ""}, {"session_id": to.ID, "message": strings.Repeat("x", 20_001)},
			{"session_id": to.ID, "message": "x", "key": "two words"}, {"session_id": to.ID, "message": "x", "wait_seconds": 121}, {"session_id": to.ID, "message": "x", "hops": 0}} {
			var wrong *tool.ArgumentsError
			if _, err := r.do(t.Context(), NameSend, r.call(from, bad), new(any)); !errors.As(err, &wrong) {
				t.Errorf("%v: %v", bad, err)
			}
		}
		if len(r.asked) != 0 {
			t.Fatalf("%d turns were asked for", len(r.asked))
		}
		c := r.call(from, args{"session_id": to.ID, "message": "hello", "key": "k", "wait_seconds": 3})
		for _, code := range []fault.Code{fault.SessionBusy, fault.QuotaExceeded, fault.ToolLoopLimit} {
			r.refuse = func(Send) error {
				return fault.Wrap(errors.New("SELECT secret"), code, "not now")
			}
			if words := r.refused(NameSend, c, code); words != "refused ("+string(code)+"): not now" {
				t.Errorf("a model is told %q", words)
			}
		}
		r.refuse = nil
		r.must(NameSend, c, new(wireOutcome)) // the key is free
	})
}

// TestHops: sessions that pass a message on come to an end by themselves.
func TestHops(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.setting = Everyone
		var ring []sessions.Session
		next := map[string]sessions.Session{}
		for range 3 {
			ring = append(ring, r.session(nil))
		}
		for i, s := range ring {
			next[s.ID] = ring[(i+1)%3]
		}
		var last error
		pass := func(ctx context.Context, s sessions.Session, run string, hops int) error {
			c := r.call(s, args{"session_id": next[s.ID].ID, "message": fmt.Sprintf("pass it on, %d", hops), "wait_seconds": 0})
			c.RunID, c.Hops = run, hops
			_, err := r.do(ctx, NameSend, c, new(any))
			return err
		}
		over := make(chan struct{})
		r.reply = func(ctx context.Context, s Send, run string) Sent {
			// Those before it wait for nothing, so that their turns are over or will be.
			from := next[s.From.SessionID]
			var err error
			for err = pass(ctx, from, run, s.Hops); fault.Is(err, fault.SessionBusy) || fault.Is(err, fault.Conflict); err = pass(ctx, from, run, s.Hops) {
			}
			if err != nil {
				last = err
				close(over)
			}
			return Sent{Status: string(runs.Completed), Text: "passed on"}
		}
		if err := pass(t.Context(), ring[0], ids.New(ids.Run), 0); err != nil {
			t.Fatal(err)
		}
		<-over
		r.wg.Wait()
		if !fault.Is(last, fault.ToolLoopLimit) || r.count() != 5 {
			t.Errorf("after %d turns: %v", r.count(), last)
		}
	})
}

// TestDeadlock: a session that waits for this one, over however many others, is not written to; once it waits no more it is.
func TestDeadlock(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.setting = Everyone
		a, b, c, d := r.session(nil), r.session(nil), r.session(nil), r.session(nil)
		runA := r.run(a, "")
		runB := r.run(b, runA.ID)
		runC := r.run(c, runB.ID)
		from := func(s sessions.Session, run runs.Run, to sessions.Session) tool.Call {
			k := r.call(s, args{"session_id": to.ID, "message": "hello"})
			k.RunID = run.ID
			return k
		}
		for _, k := range []tool.Call{from(b, runB, a), from(c, runC, a), from(c, runC, b)} {
			if words := r.refused(NameSend, k, fault.Conflict); !strings.Contains(words, "waits for it") {
				t.Errorf("a model is told %q", words)
			}
		}
		r.must(NameSend, from(c, runC, d), new(wireOutcome))
		r.finish(runB) // b waits no more, and so a waits for nothing that c does
		r.must(NameSend, from(c, runC, b), new(wireOutcome))
		r.refused(NameSend, from(c, runC, a), fault.SessionBusy) // its turn goes on; the database keeps the two apart
		r.finish(runA)
		r.must(NameSend, from(c, runC, a), new(wireOutcome))
	})
}

// TestSendOnce: twenty equal calls at once send one message, and all get the same result.
func TestSendOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		from, to := pair(r)
		for _, key := range []string{"", "mine"} {
			r.begun = nil
			in := args{"session_id": to.ID, "message": "once, please"}
			if key != "" {
				in["key"] = key
			}
			c := r.call(from, in)
			entered, release := make(chan struct{}), make(chan struct{})
			free := sync.OnceFunc(func() { close(release) })
			t.Cleanup(free)
			r.reply = func(context.Context, Send, string) Sent {
				close(entered)
				<-release
				return Sent{Status: string(runs.Completed), Text: "once\nwas enough"}
			}
			results := make([]string, 20)
			var wg sync.WaitGroup
			for i := range results {
				wg.Go(func() {
					k := c
					if key != "" {
						k.ID, k.RunID = ids.New("call_"), ids.New(ids.Run) // another turn, after a failure
					}
					result, err := r.do(t.Context(), NameSend, k, new(wireOutcome))
					if err != nil {
						t.Error(err)
					}
					results[i] = result.Text
				})
			}
			<-entered
			late := c
			var o wireOutcome
			in["wait_seconds"] = 0
			late.Arguments = r.call(from, in).Arguments
			if r.must(NameSend, late, &o); o.Status != "running" || o.Answer != "" {
				t.Errorf("while it runs: %+v", o)
			}
			free()
			wg.Wait()
			for i, text := range results {
				if text != results[0] || !strings.Contains(text, "was enough") {
					t.Errorf("call %d got %s, another %s", i, text, results[0])
				}
			}
			if again := r.must(NameSend, c, &o); again.Text != results[0] || r.count() != 1 || len(again.Taints) != 1 {
				t.Errorf("after all: %s; %d turns", again.Text, r.count())
			}
		}
	})
}

// TestKeys: a key stands for one message of one session.
func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		from, to := pair(r)
		second := r.session(func(s *sessions.Session) { s.ParentID = from.ID })
		entered, release := make(chan struct{}, 10), make(chan struct{})
		free := sync.OnceFunc(func() { close(release) })
		t.Cleanup(free)
		r.reply = func(context.Context, Send, string) Sent {
			entered <- struct{}{}
			<-release
			return Sent{Status: string(runs.Completed), Text: "done"}
		}
		call := func(s, to sessions.Session, message string) tool.Call {
			return r.call(s, args{"session_id": to.ID, "message": message, "key": "k", "wait_seconds": 0})
		}
		r.must(NameSend, call(from, to, "one"), new(wireOutcome))
		<-entered
		r.refused(NameSend, call(from, to, "two"), fault.IdempotencyMismatch)     // under way
		r.refused(NameSend, call(from, second, "one"), fault.IdempotencyMismatch) // to somebody else
		free()
		r.wg.Wait()
		r.refused(NameSend, call(from, to, "two"), fault.IdempotencyMismatch) // and over
		if r.count() != 1 {
			t.Fatalf("%d turns", r.count())
		}
		grand := r.session(func(s *sessions.Session) { s.ParentID = to.ID })
		r.must(NameSend, call(to, grand, "two"), new(wireOutcome)) // another session's key of that name
		foreign := r.session(func(s *sessions.Session) { s.TenantID = r.b })
		theirs := r.session(func(s *sessions.Session) { s.TenantID, s.ParentID = r.b, foreign.ID })
		r.must(NameSend, call(foreign, theirs, "two"), new(wireOutcome))
		r.wg.Wait()

		// Without a key two calls are two messages, also of a model that calls both the same, and a call that is made again is one.
		r.begun = nil
		c, other := r.call(from, args{"session_id": to.ID, "message": "three"}), r.call(from, args{"session_id": to.ID, "message": "four"})
		other.ID, other.RunID = c.ID, c.RunID
		for _, k := range []tool.Call{c, other, c, other} {
			r.must(NameSend, k, new(wireOutcome))
		}
		if r.count() != 2 {
			t.Errorf("%d turns, want 2", r.count())
		}
	})
}

// TestSendLost: a server that stopped between taking a key and beginning a turn loses nothing, and no two servers begin a turn for one key.
func TestSendLost(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		from, to := pair(r)
		tenant := db.TenantOf(r.a)
		taken := func(key string, ago time.Duration) {
			r.write(func(q db.Querier) error {
				_, err := claim.Exec(t.Context(), q, tenant, db.Args{"key": from.ID + " " + key, "from": from.ID, "to": to.ID, "now": db.At(time.Now().Add(-ago))})
				return err
			})
		}
		taken("young", time.Second)
		taken("old", 3*time.Minute)
		call := func(key string) tool.Call {
			return r.call(from, args{"session_id": to.ID, "message": "hello", "key": key, "wait_seconds": 0})
		}
		r.refused(NameSend, call("young"), fault.IdempotencyInFlight)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				_, err := r.do(t.Context(), NameSend, call("old"), new(wireOutcome))
				if err != nil && !fault.Is(err, fault.IdempotencyInFlight) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if r.count() != 1 {
			t.Errorf("%d turns, want 1", r.count())
		}
		run := func() error {
			return r.db.Write(t.Context(), func(q db.Querier) error { return Bind(t.Context(), q, tenant, from.ID+" young", ids.New(ids.Run)) })
		}
		if err := run(); err != nil {
			t.Error(err)
		}
		if err := run(); !fault.Is(err, fault.Conflict) {
			t.Errorf("a second turn of one key: %v", err)
		}
		var n int64
		r.write(func(q db.Querier) (err error) {
			n, err = Sweep(t.Context(), q, time.Now().Add(6*24*time.Hour))
			return err
		})
		if n != 0 {
			t.Errorf("%d young sends were forgotten", n)
		}
		r.write(func(q db.Querier) (err error) {
			n, err = Sweep(t.Context(), q, time.Now().Add(8*24*time.Hour))
			return err
		})
		if n != 2 {
			t.Errorf("%d sends were forgotten, want 2", n)
		}
	})
}
