package engine

import (
	"context"
	"slices"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/judge"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/router"
)

// Relay streams the call's chunks to yield and keeps what the call comes to in k. An answer that proves unusable before any of it was shown is thrown away once, and
// the next one is asked for. It returns the fault with which the call ended: errLeft when the reader left.
func (c *Engine) Relay(ctx context.Context, k *Call, yield func(llm.Chunk, error) bool) error {
	for {
		w := k.watch()
		k.seen = k.Answer
		if !w.Idle() {
			k.seen = dialect.NewAnswer("", "", time.Time{})
			k.seen.Brief()
			k.seen.Limit = k.Answer.Limit
		}
		end, err := c.try(ctx, k, w, yield)
		if err != nil || end == nil {
			return err
		}
		verdict := w.End(end.FinishReason)
		if verdict != "" && c.again(ctx, k, verdict, w.Text()) {
			continue
		}
		if verdict == judge.Invalid {
			return fault.New(fault.AnswerInvalid, "the answer of %s was not what response_format asks for; ask again, or choose another model", k.Target.ID)
		}
		if !w.Shown() {
			for _, chunk := range w.Release() {
				if !k.show(chunk, yield) {
					return errLeft
				}
			}
		}
		k.Answer.Paper = c.Paper(k)
		if !k.show(*end, yield) {
			return errLeft
		}
		return nil
	}
}

// show passes a chunk on to the reader.
func (k *Call) show(chunk llm.Chunk, yield func(llm.Chunk, error) bool) bool {
	if k.seen != k.Answer {
		k.Answer.Add(chunk)
	}
	return yield(chunk, nil)
}

// try is one call of the router. It returns the chunk that ends the answer, which is not shown yet, with the usage in it; nil when the answer had no end.
func (c *Engine) try(ctx context.Context, k *Call, w *judge.Watch, yield func(llm.Chunk, error) bool) (end *llm.Chunk, err error) {
	journal := &journal{engine: c, call: k}
	defer journal.work.Wait() // a late note must not bill again what was thrown away meanwhile
	calls := &router.Call{Targets: k.targets, Request: k.Req, Caller: k.Tenant.ID, For: k.fit}
	defer func() { k.attempts = append(k.attempts, calls.Attempts...) }()
	for chunk, err := range c.Models.Stream(ctx, calls) {
		if err != nil {
			return nil, explain(ctx, err)
		}
		if k.chunks++; end == nil && k.Target.ID != calls.Used.ID {
			k.Target, k.Answer.Model = calls.Used, calls.Used.ID
		}
		usage := chunk.Usage
		chunk.Usage = nil
		k.seen.Add(chunk)
		if chunk.Usage = c.plausible(k, usage); chunk.Usage != nil {
			k.seen.Usage = chunk.Usage
		}
		cut := k.seen.Finish == "" && c.spent(ctx, k)
		switch {
		case end != nil:
			if chunk.Usage != nil {
				end.Usage = chunk.Usage
			}
		case chunk.FinishReason != "" || cut:
			last := chunk
			if cut {
				last.FinishReason, k.seen.Finish = llm.FinishLength, llm.FinishLength
			}
			end = &last
		default:
			if !k.pass(w, chunk, yield) {
				return nil, errLeft
			}
		}
		if cut {
			return k.last(w, end), nil // leaving the range stops the provider
		}
		journal.note(ctx)
	}
	if end == nil {
		return nil, fault.New(fault.StreamBroken, "the provider sent no end of its answer; ask again")
	}
	return k.last(w, end), nil
}

// last gives the ending chunk's words to the watch, so that they are judged with the rest.
func (k *Call) last(w *judge.Watch, end *llm.Chunk) *llm.Chunk {
	if k.seen == k.Answer || w.Shown() {
		return end
	}
	words := *end
	words.FinishReason, words.Usage = "", nil
	if words.Text != "" || words.Refusal != "" || len(words.ToolCalls) > 0 {
		if released := w.Add(words); len(released) > 0 {
			w.Restore(released)
		}
		*end = llm.Chunk{FinishReason: end.FinishReason, Usage: end.Usage, Model: end.Model}
	}
	return end
}

// pass shows a chunk unless it has to wait.
func (k *Call) pass(w *judge.Watch, chunk llm.Chunk, yield func(llm.Chunk, error) bool) bool {
	if k.seen == k.Answer || w.Shown() {
		return k.show(chunk, yield)
	}
	for _, ready := range w.Add(chunk) {
		if !k.show(ready, yield) {
			return false
		}
	}
	return true
}

// watch is what the answer of this try has to be looked at for.
func (k *Call) watch() *judge.Watch {
	w := &judge.Watch{}
	if k.Checked() {
		w.Form = k.Form
	}
	if k.escalates() {
		w.Empties, w.Past = true, judge.CallsOf(k.Req.Messages)
	}
	return w
}

// Checked reports whether the answer has to be held against its format here, because a model that may give it does not keep to it, or because a better one is at hand.
func (k *Call) Checked() bool {
	return k.Form != nil && (k.escalates() || slices.ContainsFunc(k.targets, func(t router.Target) bool { return !k.native(t) }))
}

// escalates reports whether the strong model is still to be asked if this one fails.
func (k *Call) escalates() bool {
	p := &k.Plan
	return p.Auto() && len(k.tries) == 0 && k.targets[0].ID == p.Rules.Weak && slices.ContainsFunc(p.Targets, func(t router.Target) bool { return t.ID == p.Rules.Strong })
}

// native reports whether the target itself holds the answer to the format that is asked for.
func (k *Call) native(t router.Target) bool {
	own := *k.Req
	own.Model = t.Model
	return llm.NativeSchema(t.Provider, &own)
}

// again throws the answer away and makes ready for one more: of the strong model, or of the same one where its JSON was wrong. It reports false when there is none to
// be had, or nothing left to pay for it.
func (c *Engine) again(ctx context.Context, k *Call, verdict judge.Verdict, said string) bool {
	targets, messages := k.targets, k.Req.Messages
	switch {
	case len(k.tries) > 0 || ctx.Err() != nil:
		return false
	case k.escalates() && k.Target.ID == k.Plan.Rules.Weak:
		targets = slices.Clone(k.Plan.Targets)
		slices.SortStableFunc(targets, func(a, b router.Target) int { return k.rank(a) - k.rank(b) })
		targets = slices.DeleteFunc(targets, func(t router.Target) bool { return t.ID == k.Plan.Rules.Weak })
	case verdict == judge.Invalid:
		messages = append(slices.Clip(messages), llm.Message{Role: "assistant", Content: llm.Text(said)}, llm.Message{Role: "user", Content: llm.Text(k.Form.Again())})
	default:
		return false
	}
	if err := c.discard(ctx, k, verdict, targets, messages); err != nil {
		if !fault.Is(err, fault.QuotaExceeded) && !fault.Is(err, fault.PriceUnknown) {
			c.Log.Warn("no second answer could be reserved", "request_id", k.RequestID, "error", err.Error())
		}
		return false // what is left pays for one answer and not for two
	}
	if n := len(k.attempts); n > 0 {
		k.attempts[n-1].Skipped = string(verdict)
	}
	k.Target, k.seen, k.chunks = targets[0], nil, 0
	k.Answer.Model = k.Target.ID
	return true
}

// discard books the answer that is thrown away and reserves for another, both or neither.
func (c *Engine) discard(ctx context.Context, k *Call, verdict judge.Verdict, targets []router.Target, messages []llm.Message) error {
	if err := c.rebook(ctx, k, "discarded", targets, messages); err != nil {
		return err
	}
	k.tries = append(k.tries, string(verdict))
	return nil
}

// rank puts the strong model before all others.
func (k *Call) rank(t router.Target) int {
	if t.ID == k.Plan.Rules.Strong {
		return 0
	}
	return 1
}

// reasonCache is why no model was asked.
const reasonCache policy.Reason = "cache"

// reason is why the model answers that does.
func (k *Call) reason() policy.Reason {
	switch {
	case k.kept != nil:
		return reasonCache
	case len(k.tries) > 0 && k.Target.ID == k.Plan.Rules.Strong:
		return policy.ReasonEscalation
	case k.Target.ID != k.Plan.Targets[0].ID && len(k.tries) == 0:
		return policy.ReasonFallback
	}
	return k.Plan.Decision.Reason
}

// fit is the request as one target gets it: its thinking level, and words in place of a schema that it cannot be held to.
func (k *Call) fit(t router.Target) (*llm.Request, *llm.Error) {
	effort, ok := k.effortFor(t)
	if !ok {
		return nil, &llm.Error{Class: llm.ClassInvalid, Provider: t.Provider.Name(), Status: 400, Code: string(fault.UnsupportedParam), Param: "reasoning_effort",
			Message: "the model does not think at this level"}
	}
	inWords := k.Form != nil && !k.native(t)
	if effort == k.Req.Effort && !inWords {
		return k.Req, nil
	}
	own := *k.Req
	own.Effort = effort
	if inWords {
		own.Params = without(own.Params, "response_format")
		own.Messages = append([]llm.Message{{Role: "system", Content: llm.Text(k.Form.Instruction())}}, own.Messages...)
	}
	return &own, nil
}

// effortFor is the level that the target is asked for. A level that only a default asks for is left out where the model has no such thing.
func (k *Call) effortFor(t router.Target) (llm.Effort, bool) {
	e := k.Plan.Effort
	switch {
	case e == "", slices.Contains(t.Info.Efforts, e):
		return e, true
	case !t.Known && k.Plan.EffortFrom != "tenant": // nobody knows what it can do, and only a default for all models is left out to be safe
		return e, true
	}
	if e == llm.EffortOff && len(t.Info.Efforts) == 0 || k.Plan.EffortFrom != "message" {
		return "", true
	}
	return "", false
}
