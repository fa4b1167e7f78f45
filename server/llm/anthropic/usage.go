package anthropic

import (
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// usage is Anthropic's count. What was read from its prompt cache and written to it stands beside the input and not in it.
type usage struct {
	Input      *wire.Count `json:"input_tokens"`
	Output     *wire.Count `json:"output_tokens"`
	CacheRead  *wire.Count `json:"cache_read_input_tokens"`
	CacheWrite *wire.Count `json:"cache_creation_input_tokens"`
}

// tally puts the counts of a message's start and end together. Each is cumulative, so the later one counts.
type tally struct {
	input, output, read, write wire.Count
}

func (t *tally) add(u *usage) {
	if u == nil {
		return
	}
	for _, f := range []struct {
		to   *wire.Count
		from *wire.Count
	}{{&t.input, u.Input}, {&t.output, u.Output}, {&t.read, u.CacheRead}, {&t.write, u.CacheWrite}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
}

// total is the usage of the call; nil when there is none or it cannot be true.
func (t *tally) total() *llm.Usage {
	if min(t.input, t.output, t.read, t.write) < 0 || t.input+t.output+t.read+t.write == 0 {
		return nil
	}
	return &llm.Usage{Input: int64(t.input + t.read + t.write), Output: int64(t.output), Cached: int64(t.read), CacheWrite: int64(t.write)}
}
