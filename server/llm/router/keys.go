package router

import (
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// How long a key is left alone after a failure that is its own.
const (
	cooledAuth  = 5 * time.Minute  // also of an account without money
	cooledLimit = 30 * time.Second // where the provider does not say how long
	keyModels   = 64               // of one key are remembered to be cooling; names come from tenants
)

// key is one credential of a provider, as the provider that was made with it. Keys are used first-good: the first one that is not cooling serves everything, because
// a provider's prompt cache belongs to the account behind the key. A refusal of the key, or of an account without money, is about the whole key; what is forbidden
// (403) or limited (429) is often one model, and leaves the key to the others.
type key struct {
	provider llm.Provider
	until    atomic.Int64 // Unix nanoseconds; the whole key is cooling until then

	some   atomic.Bool // models is not empty
	mu     sync.Mutex
	models map[string]int64 // until when the key is cooling for one model
}

func (k *key) cooling(model string, now time.Time) bool { return now.UnixNano() < k.good(model) }

// good is when the key may be used for a model again; for the name "" only the whole key counts.
func (k *key) good(model string) int64 {
	until := k.until.Load()
	if model == "" || !k.some.Load() {
		return until
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return max(until, k.models[model])
}

// settle takes in what a call of a model with the key came to.
func (k *key) settle(model string, fail *llm.Error) {
	switch {
	case fail == nil:
		if k.until.Load() != 0 {
			k.until.Store(0)
		}
		k.cool(model, time.Time{})
	case fail.Class == llm.ClassAuth && fail.Status == http.StatusForbidden:
		k.cool(model, time.Now().Add(cooledAuth))
	case fail.Class == llm.ClassAuth, fail.Class == llm.ClassBilling:
		k.until.Store(time.Now().Add(cooledAuth).UnixNano())
	case fail.Class == llm.ClassRateLimit && fail.RetryAfter > 0:
		k.cool(model, time.Now().Add(fail.RetryAfter))
	case fail.Class == llm.ClassRateLimit:
		k.cool(model, time.Now().Add(cooledLimit))
	}
}

// cool leaves the key alone for one model; the zero time ends that. Where too many are remembered, those that are over make room, else the one that is over first.
func (k *key) cool(model string, until time.Time) {
	if until.IsZero() && !k.some.Load() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.models, model)
	if !until.IsZero() {
		if k.models == nil {
			k.models = map[string]int64{}
		}
		if len(k.models) >= keyModels {
			k.room()
		}
		k.models[model] = until.UnixNano()
	}
	k.some.Store(len(k.models) > 0)
}

// room forgets models; the caller holds the lock.
func (k *key) room() {
	first, at, now := "", int64(math.MaxInt64), time.Now().UnixNano()
	for m, until := range k.models {
		if until <= now {
			delete(k.models, m)
		} else if until < at {
			first, at = m, until
		}
	}
	if len(k.models) >= keyModels {
		delete(k.models, first)
	}
}

// rotates reports whether another key may do better.
func rotates(c llm.Class) bool {
	return c == llm.ClassRateLimit || c == llm.ClassAuth || c == llm.ClassBilling
}

// pick returns the first key that is not cooling for a model, or else the one that will be good again first: a key that is said to be bad is still better than no call.
func (e *entry) pick(model string) int {
	if len(e.keys) == 1 {
		return 0
	}
	best, now := 0, time.Now()
	for i, k := range e.keys {
		if !k.cooling(model, now) {
			return i
		}
		if k.good(model) < e.keys[best].good(model) {
			best = i
		}
	}
	return best
}

// fresh returns a key that is not cooling for a model, or -1.
func (e *entry) fresh(model string) int {
	now := time.Now()
	for i, k := range e.keys {
		if !k.cooling(model, now) {
			return i
		}
	}
	return -1
}

// Keys are how a provider's keys are.
type Keys struct {
	OK      int
	Cooling int // left alone for a while, because the provider refused them or their account has no money; a key that is limited or forbidden for some models is OK
}

func (e *entry) health() Keys {
	var out Keys
	now := time.Now()
	for _, k := range e.keys {
		if k.cooling("", now) {
			out.Cooling++
		} else {
			out.OK++
		}
	}
	return out
}
