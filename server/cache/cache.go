// Package cache keeps values for a short time in this process, bounded in number, so that hot look-ups cost no query; a shared one hears of other servers' changes.
package cache

import (
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
)

// Cache maps strings to values that expire ttl after they were set. It is safe for concurrent use.
type Cache[V any] struct {
	c     *otter.Cache[string, V]
	count *stats.Counter
}

// New makes a cache of at most size entries. ttl is the longest time for which a stale value can be served.
func New[V any](size int, ttl time.Duration) *Cache[V] {
	count := stats.NewCounter()
	c := otter.Must(&otter.Options[string, V]{MaximumSize: size, ExpiryCalculator: otter.ExpiryWriting[string, V](ttl), StatsRecorder: count})
	return &Cache[V]{c: c, count: count}
}

// Get returns the value of key if it is there and fresh.
func (c *Cache[V]) Get(key string) (V, bool) { return c.c.GetIfPresent(key) }

// Set stores the value of key.
func (c *Cache[V]) Set(key string, v V) { c.c.Set(key, v) }

// Delete forgets key.
func (c *Cache[V]) Delete(key string) { c.c.Invalidate(key) }

// Clear forgets everything.
func (c *Cache[V]) Clear() { c.c.InvalidateAll() }

// HitRatio is the share of Gets that found a value since the start, 0 to 1.
func (c *Cache[V]) HitRatio() float64 { return c.count.Snapshot().HitRatio() }

// Weighed makes a cache whose values weigh at most limit together, as weigh says in bytes.
func Weighed[V any](limit uint64, ttl time.Duration, weigh func(V) int) *Cache[V] {
	count := stats.NewCounter()
	c := otter.Must(&otter.Options[string, V]{MaximumWeight: limit, Weigher: func(_ string, v V) uint32 { return uint32(max(0, weigh(v))) },
		ExpiryCalculator: otter.ExpiryWriting[string, V](ttl), StatsRecorder: count})
	return &Cache[V]{c: c, count: count}
}
