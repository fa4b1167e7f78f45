package mock

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/llmtest"
)

const format = `{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"]}}}`

// TestPairEscalates: what the small model fails at, the large one does properly.
func TestPairEscalates(t *testing.T) {
	for _, stream := range []bool{true, false} {
		ask := func(req *llm.Request) llmtest.Answer {
			req.Stream = stream
			return llmtest.Collect(t, fast().Stream(t.Context(), req))
		}
		if small, large := ask(user("small", "Why? [empty]")), ask(user("large", "Why? [empty]")); small.Err != nil || small.Text != "" || small.Finish != llm.FinishStop || len(large.Text) < 100 {
			t.Errorf("empty: %+v and %+v", small, large)
		}
		small, large := ask(with(user("small", "List it [invalid json]"), "response_format", format)), ask(with(user("large", "List it [invalid json]"), "response_format", format))
		if json.Valid([]byte(small.Text)) || small.Text == "" || !json.Valid([]byte(large.Text)) {
			t.Errorf("invalid JSON: %q and %q", small.Text, large.Text)
		}
		if plain := ask(with(user("small", "List it"), "response_format", format)); !json.Valid([]byte(plain.Text)) {
			t.Errorf("a simple question: %q", plain.Text)
		}
		for model, again := range map[string]bool{"small": true, "large": false} {
			req := user(model, "add [repeat]")
			req.Tools = []llm.Tool{addTool()}
			first := ask(req)
			if len(first.Calls) != 1 {
				t.Fatalf("%s: %+v", model, first)
			}
			req.Messages = append(req.Messages, llm.Message{Role: "assistant", ToolCalls: first.Calls}, llm.Message{Role: "tool", ToolCallID: first.Calls[0].ID, Content: json.RawMessage(`"2"`)})
			second := ask(req)
			if again != (len(second.Calls) == 1) || again && second.Calls[0].Function != first.Calls[0].Function || !again && second.Text != "The add answered: 2" {
				t.Errorf("%s: %+v, then %+v", model, first, second)
			}
		}
	}
	small, large := ask(t, fast(), user("small", "What is the capital of France?")), ask(t, fast(), user("large", "What is the capital of France?"))
	if small.text != "In short: What is the capital of France." || len(large.text) < 5*len(small.text) {
		t.Errorf("got %q and %q", small.text, large.text)
	}
}

func TestPairCallsToolsOnRequestOnly(t *testing.T) {
	for _, model := range []string{"small", "large"} {
		req := user(model, "hello")
		req.Tools = []llm.Tool{addTool(), weatherTool()}
		if a := ask(t, fast(), req); len(a.calls) != 0 || a.text == "" {
			t.Errorf("%s calls a tool for a greeting: %+v", model, a)
		}
		if a := ask(t, fast(), with(req, "tool_choice", `"required"`)); len(a.calls) != 1 {
			t.Errorf("%s, required: %+v", model, a)
		}
		if a := ask(t, fast(), with(req, "tool_choice", `"none"`)); len(a.calls) != 0 {
			t.Errorf("%s, none: %+v", model, a)
		}
	}
}

func TestThinking(t *testing.T) {
	last := 0
	for _, e := range llm.Efforts {
		for _, stream := range []bool{true, false} {
			req := user("large", "why?")
			req.Stream, req.Effort = stream, e
			a := llmtest.Collect(t, fast().Stream(t.Context(), req))
			if a.Err != nil || (len(a.Reasoning) == 0) != (e == llm.EffortOff) || a.Usage.Reasoning != 0 == (e == llm.EffortOff) || strings.Contains(a.Text, "First I look") {
				t.Errorf("%s: %+v", e, a)
			}
			if stream && e != llm.EffortOff && len(a.Reasoning) <= last {
				t.Errorf("%s thinks no more than the level before", e)
			}
			last = len(a.Reasoning)
		}
	}
	req := with(user("large", "why?"), "max_tokens", "5")
	req.Effort = llm.EffortHigh
	if a := llmtest.Collect(t, fast().Stream(t.Context(), req)); a.Text != "" || a.Reasoning == "" || a.Finish != llm.FinishLength || a.Usage.Output != 5 {
		t.Errorf("a limit that thinking uses up: %+v", a)
	}
	req = user("echo", "x")
	req.Effort = llm.EffortLow
	if a := ask(t, fast(), req); a.err == nil || a.err.Param != "reasoning_effort" || a.err.Code != "unsupported_parameter" || !strings.Contains(a.err.Message, "mock/large") {
		t.Errorf("a model that does not think: %v", a.err)
	}
}

func TestEmbed(t *testing.T) {
	p := fast()
	dot := func(a, b []float32) (sum float64) {
		for i := range a {
			sum += float64(a[i]) * float64(b[i])
		}
		return sum
	}
	texts := []string{"the cat sat on the mat", "cats sit on mats", "quarterly tax filings are due", "", "the cat sat on the mat"}
	for _, n := range []int{0, 64, 1536} {
		got, err := p.Embed(t.Context(), &llm.EmbedRequest{Model: embedder, Input: texts, Dimensions: n})
		if err != nil {
			t.Fatal(err)
		}
		want := max(n, defaultDimensions)
		if n == 64 {
			want = 64
		}
		for i, v := range got.Vectors {
			if len(v) != want || math.Abs(dot(v, v)-1) > 1e-5 {
				t.Errorf("vector %d has %d dimensions and length %v", i, len(v), dot(v, v))
			}
		}
		if near, far := dot(got.Vectors[0], got.Vectors[1]), dot(got.Vectors[0], got.Vectors[2]); near < far+0.1 {
			t.Errorf("%d dimensions: %.2f for what is alike, %.2f for what is not", n, near, far)
		}
		if dot(got.Vectors[0], got.Vectors[4]) < 0.9999 || got.Usage.Input != 6+4+8+0+6 || got.Model != embedder {
			t.Errorf("got usage %+v", got.Usage)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for class, call := range map[llm.Class]func() (*llm.Embeddings, error){
		llm.ClassInvalid: func() (*llm.Embeddings, error) { return p.Embed(t.Context(), &llm.EmbedRequest{Model: embedder}) },
		llm.ClassNotFound: func() (*llm.Embeddings, error) {
			return p.Embed(t.Context(), &llm.EmbedRequest{Model: "echo", Input: texts})
		},
		llm.ClassCanceled: func() (*llm.Embeddings, error) {
			return p.Embed(canceled, &llm.EmbedRequest{Model: embedder, Input: texts})
		},
	} {
		if _, err := call(); llm.AsError(err) == nil || llm.AsError(err).Class != class {
			t.Errorf("%s: got %v", class, err)
		}
	}
	if _, err := p.Embed(t.Context(), &llm.EmbedRequest{Model: embedder, Input: texts, Dimensions: 5000}); llm.AsError(err) == nil || llm.AsError(err).Param != "dimensions" {
		t.Errorf("got %v", err)
	}
}
