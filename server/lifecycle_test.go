package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db/dbtest"
)

// runs runs the rig's server as `clawless serve` does and returns what stops it and what it came to.
func (r *rig) runs() (stop func(), ended <-chan error) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.t.Cleanup(cancel)
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- r.s.Run(ctx, func(addr string) { ready <- addr }) }()
	select {
	case addr := <-ready:
		r.url = "http://" + addr
	case err := <-done:
		r.t.Fatalf("the server did not start: %v", err)
	}
	return cancel, done
}

// TestDrain: a server that is told to stop takes nothing new, says so, ends what is under way with a last event, keeps everything and returns without an error.
func TestDrain(t *testing.T) {
	each(t, func(c *config.Settings) { c.DrainTimeout, c.SessionWait = 500*time.Millisecond, 30*time.Second }, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"monthly_tokens": 1_000_000})
		stop, ended := r.runs()
		model := r.up.on("endless", func(c *upcall) {
			c.text("so far")
			<-c.gone
		})
		ses := r.session(acme.Key, nil)
		var open []*frames
		for range 4 {
			open = append(open, r.stream(post(acme.Key, ask(model, "x", map[string]any{"stream": true}))))
		}
		run := r.stream(post(acme.Key, ask(model, "x", map[string]any{"stream": true, "session_id": ses})))
		open = append(open, run)
		for _, f := range open {
			f.next()
			f.next()
		}
		waiting := make(chan reply, 1)
		go func() { waiting <- r.do(post(acme.Key, ask(model, "y", map[string]any{"session_id": ses}))) }()
		eventually(t, patience, "a turn waits", func() bool { return r.s.chat.Waiting(acme.ID, ses) == 2 })
		stop()
		eventually(t, patience, "the server drains", func() bool { return r.do(request{Path: "/readyz"}).status == 503 })
		for _, q := range []request{post(acme.Key, ask(model, "x", nil)), post(acme.Key, ask(model, "x", map[string]any{"session_id": r.session(acme.Key, nil)}))} {
			if a := r.want(503, q, nil); a.problem(t).Code != "shutting_down" || a.header.Get("Retry-After") == "" {
				t.Errorf("new work: %s", a.body)
			}
		}
		r.want(200, request{Path: "/healthz"}, nil)
		for _, f := range open {
			if said, failed, done := collect(t, f.rest()); failed == nil || failed.Code != "run_interrupted" || done || said != "" {
				t.Errorf("a stream ended with %q %+v", said, failed)
			}
		}
		if a := await(t, "the waiting turn", waiting); a.status != 503 {
			t.Errorf("the waiting turn: %d %s", a.status, a.body)
		}
		if err := await(t, "the end", ended); err != nil {
			t.Errorf("Run returned %v", err)
		}
		for _, row := range r.ledger(acme) {
			if row.Output != 2 || row.Outcome != "interrupted" {
				t.Errorf("ledger: %+v", row)
			}
		}
		if n := len(r.ledger(acme)); n != len(open) {
			t.Errorf("%d lines of the ledger", n)
		}
		next := r.replica()
		if v := next.run(acme.Key, run.res.Header.Get("Clawless-Run-Id")); v.Status != "interrupted" || v.Usage.Output != 2 {
			t.Errorf("the run: %+v", v)
		}
		if all := next.messages(acme.Key, ses, 10); len(all) != 2 || all[1].Content != "so far" {
			t.Errorf("messages: %+v", all)
		}
	})
}

// TestDrainWaits: what ends within the drain's patience ends as it should, and the server does not wait longer than it must.
func TestDrainWaits(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.DrainTimeout = time.Minute })
	acme := r.tenant("acme", nil)
	stop, ended := r.runs()
	ahead := make(chan struct{})
	model := r.up.on("ends", func(c *upcall) {
		c.text("one ")
		if c.until(ahead) {
			c.text("two")
			c.finish("stop", 1, 1)
		}
	})
	f := r.stream(post(acme.Key, ask(model, "x", map[string]any{"stream": true})))
	g := r.stream(post(acme.Key, ask(model, "x", map[string]any{"stream": true, "session_id": r.session(acme.Key, nil)})))
	f.next()
	g.next()
	stop()
	eventually(t, patience, "the server drains", func() bool { return r.do(request{Path: "/readyz"}).status == 503 })
	r.http.CloseIdleConnections()
	close(ahead)
	if a, b := text(t, f.rest()), text(t, g.rest()); a != "one two" || b != "one two" {
		t.Errorf("%q and %q", a, b)
	}
	start := time.Now()
	if err := await(t, "the end", ended); err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("Run returned %v after %s", err, time.Since(start))
	}
}

// TestManyDrain: a crowd of streams gets its last event, each of them, soon after the patience is over.
func TestManyDrain(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.DrainTimeout = 50 * time.Millisecond })
	acme := r.tenant("acme", nil)
	stop, ended := r.runs()
	model := r.up.on("crowd", func(c *upcall) {
		c.text("x")
		<-c.gone
	})
	var wg, ready sync.WaitGroup
	const n = 200
	for i := range n {
		ready.Add(1)
		more := map[string]any{"stream": true}
		if i%2 == 0 {
			more["session_id"] = r.session(acme.Key, nil)
		}
		wg.Go(func() {
			f := r.stream(post(acme.Key, ask(model, "x", more)))
			f.next()
			ready.Done()
			if _, failed, _ := collect(t, f.rest()); failed == nil || failed.Code != "run_interrupted" {
				t.Errorf("stream %d ended with %+v", i, failed)
			}
		})
	}
	ready.Wait()
	start := time.Now()
	stop()
	wg.Wait()
	if err := await(t, "the end", ended); err != nil || time.Since(start) > 10*time.Second {
		t.Errorf("Run returned %v after %s", err, time.Since(start))
	}
	if n := len(r.ledger(acme)); n != 200 {
		t.Errorf("%d lines of the ledger", n)
	}
}

// TestCannotListen: an address that is taken makes a sentence that says what to do, and leaves nothing running.
func TestCannotListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, alter := range []func(*config.Settings){func(c *config.Settings) { c.Addr = taken.Addr().String() }, func(c *config.Settings) { c.MetricsAddr = taken.Addr().String() }} {
		cfg := config.Default()
		cfg.Addr, cfg.DiscoverOllama = "127.0.0.1:0", false
		alter(&cfg)
		s, err := New(cfg, dbtest.New(t), "test", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		err = s.Run(t.Context(), func(string) { t.Error("ready on an address that is taken") })
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "--") {
			t.Errorf("%v", err)
		}
	}
}

// TestMetrics: behind the admin key on the main listener, open on one of its own, and with labels that no caller can multiply.
func TestMetrics(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.MetricsAddr = "127.0.0.1:0" })
	acme := r.tenant("acme", nil)
	r.up.on("m", answer("ok"))
	for i := range 50 {
		r.do(request{Method: []string{"GET", "BREW", "PROPFIND", "X" + strings.Repeat("Y", i)}[i%4], Path: "/v1/none" + strings.Repeat("x", i), Key: acme.Key})
		r.do(request{Path: "/v1/sessions/" + strings.Repeat("s", i), Key: acme.Key})
		r.do(post(acme.Key, ask("lab/"+strings.Repeat("m", i+1), "x", nil)))
	}
	r.want(401, request{Path: "/metrics"}, nil)
	r.want(401, request{Path: "/metrics", Key: "clw_sk_x"}, nil)
	r.want(403, request{Path: "/metrics", Key: acme.Key}, nil)
	body := r.want(200, request{Path: "/metrics", Key: r.admin}, nil).body
	series := 0
	for line := range bytes.Lines(body) {
		if bytes.HasPrefix(line, []byte("clawless_")) {
			series++
		}
		for _, word := range []string{acme.ID, "acme", "xxxxx", "sssss", "mmmmm", "BREW", "XYYY", acme.KeyID} {
			if bytes.Contains(line, []byte(word)) {
				t.Errorf("a label that a caller chose: %s", line)
			}
		}
	}
	for _, want := range []string{`clawless_tokens_total{direction="output",provider="lab"} 50`, `clawless_provider_calls_total{outcome="ok",provider="lab"} 50`, `clawless_http_requests_total{method="other",route="unmatched",status="404"}`} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if series > 200 {
		t.Errorf("%d series", series)
	}
	stop, ended := r.runs()
	m := regexp.MustCompile(`serving metrics" addr=(\S+)`).FindStringSubmatch(r.log.String())
	if m == nil {
		t.Fatal("the log does not say where the metrics are")
	}
	own := *r
	own.url = "http://" + m[1]
	if own.want(200, request{Path: "/metrics"}, nil); own.do(request{Path: "/v1/models"}).status != 404 {
		t.Error("the metrics' listener serves more than metrics")
	}
	stop()
	if err := await(t, "the end", ended); err != nil {
		t.Error(err)
	}
}

// TestClientAddress: the log names the connection's address, and behind a proxy the last one that the proxy wrote, whatever callers claim.
func TestClientAddress(t *testing.T) {
	for _, c := range []struct {
		proxy bool
		hops  []string
		want  string
	}{
		{false, []string{"203.0.113.9"}, "ip=127.0.0.1"},
		{true, []string{"203.0.113.9"}, "ip=203.0.113.9"},
		{true, []string{"198.51.100.1, 203.0.113.9"}, "ip=203.0.113.9"},
		{true, []string{"198.51.100.1", "203.0.113.9"}, "ip=203.0.113.9"},
		{true, []string{"203.0.113.9, [2001:db8::1]"}, "ip=2001:db8::1"},
		{true, []string{"203.0.113.9, not an address\" x=y"}, "ip=127.0.0.1"},
		{true, nil, "ip=127.0.0.1"},
	} {
		t.Run(c.want, func(t *testing.T) {
			r := lite(t, func(s *config.Settings) { s.BehindProxy = c.proxy })
			q := request{Path: "/v1/none/clw_sk_0123456789abcdefghjkmnpqrstvwxyz/eyJhbGciOiJub25lIn0.e30.x?key=" + canary}.make(t.Context(), t, r.url)
			q.Header["X-Forwarded-For"] = c.hops
			res, err := r.http.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			eventually(t, patience, "the request is logged", func() bool { return strings.Contains(r.log.String(), "path=/v1/none") })
			log := r.log.String()
			if !strings.Contains(log, c.want) || strings.Contains(log, "clw_sk_0123") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// TestProbes: health and readiness say in JSON how the server is.
func TestProbes(t *testing.T) {
	r := lite(t, nil)
	for path, want := range map[string]string{"/healthz": `{"status":"ok"}`, "/readyz": `{"status":"ready"}`} {
		if a := r.want(200, request{Path: path}, nil); strings.TrimSpace(string(a.body)) != want || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s %v", path, a.body, a.header)
		}
	}
	if a := r.do(request{Method: http.MethodHead, Path: "/readyz"}); a.status != 200 || len(a.body) != 0 {
		t.Errorf("HEAD: %d %s", a.status, a.body)
	}
}
