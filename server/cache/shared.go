package cache

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// alone is how old a value may be while changes by other servers cannot be heard.
const alone = time.Second

// Shared is a cache of what several servers may change: who changes something deletes it here, and the bus deletes it in the others. A value lives ttl while the bus is
// healthy. While it is not, no value older than a second is served, and when it is back everything is forgotten. So a stale value is served for a second at most.
// One thing the bus cannot know: a server that Redis cannot be reached from, while the others can, is heard when it is back. What must not wait for that, such as a
// revoked key, belongs into a Cache of one second.
type Shared[V any] struct {
	c     *otter.Cache[string, entry[V]]
	bus   Bus
	topic string

	hits, misses atomic.Uint64

	mu    sync.Mutex
	loads map[string]*load
}

type entry[V any] struct {
	v  V
	at time.Time
}

// load is the making of a key's value, by one or more callers at once. An invalidation marks it, and those that begin later have another.
type load struct {
	callers int
	stale   bool
}

// NewShared makes a cache of at most size entries, under a topic that no other cache of the server has. With a ttl of zero it keeps nothing.
func NewShared[V any](bus Bus, topic string, size int, ttl time.Duration) *Shared[V] {
	s := &Shared[V]{bus: bus, topic: topic, loads: map[string]*load{}}
	if ttl > 0 {
		s.c = otter.Must(&otter.Options[string, entry[V]]{MaximumSize: size, ExpiryCalculator: otter.ExpiryWriting[string, entry[V]](ttl)})
	}
	bus.Subscribe(topic, s.drop)
	return s
}

// Get returns the value of key if it is there and may be served.
func (s *Shared[V]) Get(key string) (v V, ok bool) {
	if s.c != nil {
		if e, there := s.c.GetIfPresent(key); there && (time.Since(e.at) <= alone || s.bus.Healthy()) {
			s.hits.Add(1)
			return e.v, true
		}
	}
	s.misses.Add(1)
	return v, false
}

// Load returns the value of key, which make reads when it is not there. A value that was invalidated while it was read is returned and not kept: it may be older than
// the change. An error is returned and nothing kept.
func (s *Shared[V]) Load(key string, make func() (V, error)) (V, error) {
	if v, ok := s.Get(key); ok {
		return v, nil
	}
	good, keep := false, s.Begin(key)
	var v V
	defer func() { keep(v, good) }()
	v, err := make()
	good = err == nil
	return v, err
}

// Begin is Load for a value that is not made by one function: call it before the value is read, and what it returns, once, afterwards. keep stores the value if it is
// good and was not invalidated in between.
func (s *Shared[V]) Begin(key string) (keep func(v V, good bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.loads[key]
	if l == nil {
		l = &load{}
		s.loads[key] = l
	}
	l.callers++
	at := time.Now() // the value is no older than this
	return func(v V, good bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.callers--; l.callers == 0 && s.loads[key] == l {
			delete(s.loads, key)
		}
		if good && !l.stale && s.c != nil {
			s.c.Set(key, entry[V]{v, at})
		}
	}
}

// Set stores a value that its caller knows to be the newest. For one that was read use Load or Begin.
func (s *Shared[V]) Set(key string, v V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c != nil {
		s.c.Set(key, entry[V]{v, time.Now()})
	}
}

// Delete forgets key, which is not empty, here and in the other servers. Call it after the change is committed.
func (s *Shared[V]) Delete(key string) {
	s.drop(key)
	s.bus.Publish(s.topic, key)
}

// Clear forgets everything, here and in the other servers.
func (s *Shared[V]) Clear() {
	s.drop("")
	s.bus.Publish(s.topic, "")
}

// drop forgets a key, or all for an empty one, and keeps those that are being read from being stored.
func (s *Shared[V]) drop(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key == "" {
		for _, l := range s.loads {
			l.stale = true
		}
		clear(s.loads)
		if s.c != nil {
			s.c.InvalidateAll()
		}
		return
	}
	if l := s.loads[key]; l != nil {
		l.stale = true
		delete(s.loads, key)
	}
	if s.c != nil {
		s.c.Invalidate(key)
	}
}

// HitRatio is the share of Gets that were served from the cache since the start, 0 to 1.
func (s *Shared[V]) HitRatio() float64 {
	hits, misses := s.Counts()
	if hits+misses == 0 {
		return 0
	}
	return float64(hits) / float64(hits+misses)
}

// Counts are how many Gets were served from the cache since the start, and how many were not.
func (s *Shared[V]) Counts() (hits, misses uint64) { return s.hits.Load(), s.misses.Load() }
