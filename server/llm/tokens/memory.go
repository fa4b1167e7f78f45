package tokens

import (
	"hash/maphash"
	"sync"
)

// A conversation near its window is counted at every turn, and most of it was counted before. What a text counted is remembered by its hash, never the text.
const (
	worthKeeping = 256     // bytes of a text below which counting is as fast
	kept         = 1 << 14 // counts in each of two generations, some 1.5 MB in all
)

type key struct {
	family family
	length int
	hash   uint64
}

// memory holds counts. A full generation becomes the old one, and what is asked of the old one moves to the new.
type memory struct {
	mu       sync.Mutex
	seed     maphash.Seed
	new, old map[key]int64
}

var counted = sync.OnceValue(func() *memory { return &memory{seed: maphash.MakeSeed(), new: map[key]int64{}} })

func (m *memory) count(f family, text string, count func() int64) int64 {
	k := key{f, len(text), maphash.String(m.seed, text)}
	m.mu.Lock()
	n, ok := m.new[k]
	if !ok {
		n, ok = m.old[k]
	}
	m.mu.Unlock()
	if !ok {
		n = count()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.new) >= kept {
		m.new, m.old = make(map[key]int64, kept), m.new
	}
	m.new[k] = n
	return n
}
