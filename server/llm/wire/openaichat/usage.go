package openaichat

import (
	"encoding/json"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// readUsage reads a usage object; it is nil when there is none yet (null or zeros) or when it cannot be true, so that the caller counts for itself.
func readUsage(raw json.RawMessage) *llm.Usage {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var u struct {
		Prompt     wire.Count `json:"prompt_tokens"`
		Completion wire.Count `json:"completion_tokens"`
		Total      wire.Count `json:"total_tokens"`
		PromptHit  wire.Count `json:"prompt_cache_hit_tokens"` // DeepSeek's word for cached tokens
		In         struct {
			Cached wire.Count `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		Out struct {
			Reasoning wire.Count `json:"reasoning_tokens"`
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
