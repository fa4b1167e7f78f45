package server

import (
	"testing"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/redis/redistest"
)

// TestTwoServers: with Postgres and Redis a run is followed, taken up again and stopped from another server, and a changed setting is felt there at once.
func TestTwoServers(t *testing.T) {
	d := dbtest.Open(t, db.Options{URL: dbtest.PostgresURL(t), Migrate: true})
	r := newRig(t, d, func(c *config.Settings) { c.RedisURL = config.Secret(redistest.URL(t)) })
	t.Parallel()
	two := r.replica()
	acme := r.tenant("acme", nil)
	ses := r.session(acme.Key, nil)
	ahead := make(chan struct{})
	model := r.up.on("patient", func(c *upcall) {
		c.text("Hel")
		if c.until(ahead) {
			c.text("lo")
			c.finish("stop", 7, 3)
		}
	})
	q := post(acme.Key, ask(model, "x", map[string]any{"session_id": ses, "stream": true}))
	q.Header = map[string]string{"Idempotency-Key": "k1"}
	f := r.stream(q)
	id := f.res.Header.Get("Clawless-Run-Id")
	f.next()
	watch := two.stream(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key})
	again := two.stream(q)
	if again.res.Header.Get("Clawless-Run-Id") != id {
		t.Error("another run")
	}
	close(ahead)
	if got := text(t, watch.rest()); got != "Hello" {
		t.Errorf("%q", got)
	}
	if got := text(t, again.rest()); got != "Hello" {
		t.Errorf("%q", got)
	}
	f.rest()
	if got := text(t, two.stream(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key}).rest()); got != "Hello" {
		t.Errorf("%q", got)
	}
	left := make(chan struct{})
	long := r.up.on("long", func(c *upcall) { c.text("partial"); <-c.gone; close(left) })
	f = r.stream(post(acme.Key, ask(long, "x", map[string]any{"session_id": ses, "stream": true})))
	f.next()
	var v run
	two.want(200, request{Method: "POST", Path: "/v1/runs/" + f.res.Header.Get("Clawless-Run-Id") + "/cancel", Key: acme.Key}, &v)
	await(t, "the provider", left)
	if v.Status != "cancelled" {
		t.Errorf("%+v", v)
	}
	f.rest()
	offer := map[string]any{"tools": []any{map[string]any{"type": "function", "function": map[string]any{"name": "rm"}}}}
	two.want(200, post(acme.Key, ask(r.up.on("ok", answer("ok")), "x", offer)), nil)
	r.want(200, request{Method: "PATCH", Path: "/admin/tenants/acme", Key: r.admin, Body: `{"settings":{"allowed_tools":["ls"]}}`}, nil)
	eventually(t, patience, "the other server hears of it", func() bool { return two.do(post(acme.Key, ask("lab/ok", "x", offer))).status == 403 })
}

// TestRestart: the events of a finished run are there after a clean restart.
func TestRestart(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	ses := r.session(acme.Key, nil)
	f := r.stream(post(acme.Key, ask(r.up.on("m", answer("a", "b", "c")), "x", map[string]any{"session_id": ses, "stream": true})))
	id := f.res.Header.Get("Clawless-Run-Id")
	f.rest()
	want := r.stream(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key}).rest()
	r.s.drain(t.Context(), nil)
	two := r.replica()
	got := two.stream(request{Path: "/v1/runs/" + id + "/stream", Key: acme.Key}).rest()
	if text(t, got) != "abc" || len(got) != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
