package mock

import (
	"strings"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// script is what a model does: say the text, then call the tools, then end or fail.
type script struct {
	text  string
	calls []llm.ToolCall
	pace  time.Duration
	fail  *llm.Error // ends the answer in place of a finish reason, after failAt pieces
	stall bool       // go silent in place of a finish reason, after failAt pieces
	// failAt is the number of pieces before the failure; zero fails before the answer begins.
	failAt int
}

// play performs the script within the caller's limits: max_tokens, stop and the context.
func (c *call) play(s script, yield func(llm.Chunk, error) bool) {
	if s.fail != nil && s.failAt == 0 {
		yield(llm.Chunk{}, s.fail)
		return
	}
	text, finish := cutAtStop(s.text, c.stop), llm.FinishStop
	pieces, used, whole := fit(split(text), c.maxTokens)
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
	last := llm.Chunk{FinishReason: finish, Usage: &llm.Usage{Input: c.input, Output: used}}
	if !c.req.Stream && !broken {
		if c.wait(s.pace*time.Duration(len(pieces)+len(deltas)), yield) {
			last.Text, last.ToolCalls, last.Model = strings.Join(pieces, ""), joined(s.calls, deltas), c.req.Model
			yield(last, nil)
		}
		return
	}
	if !c.speak(pieces, deltas, s.pace, yield) {
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
		if len(pieces)+len(deltas) == 0 {
			last.Model = c.req.Model
		}
		yield(last, nil)
	}
}

// speak yields the pieces and fragments at the script's pace and reports whether to go on.
func (c *call) speak(pieces []string, deltas []llm.ToolCallDelta, pace time.Duration, yield func(llm.Chunk, error) bool) bool {
	var chunk llm.Chunk
	for i := range len(pieces) + len(deltas) {
		if !c.wait(pace, yield) {
			return false
		}
		if i < len(pieces) {
			chunk = llm.Chunk{Text: pieces[i]}
		} else {
			chunk = llm.Chunk{ToolCalls: deltas[i-len(pieces) : i-len(pieces)+1]}
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
