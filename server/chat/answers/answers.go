// Package answers keeps the exact answers of tenants who want them kept, so that the same question costs nothing the second time.
package answers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/llm"
)

const (
	maxBytes = 64 << 20       // of all answers of this process
	maxOne   = 256 << 10      // of one answer; longer ones are not kept
	longest  = 24 * time.Hour // that any answer is kept
)

// Cache keeps answers in this process. It is safe for concurrent use.
type Cache struct{ c *cache.Cache[kept] }

type kept struct {
	chunk llm.Chunk
	until time.Time
}

// New makes an empty cache of 64 MiB at most.
func New() *Cache {
	return &Cache{cache.Weighed(maxBytes, longest, func(k kept) int { return weight(k.chunk) })}
}

func weight(c llm.Chunk) int {
	n := 512 + len(c.Text) + len(c.Reasoning) + len(c.Refusal) + len(c.Logprobs)
	for _, d := range c.ToolCalls {
		n += 128 + len(d.Name) + len(d.Arguments)
	}
	return n
}

// Get returns the answer that was stored under key and is still fresh, as one chunk.
func (c *Cache) Get(key string, now time.Time) (llm.Chunk, bool) {
	k, ok := c.c.Get(key)
	if !ok || !now.Before(k.until) {
		return llm.Chunk{}, false
	}
	return k.chunk, true
}

// Put stores a complete answer until the time; one that is too long is not kept.
func (c *Cache) Put(key string, chunk llm.Chunk, until time.Time) {
	if weight(chunk) <= maxOne {
		c.c.Set(key, kept{chunk, until})
	}
}

// Key names a question: the tenant, the model as asked, and everything that is sent. Two questions with one key are the same question.
func Key(tenantID, model string, req *llm.Request) string {
	h := sha256.New()
	part(h, []byte(tenantID), []byte(model), []byte(req.Effort))
	for _, m := range req.Messages {
		b, _ := json.Marshal(m) // raw content was checked when it was read
		part(h, b)
	}
	part(h, []byte("tools"))
	for _, t := range req.Tools {
		b, _ := json.Marshal(t)
		part(h, b)
	}
	part(h, []byte("params"))
	for _, name := range slices.Sorted(maps.Keys(req.Params)) {
		part(h, []byte(name), req.Params[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// part writes each part with its length before it, so that no two lists of parts come to the same bytes.
func part(h hash.Hash, parts ...[]byte) {
	for _, p := range parts {
		h.Write(strconv.AppendInt(nil, int64(len(p)), 10))
		h.Write([]byte{':'})
		h.Write(p)
	}
}
