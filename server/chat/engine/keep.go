package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/answers"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
)

// Remember looks for the answer to the same question, where the tenant wants answers kept.
func (c *Engine) Remember(k *Call) {
	if k.Tenant.Settings.AnswerCacheSeconds <= 0 {
		return
	}
	// The model as it was decided and not as it was asked for: default is another one after a change of the settings, and what may answer may change too.
	k.stored = answers.Key(k.Tenant.ID, k.Plan.Ask.Model, k.Req)
	if chunk, ok := c.Answers.Get(k.stored, time.Now()); ok && k.mayAnswer(chunk.Model) {
		k.kept = &chunk
		k.Answer.Model = chunk.Model
	}
}

// mayAnswer reports whether the model of this full id is one of those that the call is planned for.
func (k *Call) mayAnswer(id string) bool {
	return slices.ContainsFunc(k.targets, func(t router.Target) bool { return t.ID == id })
}

// recall yields the kept answer. It costs nothing and no provider hears of it.
func (k *Call) recall(yield func(llm.Chunk, error) bool) {
	k.seen, k.Target = k.Answer, router.Target{ID: k.kept.Model}
	said, end := *k.kept, llm.Chunk{FinishReason: k.kept.FinishReason, Usage: k.kept.Usage}
	said.FinishReason, said.Usage = "", nil
	if k.Who.Kind != auth.Visitor {
		free := int64(0)
		k.Answer.Paper = dialect.Receipt{Asked: k.Plan.Asked, Cache: "hit", CostMicros: &free, Route: &dialect.Route{Reason: string(reasonCache)}, Tokens: &dialect.Tokens{}}
	}
	for _, chunk := range []llm.Chunk{said, end} {
		k.Answer.Add(chunk)
		if !yield(chunk, nil) {
			return
		}
	}
}

// keep stores a complete answer for the tenant. One that was cut short is no answer to keep.
func (c *Engine) keep(k *Call) {
	a := k.Answer
	if k.stored == "" || !a.Started() || strings.TrimSpace(a.Said()) == "" && a.Refused() == "" && len(a.Calls()) == 0 || a.Finish != llm.FinishStop && a.Finish != llm.FinishToolCalls {
		return
	}
	u := a.Total(k.Input())
	chunk := llm.Chunk{Text: a.Said(), Reasoning: a.Reasoning(), Refusal: a.Refused(), FinishReason: a.Finish, Usage: &u, Model: a.Model}
	if odds := a.Body(0).Choices[0].Logprobs; string(odds) != "null" {
		chunk.Logprobs = odds
	}
	for i, t := range a.Calls() {
		chunk.ToolCalls = append(chunk.ToolCalls, llm.ToolCallDelta{Index: i, ID: t.ID, Name: t.Function.Name, Arguments: t.Function.Arguments})
	}
	c.Answers.Put(k.stored, chunk, time.Now().Add(time.Duration(k.Tenant.Settings.AnswerCacheSeconds)*time.Second))
}
