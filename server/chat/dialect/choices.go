package dialect

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/clawless/clawless/server/llm"
)

const (
	maxFallbacks = 8
	wantedEffort = "must be one of off, minimal, low, medium, high"
)

// choices reads our own additions that decide about models, and how much one shall think.
func (r *reader) choices(req *Request) {
	for _, name := range []string{"thinking", "reasoning_effort"} { // where both are given OpenAI's name wins
		v, ok := r.fields[name]
		if !ok {
			continue
		}
		effort, ok := readEffort(v)
		if !ok {
			r.fail(name, wantedEffort)
			continue
		}
		req.Effort = effort
	}
	r.fallback(req)
}

// fallback is true, false, or a list of models.
func (r *reader) fallback(req *Request) {
	v, ok := r.fields["fallback"]
	if !ok || json.Unmarshal(v, &req.Fallback) == nil {
		return
	}
	if json.Unmarshal(v, &req.FallbackModels) != nil || len(req.FallbackModels) > maxFallbacks {
		r.fail("fallback", "must be true, false, or a list of at most %d models", maxFallbacks)
		return
	}
	for i, m := range req.FallbackModels {
		if m == "" || strings.IndexByte(m, 0) >= 0 {
			r.fail(fmt.Sprintf("fallback[%d]", i), "must be the name of a model")
			continue
		}
		r.short(fmt.Sprintf("fallback[%d]", i), m)
	}
	req.Fallback = true
}

// readEffort reads a level, or Anthropic's object: {"type":"disabled"}, {"type":"enabled","budget_tokens":N}.
func readEffort(v json.RawMessage) (llm.Effort, bool) {
	var level string
	if json.Unmarshal(v, &level) == nil {
		return llm.ParseEffort(level)
	}
	var object struct {
		Type   string `json:"type"`
		Budget int64  `json:"budget_tokens"`
	}
	if json.Unmarshal(v, &object) != nil {
		return "", false
	}
	switch object.Type {
	case "disabled":
		return llm.EffortOff, true
	case "enabled", "adaptive":
		return EffortOf(object.Budget), true
	}
	return "", false
}

// EffortOf is the level whose budget of thinking tokens is nearest above; without a budget it is medium.
func EffortOf(budget int64) llm.Effort {
	switch {
	case budget <= 0:
		return llm.EffortMedium
	case budget <= 1024:
		return llm.EffortMinimal
	case budget <= 4096:
		return llm.EffortLow
	case budget <= 16384:
		return llm.EffortMedium
	}
	return llm.EffortHigh
}
