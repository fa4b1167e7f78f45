package openaichat

import (
	"encoding/json"
	"math"

	"github.com/clawless/clawless/server/llm"
)

// maxTokens is more than any call can use; a larger count is a mistake of the server.
const maxTokens = 1 << 40

// count is a number of tokens as servers write it, also as a float. Anything else is -1, which makes the usage void.
type count int64

// UnmarshalJSON takes any JSON value.
func (c *count) UnmarshalJSON(b []byte) error {
	var f float64
	if string(b) == "null" {
		return nil
	}
	*c = -1
	if json.Unmarshal(b, &f) == nil && f >= 0 && f <= maxTokens {
		*c = count(math.Round(f))
	}
	return nil
}

// readUsage reads a usage object; it is nil when there is none yet (null or zeros) or when it cannot be true, so that the caller counts for itself.
func readUsage(raw json.RawMessage) *llm.Usage {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var u struct {
		Prompt     count `json:"prompt_tokens"`
		Completion count `json:"completion_tokens"`
		Total      count `json:"total_tokens"`
		PromptHit  count `json:"prompt_cache_hit_tokens"` // DeepSeek's word for cached tokens
		In         struct {
			Cached count `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		Out struct {
			Reasoning count `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	}
	if json.Unmarshal(raw, &u) != nil || u.Prompt < 0 || u.Completion < 0 || u.Prompt+u.Completion == 0 {
		return nil
	}
	out := &llm.Usage{Input: int64(u.Prompt), Output: int64(u.Completion)}
	out.Cached = min(int64(max(u.In.Cached, u.PromptHit, 0)), out.Input)
	out.Reasoning = int64(max(u.Out.Reasoning, 0))
	if u.Total == u.Prompt+u.Completion+u.Out.Reasoning && u.Out.Reasoning > 0 {
		out.Output += out.Reasoning // xAI counts reasoning beside the completion
	}
	out.Reasoning = min(out.Reasoning, out.Output)
	return out
}
