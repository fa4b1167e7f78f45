package turns

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/toolcalls"
	"github.com/clawless/clawless/server/chat/window"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/mock"
	"github.com/clawless/clawless/server/llm/router"
)

// TestShrink: a model that takes less than was believed gets less each time, until there is only what must be there.
func TestShrink(t *testing.T) {
	p, err := mock.Driver.New(llm.Config{Name: "mock"})
	if err != nil {
		t.Fatal(err)
	}
	k := &call{Call: &engine.Call{Target: router.Target{Provider: p, Model: "echo"}, Req: &llm.Request{}}, tools: &toolcalls.Turn{}}
	k.memory = memory{instructions: []llm.Message{{Role: "system", Content: llm.Text("be brief")}}, window: contextTokens}
	for i := range 100 {
		role := []string{"user", "assistant"}[i%2]
		k.memory.history = append(k.memory.history, window.Message{Message: llm.Message{Role: role, Content: llm.Text(fmt.Sprint(i, strings.Repeat(" word", 500)))}, Sequence: int64(i + 1)})
	}
	k.memory.fresh = len(k.memory.history)
	k.memory.history = append(k.memory.history, window.Message{Message: llm.Message{Role: "user", Content: llm.Text("and now?")}})
	k.rebuild()
	k.Send(k.built.Messages)
	if len(k.Req.Messages) < 90 {
		t.Fatalf("only %d messages to begin with", len(k.Req.Messages))
	}
	last, times := k.built.Tokens, int64(0)
	for k.shrink() {
		if times++; k.built.Tokens >= last || times > 20 {
			t.Fatalf("%d tokens after %d", k.built.Tokens, last)
		}
		last = k.built.Tokens
		if first, end := k.Req.Messages[0], k.Req.Messages[len(k.Req.Messages)-1]; first.Role != "system" || llm.TextOf(end.Content) != "and now?" {
			t.Errorf("from %s to %s", first.Role, end.Content)
		}
	}
	if times < 3 || last > 2*smallestRoom {
		t.Errorf("%d tokens are left after %d times", last, times)
	}
}
