package chat

import (
	"context"
	"iter"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/llm"
)

// Reply is an admitted question whose answer is read once. Close it.
type Reply struct {
	Answer *dialect.Answer // gathers what was read
	RunID  string          // of a session's turn; empty otherwise
	Input  int64           // about how many tokens the prompt has

	chunks iter.Seq2[llm.Chunk, error]
	stop   func()
}

// Chunks yields the answer's chunks; an error is a fault and the last thing it yields. Answer has taken each chunk in before it is yielded.
func (r *Reply) Chunks() iter.Seq2[llm.Chunk, error] { return r.chunks }

// Close ends the provider's call when the answer was not read to its end. It may be called more than once.
func (r *Reply) Close() { r.stop() }

// Ask admits a question of any dialect: stateless, or a session's turn when it names one. With r.Stream the first chunk has come when it returns, so that a
// failure before it keeps its status.
func (c *Chat) Ask(ctx context.Context, r *dialect.Request) (*Reply, error) {
	f, err := c.stateless(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Reply{Answer: f.answer, Input: f.input(), chunks: c.metered(f.ctx, f.call), stop: f.end}, nil
}
