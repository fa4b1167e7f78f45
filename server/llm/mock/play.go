package mock

import (
	"strings"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// script is what a model does: say the text, then call the tools, then end or fail.
type script struct {
	thought string // said before the text, as reasoning
	text    string
	calls   []llm.ToolCall
	pace    time.Duration
	fail    *llm.Error // ends the answer in place of a finish reason, after failAt pieces
	stall   bool       // go silent in place of a finish reason, after failAt pieces
	// failAt is the number of pieces before the failure; zero fails before the answer begins.
	failAt int
}

// play performs the script within the caller's limits: max_tokens, stop and the context.
func (c *call) play(s script, yield func(llm.Chunk, error) bool) {
	if s.fail != nil && s.failAt == 0 {
		yield(llm.Chunk{}, s.fail)
		return
	}
	thoughts, thought, whole := fit(split(s.thought), c.maxTokens)
	text, finish := cutAtStop(s.text, c.stop), llm.FinishStop
	var pieces []string
	used := thought
	if whole {
		pieces, used, whole = fit(split(text), c.maxTokens-thought)
		used += thought
	}
	deltas := []llm.ToolCallDelta(nil)
	switch {
	case !whole:
		finish = llm.FinishLength
	case len(s.calls) > 0:
		var n int64
		deltas, n, finish = fragments(s.calls, c.maxTokens-used)
		used += n
	}
	broken := s.fail != nil || s.stall
	if broken && len(pieces) > s.failAt {
		pieces = pieces[:s.failAt]
	}
	last := llm.Chunk{FinishReason: finish, Usage: &llm.Usage{Input: c.input, Output: used, Reasoning: thought}}
	steps := steps(thoughts, pieces, deltas)
	if !c.req.Stream && !broken {
		if c.wait(s.pace*time.Duration(len(steps)), yield) {
			last.Reasoning, last.Text, last.ToolCalls, last.Model = strings.Join(thoughts, ""), strings.Join(pieces, ""), joined(s.calls, deltas), c.req.Model
			yield(last, nil)
		}
		return
	}
	if !c.speak(steps, s.pace, yield) {
		return
	}
	switch {
	case s.stall:
		if c.wait(c.idle, yield) {
			yield(llm.Chunk{}, &llm.Error{Class: llm.ClassTimeout, Provider: c.provider, Message: "nothing came for " + c.idle.String()})
		}
	case s.fail != nil:
		yield(llm.Chunk{}, s.fail)
	default:
		if len(steps) == 0 {
			last.Model = c.req.Model
		}
		yield(last, nil)
	}
}

// steps are the chunks of a streamed answer but the last one.
func steps(thoughts, pieces []string, deltas []llm.ToolCallDelta) []llm.Chunk {
	out := make([]llm.Chunk, 0, len(thoughts)+len(pieces)+len(deltas))
	for _, t := range thoughts {
		out = append(out, llm.Chunk{Reasoning: t})
	}
	for _, p := range pieces {
		out = append(out, llm.Chunk{Text: p})
	}
	for i := range deltas {
		out = append(out, llm.Chunk{ToolCalls: deltas[i : i+1]})
	}
	return out
}

// speak yields the steps at the script's pace and reports whether to go on.
func (c *call) speak(steps []llm.Chunk, pace time.Duration, yield func(llm.Chunk, error) bool) bool {
	for i, chunk := range steps {
		if !c.wait(pace, yield) {
			return false
		}
		if i == 0 {
			chunk.Model = c.req.Model
		}
		if !yield(chunk, nil) {
			return false
		}
	}
	return true
}

// wait pauses for d and reports whether to go on; when the context ends first it yields the error.
func (c *call) wait(d time.Duration, yield func(llm.Chunk, error) bool) bool {
	if c.ctx.Err() != nil {
		yield(llm.Chunk{}, c.canceled())
		return false
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ctx.Done():
		yield(llm.Chunk{}, c.canceled())
		return false
	}
}

// cutAtStop ends the text before the first stop sequence in it.
func cutAtStop(text string, stop []string) string {
	for _, s := range stop {
		if i := strings.Index(text, s); s != "" && i >= 0 {
			text = text[:i]
		}
	}
	return text
}

// split cuts the text after each run of white space, so that joining the pieces gives it back.
func split(text string) []string {
	var pieces []string
	start, space := 0, false
	for i, r := range text {
		isSpace := r == ' ' || r == '\n' || r == '\t' || r == '\r'
		if space && !isSpace {
			pieces, start = append(pieces, text[start:i]), i
		}
		space = isSpace
	}
	if start < len(text) {
		pieces = append(pieces, text[start:])
	}
	return pieces
}

// fit keeps the pieces that the budget pays for, cutting the last one, and says what they cost and whether all fitted.
func fit(pieces []string, budget int64) (kept []string, used int64, whole bool) {
	for i, p := range pieces {
		n := tokens(p)
		if used+n > budget {
			rest := []rune(p)[:(budget-used)*4]
			if len(rest) > 0 {
				return append(pieces[:i:i], string(rest)), budget, false
			}
			return pieces[:i], used, false
		}
		used += n
	}
	return pieces, used, true
}
