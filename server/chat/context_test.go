package chat

import (
	"fmt"
	"github.com/clawless/clawless/server/chat/engine"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// TestShrink: a context that was refused is cut until one message is left, and then no further.
func TestShrink(t *testing.T) {
	k := &call{Call: &engine.Call{Req: &llm.Request{}}}
	var long []llm.Message
	for i := range 200 {
		long = append(long, llm.Message{Role: "user", Content: llm.Text(strings.Repeat(fmt.Sprint(i, " "), 200))})
	}
	k.remember(memory{instructions: []llm.Message{{Role: "system", Content: llm.Text("be brief")}}, history: long, room: contextTokens})
	before := len(k.Req.Messages)
	for k.shrink() {
		if now := len(k.Req.Messages); now >= before || k.Req.Messages[0].Role != "system" || k.Req.Messages[now-1].Role != "user" {
			t.Fatalf("%d messages after %d", now, before)
		} else {
			before = now
		}
	}
	if before > 3 {
		t.Errorf("%d messages are left", before)
	}
}
