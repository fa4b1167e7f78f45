package chat

import (
	"context"
	"encoding/json"
	"github.com/clawless/clawless/server/chat/engine"
	"iter"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
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
	if r.SessionID != "" {
		return c.askSession(ctx, r)
	}
	f, err := c.stateless(ctx, r)
	if err != nil {
		return nil, err
	}
	reply := &Reply{Answer: f.Answer, Input: f.Input()}
	if !r.Stream {
		reply.stop = f.end
		reply.chunks = func(yield func(llm.Chunk, error) bool) {
			for chunk, err := range c.engine.Metered(f.ctx, f.Call) {
				if err != nil || chunk.FinishReason != "" {
					f.Headers(ctx)
				}
				if !yield(chunk, err) {
					return
				}
			}
		}
		return reply, nil
	}
	o, err := c.open(ctx, f)
	if err != nil {
		return nil, err
	}
	reply.stop = o.stop
	reply.chunks = func(yield func(llm.Chunk, error) bool) {
		for {
			chunk, err, ok := o.next()
			if !ok || !yield(chunk, err) {
				return
			}
		}
	}
	return reply, nil
}

// askSession reads a session's turn from its run's log, as any other reader of the run would.
func (c *Chat) askSession(ctx context.Context, r *dialect.Request) (*Reply, error) {
	live, err := c.Attach(ctx)
	if err == nil && live == nil {
		live, err = c.Start(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	if r.Stream {
		if err := c.begun(ctx, live); err != nil {
			return nil, err
		}
	}
	api.SetHeader(ctx, "Clawless-Run-Id", live.Run.ID)
	a := dialect.NewAnswer(live.Run.ID, live.Run.Model, time.Now())
	a.SessionID, a.RunID = live.Run.SessionID, live.Run.ID
	return &Reply{Answer: a, RunID: live.Run.ID, chunks: chunksOf(ctx, live, a), stop: func() {}}, nil
}

// chunksOf turns a run's frames back into chunks. The last one waits for the usage, which comes after it.
func chunksOf(ctx context.Context, live *runs.Live, a *dialect.Answer) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		var end *llm.Chunk
		for e, err := range live.Log.Read(ctx, 0) {
			switch {
			case err != nil:
			case e.Kind == runs.Failure:
				err = e.Err
			case e.Kind == runs.Frame, e.Kind == runs.Usage:
				var frame dialect.ChatChunk
				if err = json.Unmarshal(e.Data, &frame); err != nil {
					err = engine.Internal()
					break
				}
				chunk := frame.Chunk()
				a.Model = frame.Model
				switch {
				case end != nil && chunk.Usage != nil:
					end.Usage = chunk.Usage
				case chunk.FinishReason != "":
					if frame.Clawless != nil {
						a.Paper, a.Dropped = *frame.Clawless, frame.Clawless.Dropped
					}
					end = &chunk
				case !frame.Says():
				default:
					a.Add(chunk)
					if !yield(chunk, nil) {
						return
					}
				}
			case e.Kind == runs.Done && end != nil:
				a.Add(*end)
				yield(*end, nil)
				return
			}
			if err != nil {
				yield(llm.Chunk{}, fault.From(err))
				return
			}
		}
	}
}
