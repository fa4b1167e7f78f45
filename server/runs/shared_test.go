package runs

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

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/redis"
	"github.com/clawless/clawless/server/redis/redistest"
	"github.com/clawless/clawless/server/runs/mirror"
)

// replica is a hub as a server of several has it.
type replica struct {
	*Hub
	redis *redis.Client
	bus   *redis.Bus
}

// replicas makes hubs on one database and one Redis, and waits until they hear each other.
func replicas(t testing.TB, d *db.DB, url string, n int, o Options) []replica {
	t.Helper()
	prefix := redistest.Prefix()
	out := make([]replica, n)
	for i := range out {
		c := redistest.Open(t, url, prefix)
		bus := redis.OpenBus(c)
		t.Cleanup(bus.Close)
		o.DB, o.Redis, o.Bus = d, c, bus
		out[i] = replica{New(o), c, bus}
		t.Cleanup(out[i].Close)
	}
	for _, r := range out {
		until(t, "the bus to be healthy", r.bus.Healthy)
	}
	return out
}

// TestFollowElsewhere: readers on another server see each event of live and finished runs once, in order and as it was, from wherever they begin.
func TestFollowElsewhere(t *testing.T) {
	d := dbtest.New(t)
	const many, frames = 12, 300
	for i := range many {
		tenants(t, d, fmt.Sprint("ten_", i))
	}
	servers := replicas(t, d, "", 2, Options{Retention: time.Hour})
	here, there := servers[0], servers[1]
	var wg sync.WaitGroup
	var lives [many]*Live
	for i := range many {
		half := make(chan struct{})
		ten := fmt.Sprint("ten_", i)
		lives[i] = begin(t, here.Hub, d, Run{ID: fmt.Sprint("run_", i), TenantID: ten, SessionID: "ses_" + ten}, func(_ context.Context, l *Log) error {
			says(l, frames/2, 10*i)
			<-half
			says(l, frames/2, 0)
			if i%4 == 3 {
				return fault.New(fault.StreamBroken, "it broke")
			}
			return nil
		})
		for reader := range 3 {
			from := int64(reader * 70)
			l, err := there.Find(t.Context(), read(t, d, ten, fmt.Sprint("run_", i)))
			if err != nil {
				t.Fatal(err)
			}
			if !l.Log.IsFar() {
				t.Fatal("the other server has the run itself")
			}
			wg.Go(func() {
				got := rest(t, l, from)
				same(t, got, rest(t, lives[i], 0)[from:])
			})
		}
		close(half)
	}
	wg.Wait()
	for _, l := range lives {
		readAgain(t, there, d, l)
	}
	write(t, d, func(ctx context.Context, q db.Querier) error {
		_, err := ageRuns.Exec(ctx, q, nil)
		return err
	})
	foreign := read(t, d, "ten_0", "run_0")
	foreign.TenantID = "ten_1"
	if _, err := there.Find(t.Context(), foreign); !fault.Is(err, fault.RunExpired) {
		t.Errorf("another tenant's: %v", err)
	}
	if s := here.Stats(); s.Failed != 0 || s.Behind != 0 || s.Stored != 0 {
		t.Errorf("%+v", s)
	}
	if err := here.Keep(t.Context()); err != nil || here.Stats().Stored != 0 {
		t.Errorf("what Redis has is stored too: %+v, %v", here.Stats(), err)
	}
}

// readAgain waits until a run is over and demands that another server shows what its own does.
func readAgain(t *testing.T, there replica, d *db.DB, l *Live) {
	t.Helper()
	finished(t, l)
	r := read(t, d, l.Run.TenantID, l.Run.ID)
	until(t, "the copy to be whole", func() bool { return l.copy.Whole() })
	got, err := there.Find(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", r.ID, err)
	}
	same(t, rest(t, got, 5), rest(t, l, 5))
}

// TestCancelElsewhere: a cancel on another server reaches the run through the bus within a second, and answers when it has settled.
func TestCancelElsewhere(t *testing.T) {
	d := dbtest.New(t)
	tenants(t, d, "ten_a", "ten_b")
	servers := replicas(t, d, "", 2, Options{})
	stopped := make(chan time.Time, 1)
	begin(t, servers[0].Hub, d, Run{ID: "run_1", TenantID: "ten_a", SessionID: "ses_ten_a"}, func(ctx context.Context, l *Log) error {
		says(l, 1, 0)
		<-ctx.Done()
		stopped <- time.Now()
		return context.Cause(ctx)
	})
	routes := Routes{DB: d, Hub: servers[1].Hub}
	foreign := auth.With(t.Context(), auth.Principal{TenantID: "ten_b"})
	if _, err := routes.cancel(foreign, &RunPath{Run: "run_1"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("another tenant's: %v", err)
	}
	servers[1].Stop(Run{ID: "run_1", TenantID: "ten_b"})
	select {
	case <-stopped:
		t.Fatal("another tenant has stopped the run")
	default:
	}
	start := time.Now()
	out, err := routes.cancel(auth.With(t.Context(), auth.Principal{TenantID: "ten_a"}), &RunPath{Run: "run_1"})
	if err != nil || out.Body.Status != "cancelled" || out.Body.Error == nil || out.Body.Error.Code != "run_cancelled" {
		t.Fatalf("%+v, %v", out, err)
	}
	if took := (<-stopped).Sub(start); took > time.Second {
		t.Errorf("stopped after %s", took)
	}
	if out, err = routes.cancel(auth.With(t.Context(), auth.Principal{TenantID: "ten_a"}), &RunPath{Run: "run_1"}); err != nil || out.Body.Status != "cancelled" {
		t.Errorf("again: %+v, %v", out, err)
	}
}

// TestRedisRestart: a run goes on while Redis is away and loses nothing, and when Redis is back and empty, other servers see it from the first event on.
func TestRedisRestart(t *testing.T) {
	srv, d := redistest.Start(t), dbtest.New(t)
	tenants(t, d, "ten_a", "ten_b")
	servers := replicas(t, d, srv.URL, 2, Options{Retention: time.Hour})
	here, there := servers[0], servers[1]
	over := begin(t, here.Hub, d, Run{ID: "run_0", TenantID: "ten_b", SessionID: "ses_ten_b"}, func(_ context.Context, l *Log) error { says(l, 40, 9); return nil })
	finished(t, over)
	step := make(chan struct{})
	l := begin(t, here.Hub, d, Run{ID: "run_1", TenantID: "ten_a", SessionID: "ses_ten_a"}, func(_ context.Context, l *Log) error {
		for range 4 {
			says(l, 50, 0)
			<-step
		}
		return nil
	})
	r := read(t, d, "ten_a", "run_1")
	far, err := there.Find(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan []Event, 1)
	go func() { got <- rest(t, far, 0) }()
	until(t, "the copy to be there", func() bool { return here.Stats().Behind == 0 && over.copy.Whole() })
	step <- struct{}{}
	srv.Down()
	step <- struct{}{} // the run does not wait
	until(t, "the loss to be felt", func() bool { return here.Stats().Failed > 0 })
	srv.Up()
	until(t, "both to be back", func() bool { return here.bus.Healthy() && there.bus.Healthy() })
	step <- struct{}{}
	step <- struct{}{}
	finished(t, l)
	want := rest(t, l, 0)
	same(t, <-got, want)
	until(t, "the copy to be whole", func() bool { return l.copy.Whole() })
	again, err := there.Find(t.Context(), read(t, d, "ten_a", "run_1"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, rest(t, again, 0), want)
	var past *Live
	until(t, "the finished run to be copied again", func() bool {
		past, err = there.Find(t.Context(), read(t, d, "ten_b", "run_0"))
		return err == nil && past.Log.IsFar()
	})
	same(t, rest(t, past, 0), rest(t, over, 0))
}

// logged gathers what is logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), what)
}

// stalled takes connections and never answers.
func stalled(t testing.TB) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() { _, _ = io.Copy(io.Discard, c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "redis://" + ln.Addr().String()
}

// TestSlowRedis: a Redis that takes everything and answers nothing costs a run no time; it is told once, counted, and what does not reach it is stored when there is no room.
func TestSlowRedis(t *testing.T) {
	d := dbtest.New(t)
	tenants(t, d, "ten_a")
	out := &logged{}
	c := redistest.Open(t, stalled(t), redistest.Prefix())
	h := New(Options{DB: d, Redis: c, Retention: time.Hour, MaxBytes: 40_000, Log: slog.New(slog.NewTextHandler(out, nil))})
	start := time.Now()
	l := begin(t, h, d, Run{ID: "run_1", TenantID: "ten_a", SessionID: "ses_ten_a"}, func(_ context.Context, l *Log) error { says(l, 20_000, 100); return nil })
	finished(t, l)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the run took %s", took)
	}
	until(t, "the log to be stored", func() bool { return h.Stats().Stored == 1 })
	until(t, "two attempts", func() bool { return h.Stats().Failed >= 1 })
	until(t, "the queue to be given up", func() bool { return h.Stats().Behind == 0 })
	if n := out.count("cannot be copied"); n != 1 {
		t.Errorf("logged %d times: %s", n, out.b.String())
	}
	got, err := h.Find(t.Context(), read(t, d, "ten_a", "run_1"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, rest(t, got, 19_000), rest(t, l, 19_000))
	h.Close()
}

// TestForgetElsewhere: a session that is deleted on one server leaves the memory of the others and Redis, and nothing of another session or tenant goes with it.
func TestForgetElsewhere(t *testing.T) {
	d := dbtest.New(t)
	tenants(t, d, "ten_a", "ten_b")
	session(t, d, "ten_a", "ses_2")
	servers := replicas(t, d, "", 2, Options{Retention: time.Hour})
	here, there := servers[0], servers[1]
	var lives []*Live
	for i, r := range []Run{{TenantID: "ten_a", SessionID: "ses_ten_a"}, {TenantID: "ten_a", SessionID: "ses_2"}, {TenantID: "ten_b", SessionID: "ses_ten_b"}} {
		r.ID = fmt.Sprint("run_", i)
		l := begin(t, here.Hub, d, r, func(_ context.Context, l *Log) error { says(l, 5, 5); return nil })
		finished(t, l)
		lives = append(lives, l)
	}
	until(t, "the copies to be whole", func() bool { return lives[0].copy.Whole() && lives[1].copy.Whole() && lives[2].copy.Whole() })
	inRedis := func() (out []bool) {
		for _, l := range lives {
			last, err := there.redis.Last(t.Context(), mirror.Stream(l.Run.TenantID, l.Run.ID))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, last.Number > 0)
		}
		return out
	}
	if err := there.Forget(t.Context(), "ten_a", "ses_ten_a"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(inRedis()); got != "[false true true]" {
		t.Errorf("in Redis: %s", got)
	}
	until(t, "the memory to be free of it", func() bool { _, ok := here.Get("ten_a", "", "run_0"); return !ok })
	if s := here.Stats(); s.Finished != 2 {
		t.Errorf("%+v", s)
	}
	if err := there.Forget(t.Context(), "ten_a"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(inRedis()); got != "[false false true]" {
		t.Errorf("in Redis: %s", got)
	}
	until(t, "the memory to be free of the tenant", func() bool { return here.Stats().Finished == 1 })
}

// TestServerDies: readers of a run whose server was killed get the end that its row tells, and what came before is not repeated.
func TestServerDies(t *testing.T) {
	d := dbtest.New(t)
	tenants(t, d, "ten_a")
	servers := replicas(t, d, "", 2, Options{Retention: time.Hour})
	here, there := servers[0], servers[1]
	r := Run{ID: "run_1", TenantID: "ten_a", SessionID: "ses_ten_a", RequestID: "req_1", StartedAt: db.At(time.Now())}
	write(t, d, func(ctx context.Context, q db.Querier) error { return Insert(ctx, q, r, "node_dead") })
	end := make(chan struct{})
	l, err := here.Start(t.Context(), r, func(_ context.Context, l *Live) { says(l.Log, 3, 0); <-end })
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the copy to be there", func() bool { return l.Log.Len() == 5 && here.Stats().Behind == 0 })
	far, err := there.Find(t.Context(), read(t, d, "ten_a", "run_1"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, func(ctx context.Context, q db.Querier) error {
		_, err := Interrupt(ctx, q, true, time.Now())
		return err
	})
	got := rest(t, far, 2)
	last := got[len(got)-1]
	if len(got) != 4 || got[0].Sequence != 3 || last.Kind != Failure || last.Sequence != 0 || !fault.Is(last.Err, fault.RunInterrupted) || !bytes.Contains(last.Data, []byte(`"req_1"`)) {
		t.Errorf("%+v", got)
	}
	write(t, d, func(ctx context.Context, q db.Querier) error {
		_, err := dropSession.Exec(ctx, q, db.TenantOf("ten_a"), db.Args{"id": "ses_ten_a"})
		return err
	})
	if got := rest(t, far, 5); len(got) != 1 || !fault.Is(got[0].Err, fault.NotFound) {
		t.Errorf("after its session was deleted: %+v", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range far.Log.Read(gone, 5) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
	close(end)
}

// TestRetentionInRedis: a finished run leaves Redis when its time is over, and with a Redis that has everything the memory is freed without the database.
func TestRetentionInRedis(t *testing.T) {
	d := dbtest.New(t)
	tenants(t, d, "ten_a")
	servers := replicas(t, d, "", 2, Options{Retention: 1500 * time.Millisecond, MaxBytes: 2000})
	l := begin(t, servers[0].Hub, d, Run{ID: "run_1", TenantID: "ten_a", SessionID: "ses_ten_a"}, func(_ context.Context, l *Log) error { says(l, 10, 20); return nil })
	finished(t, l)
	until(t, "the stream to go", func() bool {
		missing, err := servers[1].redis.Missing(t.Context(), []string{mirror.Stream("ten_a", "run_1")})
		return err == nil && len(missing) == 1 && time.Since(read(t, d, "ten_a", "run_1").FinishedAt.Time) >= 1500*time.Millisecond
	})
	if err := servers[0].Sweep(t.Context()); err != nil || servers[0].Stats().Finished != 0 {
		t.Errorf("%+v, %v", servers[0].Stats(), err)
	}
}
