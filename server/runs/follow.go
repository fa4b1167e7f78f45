package runs

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/sse"
)

// comeBack is how long a reader whose connection broke is asked to wait.
const comeBack = time.Second

// Follow writes a run's events after a sequence to w until they end, the reader leaves or one write takes longer than timeout. While there are none it gives signs of
// life: chunks that say nothing, which have no id and are in no log.
func Follow(ctx context.Context, w http.ResponseWriter, l *Live, after int64, timeout time.Duration, withIDs, withUsage bool) {
	out := sse.Start(w, timeout)
	defer out.Close()
	if withIDs && out.Retry(comeBack) != nil {
		return
	}
	var newest atomic.Pointer[[]byte]
	out.Beat(l.beat, func() []byte {
		if frame := newest.Load(); frame != nil {
			return BeatOf(*frame)
		}
		return beatOf(l.Run)
	})
	for e, err := range l.Log.Read(ctx, after) {
		if err != nil {
			if ctx.Err() == nil && !withIDs { // the events cannot be reached; a reader with ids comes back, any other must not take this for the end
				_ = out.Data(0, api.ErrorJSON(err, api.RequestID(ctx)))
			}
			return
		}
		if e.Kind == Frame {
			newest.Store(&e.Data)
		}
		if WriteEvent(out, e, withIDs, withUsage) != nil {
			return
		}
	}
}

// WriteEvent writes one event as the chat dialect shows it.
func WriteEvent(out *sse.Writer, e Event, withID, withUsage bool) error {
	id := int64(0)
	if withID {
		id = e.Sequence
	}
	switch {
	case e.Kind == Answer, e.Kind == Usage && !withUsage:
		return nil
	case e.Kind == Done:
		return out.Data(id, []byte("[DONE]"))
	default:
		return out.Data(id, e.Data)
	}
}

// chunk is what all chunks of one answer share, with nothing said.
type chunk struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
}

type choice struct {
	Index        int      `json:"index"`
	Delta        struct{} `json:"delta"`
	FinishReason *string  `json:"finish_reason"`
}

// BeatOf is the chunk that says nothing of the answer to which a frame belongs: a sign of life that every reader of the chat dialect understands. It is nil when the
// frame is not a chunk.
func BeatOf(frame []byte) []byte {
	var head struct {
		ID      string `json:"id"`
		Created int64  `json:"created"`
		Model   string `json:"model"`
	}
	if json.Unmarshal(frame, &head) != nil || head.ID == "" {
		return nil
	}
	return silent(chunk{ID: head.ID, Created: head.Created, Model: head.Model})
}

// beatOf is the chunk that says nothing of a run that has said nothing yet; nil where the run is not known well enough.
func beatOf(r Run) []byte {
	if r.StartedAt.IsZero() || r.Model == "" {
		return nil
	}
	return silent(chunk{ID: "chatcmpl-" + r.ID, Created: r.StartedAt.Unix(), Model: r.Model})
}

func silent(c chunk) []byte {
	c.Object, c.Choices = "chat.completion.chunk", make([]choice, 1)
	b, err := json.Marshal(c)
	if err != nil { // strings and numbers always marshal
		return nil
	}
	return b
}
