package anthropic

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// TestTooManyCalls: an answer of more calls than anybody needs is a broken one, in a stream and in one piece; one of as many as allowed is read.
func TestTooManyCalls(t *testing.T) {
	for _, n := range []int{maxCalls, maxCalls + 1, 20 * maxCalls} {
		var blocks []string
		var stream strings.Builder
		for i := range n {
			block := fmt.Sprintf(`{"type":"tool_use","id":"c%d","name":"f","input":{}}`, i)
			blocks = append(blocks, block)
			fmt.Fprintf(&stream, "data: {\"type\":\"content_block_start\",\"index\":%d,\"content_block\":%s}\n\ndata: {\"type\":\"content_block_stop\",\"index\":%d}\n\n", i, block, i)
		}
		stream.WriteString("data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n")
		for kind, body := range map[string]string{
			"text/event-stream": stream.String(), "application/json": `{"type":"message","content":[` + strings.Join(blocks, ",") + `],"stop_reason":"tool_use"}`,
		} {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				_, _ = io.WriteString(w, body)
			}))
			p, err := Driver.New(llm.Config{Name: "lab", BaseURL: srv.URL})
			if err != nil {
				t.Fatal(err)
			}
			calls, fail := map[int]bool{}, (*llm.Error)(nil)
			for chunk, err := range p.Stream(t.Context(), request(t, `{"model":"m","messages":[{"role":"user","content":"x"}]}`)) {
				for _, c := range chunk.ToolCalls {
					calls[c.Index] = true
				}
				fail = llm.AsError(err)
			}
			srv.Close()
			if broken := fail != nil && fail.Class == llm.ClassBroken && strings.Contains(fail.Message, "256"); broken != (n > maxCalls) || fail != nil && !broken || len(calls) > maxCalls || !broken && len(calls) != n {
				t.Errorf("%s of %d calls: %d calls, %v", kind, n, len(calls), fail)
			}
		}
	}
}
