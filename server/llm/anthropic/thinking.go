package anthropic

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// thinking is how a request asks for an effort.
type thinking struct {
	json   string // the value of the field thinking, empty for none
	effort string // of output_config, empty for none
	on     bool
	budget int64 // tokens, of models that think within one
}

// budgets are what a level means to a model that thinks within a number of tokens, of which Anthropic's least is 1,024.
var budgets = map[llm.Effort]int64{llm.EffortMinimal: minBudget, llm.EffortLow: 2048, llm.EffortMedium: 8192, llm.EffortHigh: 16384}

const (
	minBudget = 1024
	disabled  = `{"type":"disabled"}`
	adaptive  = `{"type":"adaptive","display":"summarized"}` // newer models hide what they think unless they are asked for it
)

// thinkingOf maps the effort of a request. Models before 4.6, and those of other vendors, think within a budget; later ones take a level.
func thinkingOf(req *llm.Request) (thinking, *llm.Error) {
	age := generationOf(req.Model)
	off := req.Effort == llm.EffortOff
	switch {
	case req.Effort == "":
		return thinking{}, nil
	case age != notClaude && age < thinks:
		if off {
			return thinking{}, nil
		}
		return thinking{}, noEffort(req, llm.EffortOff)
	case off && alwaysThinks(req.Model):
		return thinking{}, noEffort(req, llm.EffortLow, llm.EffortMedium, llm.EffortHigh)
	case off:
		return thinking{json: disabled}, nil
	case age < adapts:
		return thinking{on: true, budget: budgets[req.Effort]}, nil
	case req.Effort == llm.EffortMinimal && alwaysThinks(req.Model):
		return thinking{}, noEffort(req, llm.EffortLow, llm.EffortMedium, llm.EffortHigh)
	case req.Effort == llm.EffortMinimal:
		return thinking{}, noEffort(req, llm.EffortOff, llm.EffortLow, llm.EffortMedium, llm.EffortHigh)
	}
	return thinking{json: adaptive, effort: string(req.Effort), on: true}, nil
}

// fit puts the budget under the limit of the answer, which counts both: the caller's limit keeps half of it for the answer where that leaves enough to think with,
// and without one the model gets what it usually has on top.
//
// A model with a budget must be shown its own signed thoughts of the turn under way when a tool has answered. Those are not kept, so such a call goes without thinking;
// the model has thought before it called the tool.
func (t *thinking) fit(req *llm.Request, continues bool) (maxTokens string, fail *llm.Error) {
	if t.budget == 0 || continues {
		if t.budget > 0 {
			*t = thinking{json: disabled}
		}
		return limitOf(req), nil
	}
	name, raw, ok := callersLimit(req)
	if !ok {
		t.setBudget(t.budget)
		return strconv.FormatInt(t.budget+defaultMaxTokens, 10), nil
	}
	var limit int64
	if json.Unmarshal(raw, &limit) != nil {
		return "", invalid(name, name+" must be a whole number")
	}
	if limit <= minBudget {
		return "", unsupported(name, fmt.Sprintf("%s must be over %d for %s to think; raise it or set reasoning_effort to off", name, minBudget, req.Model))
	}
	t.setBudget(min(t.budget, max(limit/2, minBudget)))
	return string(raw), nil
}

func (t *thinking) setBudget(n int64) {
	t.budget = n
	t.json = `{"type":"enabled","budget_tokens":` + strconv.FormatInt(n, 10) + `}`
}

// checkSampling refuses what Anthropic does not take from a model of this age, or beside thinking. A value of 1 is the default of both and asks for nothing.
func (t *thinking) checkSampling(req *llm.Request) *llm.Error {
	age := generationOf(req.Model)
	for _, name := range []string{"temperature", "top_p"} {
		raw, ok := wire.Present(req.Params, name)
		if !ok || isOne(raw) {
			continue
		}
		if age >= unsampled {
			return unsupported(name, req.Model+" has no "+name+"; leave it out")
		}
		var v float64
		if t.on && (name == "temperature" || json.Unmarshal(raw, &v) != nil || v < 0.95) {
			return unsupported(name, req.Model+" takes no "+name+" while it thinks; leave it out or set reasoning_effort to off")
		}
	}
	if raw, ok := wire.Present(req.Params, "tool_choice"); ok && t.on && string(raw) != `"auto"` && string(raw) != `"none"` {
		return unsupported("tool_choice", req.Model+" cannot be made to call a tool while it thinks; use auto or none, or set reasoning_effort to off")
	}
	return nil
}

func isOne(raw json.RawMessage) bool {
	var v float64
	return json.Unmarshal(raw, &v) == nil && v == 1
}

func noEffort(req *llm.Request, has ...llm.Effort) *llm.Error {
	words := make([]string, len(has))
	for i, h := range has {
		words[i] = string(h)
	}
	return unsupported("reasoning_effort", fmt.Sprintf("%s has no thinking level %s; use %s, or leave reasoning_effort out", req.Model, req.Effort, strings.Join(words, ", ")))
}

// callersLimit is the limit that the caller set, under the name by which it was set.
func callersLimit(req *llm.Request) (name string, raw json.RawMessage, ok bool) {
	for _, name := range []string{"max_completion_tokens", "max_tokens"} {
		if raw, ok := wire.Present(req.Params, name); ok {
			return name, raw, true
		}
	}
	return "", nil, false
}
