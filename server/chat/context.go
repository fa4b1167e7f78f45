package chat

import (
	"context"
	"github.com/clawless/clawless/server/chat/engine"
	"slices"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/window"
	"github.com/clawless/clawless/server/llm"
)

const (
	contextTokens = 100_000                // of a session's history, at most
	smallestRoom  = 256                    // tokens of history below which cutting helps no more
	listPatience  = 200 * time.Millisecond // for the size of a model's window, which only saves a refusal
)

// memory is what a session's turn can be given: its instructions, and the history with the new messages, oldest first.
type memory struct {
	instructions []llm.Message
	history      []llm.Message
	room         int64 // tokens for the history
}

// room is how many tokens of history the model is given: what its window leaves beside instructions, tools and the answer.
func (c *Chat) room(ctx context.Context, k *call, fixed dialect.Size, maxTokens int64) int64 {
	size := k.Target.Info.ContextWindow
	if size <= 0 {
		ctx, cancel := context.WithTimeout(ctx, listPatience)
		defer cancel()
		list := c.models.Models(ctx)
		i := slices.IndexFunc(list, func(m llm.Model) bool { return m.ID == k.Target.ID })
		if i < 0 || list[i].ContextWindow <= 0 {
			return contextTokens
		}
		size = int64(list[i].ContextWindow)
	}
	answer := maxTokens
	if answer == 0 {
		answer = min(size/4, engine.AnswerStep)
	}
	return min(contextTokens, max((size-answer-fixed.Tokens())*9/10, size/8)) // counting is right to about a tenth
}

// remember sets what the provider gets: the newest part of the memory that fits.
func (k *call) remember(m memory) {
	k.memory = m
	shown := window.Fit(m.history, m.room)
	k.shown = len(shown)
	k.Send(append(slices.Clip(m.instructions), shown...))
}

// shrink cuts the history further, for a model whose window turned out to be smaller. It reports false when there is nothing left to cut.
func (k *call) shrink() bool {
	for room := min(k.memory.room, dialect.Prompt(k.Req.Messages, nil).Tokens()) / 2; room >= smallestRoom; room /= 2 {
		if len(window.Fit(k.memory.history, room)) < k.shown {
			k.memory.room = room
			k.remember(k.memory)
			return true
		}
	}
	return false
}
