package cache_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/redis"
	"github.com/clawless/clawless/server/redis/redistest"
)

// moody is a bus whose health a test decides, and which says what a test tells it.
type moody struct {
	cache.Alone
	sick atomic.Bool
	fn   func(string)
	told []string
}

func (m *moody) Publish(topic, key string)             { m.told = append(m.told, topic+"/"+key) }
func (m *moody) Subscribe(_ string, fn func(k string)) { m.fn = fn }
func (m *moody) Healthy() bool                         { return !m.sick.Load() }

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

// TestShared: what is set is served, what is deleted is not and is told to others, and every question is counted.
func TestShared(t *testing.T) {
	bus := &moody{}
	s := cache.NewShared[int](bus, "things", 100, time.Hour)
	if _, ok := s.Get("a"); ok || s.HitRatio() != 0 {
		t.Error("something in an empty cache")
	}
	s.Set("a", 1)
	if v, ok := s.Get("a"); !ok || v != 1 {
		t.Errorf("%d, %v", v, ok)
	}
	s.Delete("a")
	s.Set("b", 2)
	s.Clear()
	for _, k := range []string{"a", "b"} {
		if _, ok := s.Get(k); ok {
			t.Errorf("%s is still there", k)
		}
	}
	if hits, misses := s.Counts(); hits != 1 || misses != 3 || s.HitRatio() != 0.25 {
		t.Errorf("%d hits, %d misses, %v", hits, misses, s.HitRatio())
	}
	if fmt.Sprint(bus.told) != "[things/a things/]" {
		t.Errorf("told %v", bus.told)
	}
	s.Set("a", 1)
	s.Set("b", 2)
	bus.fn("a")
	_, a := s.Get("a")
	_, b := s.Get("b")
	bus.fn("")
	if _, all := s.Get("b"); a || !b || all {
		t.Errorf("after another's word: a %v, b %v; after all: %v", a, b, all)
	}
	none := cache.NewShared[int](bus, "none", 100, 0)
	none.Set("a", 1)
	if v, err := none.Load("a", func() (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	if _, ok := none.Get("a"); ok {
		t.Error("a cache that is off keeps something")
	}
}

// TestLoadDoesNotResurrect: a value that was read before an invalidation is not stored after it, by whichever way it is invalidated; the next reader's is.
func TestLoadDoesNotResurrect(t *testing.T) {
	for name, invalidate := range map[string]func(*cache.Shared[int], *moody){
		"delete": func(s *cache.Shared[int], _ *moody) { s.Delete("k") }, "clear": func(s *cache.Shared[int], _ *moody) { s.Clear() },
		"another server": func(_ *cache.Shared[int], m *moody) { m.fn("k") }, "reconnect": func(_ *cache.Shared[int], m *moody) { m.fn("") },
	} {
		t.Run(name, func(t *testing.T) {
			bus := &moody{}
			s := cache.NewShared[int](bus, "t", 10, time.Hour)
			older := s.Begin("k")
			v, err := s.Load("k", func() (int, error) {
				invalidate(s, bus)
				newer := s.Begin("k")
				newer(2, true)
				older(1, true)
				return 1, nil
			})
			if v != 1 || err != nil {
				t.Errorf("%d, %v", v, err)
			}
			if v, ok := s.Get("k"); !ok || v != 2 {
				t.Errorf("%d, %v", v, ok)
			}
		})
	}
	s := cache.NewShared[int](cache.Alone{}, "t", 10, time.Hour)
	if _, err := s.Load("k", func() (int, error) { return 3, errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Load("k", func() (int, error) { panic("kaboom") })
	}()
	if v, ok := s.Get("k"); ok {
		t.Errorf("a value that was not made: %d", v)
	}
	other := s.Begin("other")
	s.Delete("k")
	other(4, true)
	if v, ok := s.Get("other"); !ok || v != 4 {
		t.Error("another key's invalidation kept this one out")
	}
}

// TestDeaf: while changes cannot be heard nothing older than a second is served, counted from when it was read.
func TestDeaf(t *testing.T) {
	bus := &moody{}
	s := cache.NewShared[int](bus, "t", 10, time.Hour)
	keep := s.Begin("k")
	before := time.Now()
	s.Set("fresh", 1)
	if _, ok := s.Get("fresh"); !ok {
		t.Error("a fresh value is not served")
	}
	bus.sick.Store(true)
	until(t, "the value to be too old", func() bool { _, ok := s.Get("fresh"); return !ok })
	if age := time.Since(before); age < time.Second {
		t.Errorf("too old after %s", age)
	}
	keep(2, true)
	if _, ok := s.Get("k"); ok {
		t.Error("a value that was read more than a second ago is taken for fresh")
	}
	bus.sick.Store(false)
	if _, ok := s.Get("fresh"); !ok {
		t.Error("a healthy bus does not serve what it has")
	}
	if (cache.Deaf{}).Healthy() || !(cache.Alone{}).Healthy() {
		t.Error("the buses without a wire")
	}
}

// truth is what the database would be: versions that only grow.
type truth struct{ versions [8]atomic.Int64 }

// TestNeverStaleAfterCommit changes and reads keys from many goroutines of two servers over a real Redis: what a server reads after its own change is never older than
// that change, and what another server reads settles on the newest.
func TestNeverStaleAfterCommit(t *testing.T) {
	prefix := redistest.Prefix()
	caches := make([]*cache.Shared[int64], 2)
	for i := range caches {
		bus := join(t, redistest.URL(t), prefix)
		caches[i] = cache.NewShared[int64](bus, "versions", 100, time.Hour)
		until(t, "the bus to be healthy", bus.Healthy)
	}
	var db truth
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(4, uint64(worker)))
			own := caches[worker%2]
			for range 300 {
				k := rng.IntN(len(db.versions))
				key := fmt.Sprint(k)
				var least int64
				if rng.IntN(4) == 0 {
					least = db.versions[k].Add(1)
					own.Delete(key)
				}
				got, err := own.Load(key, func() (int64, error) { return db.versions[k].Load(), nil })
				if err != nil || got < least {
					t.Errorf("key %s: %d after a change to %d, %v", key, got, least, err)
				}
			}
		})
	}
	wg.Wait()
	for k := range db.versions {
		for i, c := range caches {
			until(t, fmt.Sprintf("server %d to have the newest of key %d", i, k), func() bool {
				got, err := c.Load(fmt.Sprint(k), func() (int64, error) { return db.versions[k].Load(), nil })
				return err == nil && got == db.versions[k].Load()
			})
		}
	}
}

func join(t testing.TB, url, prefix string) *redis.Bus {
	t.Helper()
	bus := redis.OpenBus(redistest.Open(t, url, prefix))
	t.Cleanup(bus.Close)
	return bus
}

// TestRedisRestart: when Redis is gone no value older than a second is served; when it is back everything is forgotten, and a change that nobody could hear was heard.
func TestRedisRestart(t *testing.T) {
	srv := redistest.Start(t)
	prefix := redistest.Prefix()
	one, two := join(t, srv.URL, prefix), join(t, srv.URL, prefix)
	here, there := cache.NewShared[string](one, "t", 10, time.Hour), cache.NewShared[string](two, "t", 10, time.Hour)
	until(t, "both to be healthy", func() bool { return one.Healthy() && two.Healthy() })
	here.Set("k", "old")
	there.Set("k", "old")
	here.Delete("k")
	until(t, "the other server to hear of it", func() bool { _, ok := there.Get("k"); return !ok })

	there.Set("k", "older")
	there.Set("other", "older")
	srv.Down()
	here.Delete("k") // nobody hears it yet
	until(t, "the loss to be felt", func() bool { _, ok := there.Get("k"); return !ok })
	if _, ok := there.Get("other"); ok || two.Healthy() {
		t.Error("an old value is served while the bus is lost")
	}
	there.Set("k", "brief")
	if v, ok := there.Get("k"); !ok || v != "brief" {
		t.Error("a fresh value is not served for its second")
	}
	srv.Up()
	until(t, "both to be healthy again", func() bool { return one.Healthy() && two.Healthy() })
	for _, k := range []string{"k", "other"} {
		if v, ok := there.Get(k); ok {
			t.Errorf("%s is %q after the reconnection", k, v)
		}
	}
	there.Set("k", "new")
	here.Set("k", "new")
	here.Delete("k")
	until(t, "the bus to work as before", func() bool { _, ok := there.Get("k"); return !ok })
}
