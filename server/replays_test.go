package server

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
)

func once(q request, key string) request {
	h := map[string]string{"Idempotency-Key": key}
	for k, v := range q.Header {
		h[k] = v
	}
	q.Header = h
	return q
}

// TestOnce: a request with an Idempotency-Key happens once. Those that come meanwhile are told so, those that come later get the same bytes.
func TestOnce(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme, other := r.tenant("acme", nil), r.tenant("other", nil)
		replica := r.replica()
		for _, stream := range []bool{false, true} {
			ahead := make(chan struct{})
			model := r.up.on(fmt.Sprint("once", stream), func(c *upcall) {
				if c.until(ahead) {
					answer("a", "b")(c)
				}
			})
			q := once(post(acme.Key, ask(model, "x", map[string]any{"stream": stream})), "k-"+fmt.Sprint(stream))
			var wg sync.WaitGroup
			var mu sync.Mutex
			count, first := map[int]int{}, reply{}
			for i := range 50 {
				on := []*rig{r, replica}[i%2]
				wg.Go(func() {
					a := on.do(q)
					mu.Lock()
					defer mu.Unlock()
					count[a.status]++
					if a.status == 200 {
						first = a
					} else if p := a.problem(t); p.Code != "idempotency_in_flight" || a.header.Get("Retry-After") == "" {
						t.Errorf("%s", a.body)
					}
				})
			}
			eventually(t, patience, "the others are told", func() bool { mu.Lock(); defer mu.Unlock(); return count[409] == 49 })
			close(ahead)
			wg.Wait()
			if count[200] != 1 || len(r.up.calls(model)) != 1 {
				t.Fatalf("statuses %v, %d calls of the provider", count, len(r.up.calls(model)))
			}
			for _, on := range []*rig{r, replica} {
				again := on.want(200, q, nil)
				if !bytes.Equal(again.body, first.body) || again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("Content-Type") != first.header.Get("Content-Type") {
					t.Errorf("replayed %q, first %q: %v", again.body, first.body, again.header)
				}
				if again.header.Get("X-Request-Id") == first.header.Get("X-Request-Id") {
					t.Error("a replay has a request id of its own")
				}
			}
			p := r.want(409, once(post(acme.Key, ask(model, "another", nil)), "k-"+fmt.Sprint(stream)), nil).problem(t)
			if p.Code != "idempotency_mismatch" || p.Param == nil || *p.Param != "Idempotency-Key" {
				t.Errorf("%+v", p)
			}
			r.want(200, once(post(other.Key, ask(model, "x", map[string]any{"stream": stream})), "k-"+fmt.Sprint(stream)), nil)
			if n := len(r.up.calls(model)); n != 2 {
				t.Errorf("another tenant's request with the same key made %d calls in all", n)
			}
		}
		if rows := r.ledger(acme); len(rows) != 2 {
			t.Errorf("ledger: %+v", rows)
		}
	})
}

// TestOnceMakes: what is made once is made once, a tenant's key and an operator's tenant alike, and the database cannot tell the secret that the answer holds.
func TestOnceMakes(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		for _, q := range []request{
			{Method: "POST", Path: "/v1/keys", Key: acme.Key, Body: `{"name":"once"}`},
			{Method: "POST", Path: "/admin/tenants", Key: r.admin, Body: `{"name":"once"}`},
			{Method: "POST", Path: "/v1/sessions", Key: acme.Key, Body: `{}`},
			{Method: "POST", Path: "/admin/tenants/acme/widgets", Key: r.admin, Body: `{"origins":["https://a.example.com"]}`},
			{Method: "POST", Path: "/v1/keys/" + acme.KeyID + "/rotate", Key: acme.Key, Body: `{}`},
		} {
			first, second := r.want(201, once(q, "the-key"), nil), r.want(201, once(q, "the-key"), nil)
			if !bytes.Equal(first.body, second.body) || second.header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("%s:\n%s\n%s", q.Path, first.body, second.body)
			}
		}
		var rows []struct {
			Key  string `db:"key"`
			Body []byte `db:"body"`
		}
		r.read(func(ctx context.Context, q db.Querier) error { return allReplays.Select(ctx, q, &rows, nil) })
		for _, row := range rows {
			if strings.Contains(row.Key, "the-key") || bytes.Contains(row.Body, []byte("clw_")) || bytes.Contains(row.Body, []byte("object")) {
				t.Errorf("the database keeps %s %q", row.Key, row.Body)
			}
		}
		if len(rows) != 5 {
			t.Errorf("%d records", len(rows))
		}
		r.want(400, once(request{Method: "POST", Path: "/v1/sessions", Key: acme.Key}, strings.Repeat("k", 256)), nil)
	})
}

var (
	allReplays  = db.System("test.replays", `SELECT key, body FROM idempotency`)
	ageReplays  = db.System("test.age_replays", `UPDATE idempotency SET created_at = created_at - :by, expires_at = expires_at - :by`)
	openReplays = db.System("test.open_replays", `UPDATE idempotency SET state = 'in_flight'`)
)

// TestOnceAgain: failures that may pass are not remembered, mistakes of the caller are, and a broken stream is carried out anew.
func TestOnceAgain(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		for i, c := range []struct {
			script func(*upcall)
			stream bool
			again  bool
		}{{refuse(500, "text/plain", ""), false, true}, {refuse(429, "application/json", "{}"), true, true}, {refuse(400, "application/json", `{"error":{"message":"no"}}`), false, false},
			{func(c *upcall) { c.text("half") }, true, true}} {
			name := fmt.Sprint("again", i)
			model := r.up.on(name, c.script)
			q := once(post(acme.Key, ask(model, "x", map[string]any{"stream": c.stream})), name)
			first := r.do(q)
			r.up.on(name, answer("fine"))
			second := r.do(q)
			if c.again && (second.status != 200 || second.header.Get("Idempotency-Replayed") != "" || !bytes.Contains(second.body, []byte("fine"))) {
				t.Errorf("%d: repeated %d %s", i, second.status, second.body)
			}
			if !c.again && !bytes.Equal(first.body, second.body) {
				t.Errorf("%d: %s, then %s", i, first.body, second.body)
			}
		}
	})
}

// TestOnceInSession: a repeated turn attaches to its run, while it is under way, when it is over, and when its events are gone; nothing is said or billed twice.
func TestOnceInSession(t *testing.T) {
	each(t, func(c *config.Settings) { c.RunRetention = time.Hour }, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		ses := r.session(acme.Key, nil)
		ahead := make(chan struct{})
		model := r.up.on("turn", func(c *upcall) {
			c.text("Hel")
			if c.until(ahead) {
				c.text("lo")
				c.finish("stop", 4, 2)
			}
		})
		body := ask(model, "x", map[string]any{"session_id": ses, "stream": true})
		q := once(post(acme.Key, body), "turn-1")
		f := r.stream(q)
		f.next()
		g := r.stream(q)
		if f.res.Header.Get("Clawless-Run-Id") != g.res.Header.Get("Clawless-Run-Id") || g.res.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("attached to %v", g.res.Header)
		}
		f.hangUp()
		close(ahead)
		want := g.rest()
		if text(t, want) != "Hello" {
			t.Errorf("the second reader got %v", want)
		}
		if got := r.stream(q).rest(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("when it is over: %v, want %v", got, want)
		}
		whole := once(post(acme.Key, ask(model, "y", map[string]any{"session_id": ses})), "turn-2")
		first := r.want(200, whole, nil)
		replica := r.replica() // knows nothing of the run but what the database says
		second := replica.want(200, whole, nil)
		if !bytes.Equal(first.body, second.body) || second.header.Get("Clawless-Run-Id") != first.header.Get("Clawless-Run-Id") {
			t.Errorf("from the database:\n%s\n%s", first.body, second.body)
		}
		if got := text(t, replica.stream(q).rest()); got != "Hello" {
			t.Errorf("a stream from the database said %q", got)
		}
		if n := len(r.up.calls(model)); n != 2 || len(r.messages(acme.Key, ses, 10)) != 4 || len(r.settled(acme, 2)) != 2 {
			t.Errorf("%d calls of the provider", n)
		}
		r.want(409, once(post(acme.Key, ask(model, "other", map[string]any{"session_id": ses})), "turn-2"), nil)
	})
}

// TestOnceAfterADeath: the record of a request whose server died is freed, at the next start where the server is alone and after a while where it is not.
func TestOnceAfterADeath(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", nil)
		model := r.up.on("dead", answer("ok"))
		q := once(post(acme.Key, ask(model, "x", nil)), "k")
		r.want(200, q, nil)
		reopen := func() {
			r.write(func(ctx context.Context, q db.Querier) error {
				_, err := openReplays.Exec(ctx, q, nil)
				return err
			})
		}
		age := func(d time.Duration) {
			r.write(func(ctx context.Context, q db.Querier) error {
				_, err := ageReplays.Exec(ctx, q, db.Args{"by": d.Microseconds()})
				return err
			})
		}
		reopen()
		r.want(409, q, nil)
		if r.db.Dialect() == db.SQLite {
			if err := r.s.recover(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else {
			age(time.Hour)
		}
		if a := r.want(200, q, nil); a.header.Get("Idempotency-Replayed") != "" || len(r.up.calls(model)) != 2 {
			t.Error("it was not carried out again")
		}
		age(23 * time.Hour)
		r.want(200, q, nil)
		if len(r.up.calls(model)) != 2 {
			t.Error("within a day it is remembered")
		}
		age(2 * time.Hour)
		r.want(200, q, nil)
		if len(r.up.calls(model)) != 3 {
			t.Error("after a day it is forgotten")
		}
		age(25 * time.Hour)
		if err := r.s.book.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		var rows []struct {
			Key  string `db:"key"`
			Body []byte `db:"body"`
		}
		r.read(func(ctx context.Context, q db.Querier) error { return allReplays.Select(ctx, q, &rows, nil) })
		if len(rows) != 0 {
			t.Errorf("%d records are left", len(rows))
		}
	})
}
