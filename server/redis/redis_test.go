package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/redis"
	"github.com/clawless/clawless/server/redis/redistest"
)

// until polls for at most twenty seconds.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// TestOpen: a wrong URL is refused without being repeated, and a Redis that is away is no failure yet.
func TestOpen(t *testing.T) {
	for _, url := range []string{"http://h", "redis://u:s3cret@h:port", "nonsense s3cret", "redis://h/?colour=s3cret\x7f", ""} {
		if c, err := redis.Open(redis.Options{URL: url}); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "redis_url must look like") {
			t.Errorf("%q: %v, %v", url, c, err)
		}
	}
	c := redistest.Open(t, "unix:///nowhere/redis.sock", redistest.Prefix())
	if err := c.Ping(t.Context()); err == nil {
		t.Error("a Redis that is not there answers")
	}
	if err := redistest.Open(t, "", redistest.Prefix()).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func numbered(from, to int64) (out []redis.Entry) {
	for n := from; n <= to; n++ {
		out = append(out, redis.Entry{Number: n, Data: fmt.Appendf(nil, "entry \x00 %d é", n)})
	}
	return out
}

func add(t testing.TB, c *redis.Client, ch redis.Chunk) error {
	t.Helper()
	return c.Append(t.Context(), []redis.Chunk{ch})[0]
}

func check(t testing.TB, got []redis.Entry, err error, from, to int64) {
	t.Helper()
	if err != nil || fmt.Sprint(got) != fmt.Sprint(numbered(from, to)) {
		t.Errorf("%d entries, %v, want %d to %d: %v", len(got), err, from, to, got)
	}
}

// TestStreams: entries come back as they were, sending them again changes nothing, and a stream that was lost is noticed.
func TestStreams(t *testing.T) {
	ctx, c := t.Context(), redistest.Open(t, "", redistest.Prefix())
	if err := add(t, c, redis.Chunk{Stream: "s", Entries: numbered(1, 3)}); !errors.Is(err, redis.ErrGone) {
		t.Errorf("a stream that is not there goes on: %v", err)
	}
	for range 2 {
		if err := add(t, c, redis.Chunk{Stream: "s", Fresh: true, Entries: numbered(1, 3), Shelf: "shelf", Noted: time.Hour, Keep: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	for _, from := range []int64{4, 4, 2} { // again, and again with more
		if err := add(t, c, redis.Chunk{Stream: "s", Entries: numbered(from, 7)}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Range(ctx, "s", 0, 100)
	check(t, got, err, 1, 7)
	got, err = c.Range(ctx, "s", 2, 3)
	check(t, got, err, 3, 5)
	got, err = c.Range(ctx, "s", 7, 3)
	check(t, got, err, 1, 0)
	if last, err := c.Last(ctx, "s"); err != nil || last.Number != 7 {
		t.Errorf("%+v, %v", last, err)
	}
	if last, err := c.Last(ctx, "none"); err != nil || last.Number != 0 {
		t.Errorf("%+v, %v", last, err)
	}
	if missing, err := c.Missing(ctx, []string{"x", "s", "y"}); err != nil || fmt.Sprint(missing) != "[x y]" {
		t.Errorf("%v, %v", missing, err)
	}
	if err := c.RemoveShelf(ctx, "shelf"); err != nil {
		t.Fatal(err)
	}
	if missing, err := c.Missing(ctx, []string{"s", "shelf"}); err != nil || len(missing) != 2 {
		t.Errorf("%v, %v", missing, err)
	}
	for _, name := range []string{"a*:1", "a*:2", "ab:1"} {
		if err := add(t, c, redis.Chunk{Stream: name, Fresh: true, Entries: numbered(1, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.RemoveAll(ctx, "a*:"); err != nil {
		t.Fatal(err)
	}
	if missing, err := c.Missing(ctx, []string{"a*:1", "a*:2", "ab:1"}); err != nil || fmt.Sprint(missing) != "[a*:1 a*:2]" {
		t.Errorf("%v, %v", missing, err)
	}
	if err := add(t, c, redis.Chunk{Stream: "brief", Fresh: true, Entries: numbered(1, 1), Shelf: "briefs", Noted: time.Millisecond, Keep: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	until(t, "a stream to expire", func() bool { m, err := c.Missing(ctx, []string{"brief", "briefs"}); return err == nil && len(m) == 2 })
}

// TestWait: a reader gets what comes at once, nothing after its time, and more readers than there are connections still get theirs.
func TestWait(t *testing.T) {
	ctx, c := t.Context(), redistest.Open(t, "", redistest.Prefix())
	if err := add(t, c, redis.Chunk{Stream: "s", Fresh: true, Entries: numbered(1, 2)}); err != nil {
		t.Fatal(err)
	}
	got, err := c.Wait(ctx, "s", 0, 10, time.Minute)
	check(t, got, err, 1, 2)
	got, err = c.Wait(ctx, "s", 2, 10, 20*time.Millisecond)
	check(t, got, err, 1, 0)
	var wg sync.WaitGroup
	for range 600 {
		wg.Go(func() {
			var got []redis.Entry
			var err error
			for len(got) == 0 && err == nil {
				got, err = c.Wait(ctx, "s", 2, 10, time.Second)
			}
			check(t, got, err, 3, 3)
		})
	}
	if err := add(t, c, redis.Chunk{Stream: "s", Entries: numbered(3, 3)}); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Wait(gone, "s", 3, 10, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// log gathers what is logged.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// heard gathers what a bus tells.
type heard struct {
	mu   sync.Mutex
	keys []string
}

func (h *heard) add(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keys = append(h.keys, key)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.keys, ",")
}

func join(t testing.TB, url, prefix string, out io.Writer) *redis.Bus {
	t.Helper()
	c, err := redis.Open(redis.Options{URL: url, Prefix: prefix, Log: slog.New(slog.NewTextHandler(out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	b := redis.OpenBus(c)
	t.Cleanup(func() {
		b.Close()
		_ = c.Close()
	})
	return b
}

// TestBus: words reach the subscribers of their topic on other servers, in order, and not the one who said them.
func TestBus(t *testing.T) {
	prefix, out := redistest.Prefix(), &log{}
	one, two := join(t, redistest.URL(t), prefix, out), join(t, redistest.URL(t), prefix, out)
	until(t, "both to be healthy", func() bool { return one.Healthy() && two.Healthy() })
	var own, a, b heard
	one.Subscribe("a", own.add)
	two.Subscribe("a", a.add)
	two.Subscribe("b", b.add)
	var want []string
	for i := range 300 {
		key := fmt.Sprintf("%d \x00 é", i)
		one.Publish("a", key)
		want = append(want, key)
	}
	one.Publish("b", "last")
	two.Publish("a", "from two")
	until(t, "the words to come", func() bool { return b.String() == "last" && own.String() == "from two" })
	if a.String() != strings.Join(want, ",") {
		t.Errorf("topic a: %s", a.String())
	}
	if out.count("\n") != 0 {
		t.Errorf("logged %s", out.b.String())
	}
}

// TestBusSurvives: a Redis that restarts costs no word that was said meanwhile, tells everybody that they may have missed some, and is logged twice.
func TestBusSurvives(t *testing.T) {
	srv, prefix, out := redistest.Start(t), redistest.Prefix(), &log{}
	one, two := join(t, srv.URL, prefix, out), join(t, srv.URL, prefix, io.Discard)
	until(t, "both to be healthy", func() bool { return one.Healthy() && two.Healthy() })
	var told heard
	two.Subscribe("a", told.add)
	srv.Down()
	until(t, "both to feel it", func() bool { return !one.Healthy() && !two.Healthy() })
	one.Publish("a", "meanwhile")
	for range 5000 { // more than are kept one by one
		one.Publish("b", "x")
	}
	until(t, "the loss to be logged", func() bool { return out.count("does not answer") == 1 })
	srv.Up()
	until(t, "both to be back", func() bool { return one.Healthy() && two.Healthy() })
	one.Publish("a", "after")
	until(t, "the last word to come", func() bool { return strings.HasSuffix(told.String(), "after") })
	if keys := strings.Split(told.String(), ","); keys[0] != "" { // the word itself, or "all" in its place, may have come before or after the subscription
		t.Errorf("told %q", keys)
	}
	if out.count("does not answer") != 1 || out.count("answers again") != 1 {
		t.Errorf("logged %s", out.b.String())
	}
}

// TestHalfOpen: a connection that is open and carries nothing any more is not taken for a healthy one, and is replaced.
func TestHalfOpen(t *testing.T) {
	srv := redistest.Start(t)
	var mu sync.Mutex
	stalled, through := false, []net.Conn{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", srv.Socket)
			if err != nil {
				_ = in.Close()
				continue
			}
			mu.Lock()
			stall := stalled
			through = append(through, in, out)
			mu.Unlock()
			if !stall {
				go func() { _, _ = io.Copy(out, in) }()
				go func() { _, _ = io.Copy(in, &gate{out, &mu, &stalled}) }()
			}
		}
	}()
	b := join(t, "redis://"+ln.Addr().String(), redistest.Prefix(), io.Discard)
	var told heard
	b.Subscribe("a", told.add)
	until(t, "the bus to be healthy", b.Healthy)
	mu.Lock()
	stalled = true
	mu.Unlock()
	until(t, "the silence to be felt", func() bool { return !b.Healthy() })
	mu.Lock()
	stalled = false
	before := len(told.keys)
	mu.Unlock()
	until(t, "the bus to be healthy again", b.Healthy)
	until(t, "the subscriber to be told", func() bool { told.mu.Lock(); defer told.mu.Unlock(); return len(told.keys) > before })
	mu.Lock()
	for _, c := range through {
		_ = c.Close()
	}
	mu.Unlock()
}

// gate swallows what comes while it is stalled.
type gate struct {
	r       io.Reader
	mu      *sync.Mutex
	stalled *bool
}

func (g *gate) Read(p []byte) (int, error) {
	for {
		n, err := g.r.Read(p)
		g.mu.Lock()
		stalled := *g.stalled
		g.mu.Unlock()
		if err != nil || !stalled {
			return n, err
		}
	}
}
