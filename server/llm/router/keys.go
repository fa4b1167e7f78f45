package router

import (
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// How long a key is left alone after a failure that is its own.
const (
	cooledAuth  = 5 * time.Minute  // also of an account without money
	cooledLimit = 30 * time.Second // where the provider does not say how long
)

// key is one credential of a provider, as the provider that was made with it. Keys are used first-good: the first one that is not cooling serves everything, because
// a provider's prompt cache belongs to the account behind the key.
type key struct {
	provider llm.Provider
	until    atomic.Int64 // Unix nanoseconds; the key is cooling until then
}

func (k *key) cooling(now time.Time) bool { return now.UnixNano() < k.until.Load() }

// settle takes in what a call with the key came to.
func (k *key) settle(fail *llm.Error) {
	switch {
	case fail == nil:
		if k.until.Load() != 0 {
			k.until.Store(0)
		}
	case fail.Class == llm.ClassAuth, fail.Class == llm.ClassBilling:
		k.until.Store(time.Now().Add(cooledAuth).UnixNano())
	case fail.Class == llm.ClassRateLimit && fail.RetryAfter > 0:
		k.until.Store(time.Now().Add(fail.RetryAfter).UnixNano())
	case fail.Class == llm.ClassRateLimit:
		k.until.Store(time.Now().Add(cooledLimit).UnixNano())
	}
}

// rotates reports whether another key may do better.
func rotates(c llm.Class) bool {
	return c == llm.ClassRateLimit || c == llm.ClassAuth || c == llm.ClassBilling
}

// pick returns the first key that is not cooling, or else the one that will be good again first: a key that is said to be bad is still better than no call.
func (e *entry) pick() int {
	if len(e.keys) == 1 {
		return 0
	}
	best, now := 0, time.Now()
	for i, k := range e.keys {
		if !k.cooling(now) {
			return i
		}
		if k.until.Load() < e.keys[best].until.Load() {
			best = i
		}
	}
	return best
}

// fresh returns a key that is not cooling, or -1.
func (e *entry) fresh() int {
	now := time.Now()
	for i, k := range e.keys {
		if !k.cooling(now) {
			return i
		}
	}
	return -1
}

// Keys are how a provider's keys are.
type Keys struct {
	OK      int
	Cooling int // left alone for a while, because the provider refused or limited them
}

func (e *entry) health() Keys {
	var out Keys
	now := time.Now()
	for _, k := range e.keys {
		if k.cooling(now) {
			out.Cooling++
		} else {
			out.OK++
		}
	}
	return out
}
