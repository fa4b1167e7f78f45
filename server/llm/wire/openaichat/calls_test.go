package openaichat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// TestTooManyCalls: an answer of more calls than anybody needs is a broken one, in a stream, in one frame and in one piece; one of as many as allowed is read.
func TestTooManyCalls(t *testing.T) {
	one := func(i int) string {
		return fmt.Sprintf(`{"index":%d,"id":"c%d","type":"function","function":{"name":"f","arguments":"{}"}}`, i, i)
	}
	for _, n := range []int{maxCalls, maxCalls + 1, 20 * maxCalls} {
		var list []string
		var stream strings.Builder
		for i := range n {
			list = append(list, one(i))
			stream.WriteString(`data: {"choices":[{"index":0,"delta":{"tool_calls":[` + one(i) + `]}}]}` + "\n\n")
		}
		all, end := strings.Join(list, ","), `data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`+"\n\ndata: [DONE]\n\n"
		for name, h := range map[string][2]string{
			"a stream":  {"text/event-stream", stream.String() + end},
			"a frame":   {"text/event-stream", `data: {"choices":[{"index":0,"delta":{"tool_calls":[` + all + `]}}]}` + "\n\n" + end},
			"one piece": {"application/json", `{"choices":[{"index":0,"message":{"role":"assistant","tool_calls":[` + all + `]},"finish_reason":"tool_calls"}]}`},
		} {
			a := collect(t, serve(t, Dialect{}, reply(h[0], h[1])), &llm.Request{Model: "m", Stream: h[0] == "text/event-stream"})
			switch {
			case n > maxCalls && (a.err == nil || a.err.Class != llm.ClassBroken || len(a.calls) > maxCalls || !strings.Contains(a.err.Message, "256")):
				t.Errorf("%s of %d calls: %d calls, %v", name, n, len(a.calls), a.err)
			case n == maxCalls && (a.err != nil || len(a.calls) != n || a.calls[n-1].Function.Arguments != "{}"):
				t.Errorf("%s of %d calls: %d calls, %v", name, n, len(a.calls), a.err)
			}
		}
	}
}

// TestArgumentsBeforeTheName: what comes before a call's name is kept and passed on with it.
func TestArgumentsBeforeTheName(t *testing.T) {
	body := ""
	for _, f := range []string{`{"arguments":"{\"a\""}`, `{"arguments":":1"}`, `{"name":"f","arguments":"}"}`} {
		body += `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":` + f + `}]}}]}` + "\n\n"
	}
	body += `data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}` + "\n\ndata: [DONE]\n\n"
	a := collect(t, serve(t, Dialect{}, reply("text/event-stream", body)), &llm.Request{Model: "m", Stream: true})
	if a.err != nil || len(a.calls) != 1 || a.calls[0].Function.Name != "f" || a.calls[0].Function.Arguments != `{"a":1}` {
		t.Errorf("got %+v, %v", a.calls, a.err)
	}
}
