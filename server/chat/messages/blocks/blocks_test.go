package blocks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// notes writes down what a sink is told.
type notes []string

func (n *notes) Open(b *Block) {
	*n = append(*n, strings.TrimSpace(fmt.Sprintf("open %d %s", b.Kind, b.Name)))
}
func (n *notes) Grow(_ *Block, piece string) { *n = append(*n, "+"+piece) }
func (n *notes) Close(b *Block)              { *n = append(*n, "close "+b.Said()) }

func call(index int, name, arguments string) llm.Chunk {
	d := llm.ToolCallDelta{Index: index, Name: name, Arguments: arguments}
	return llm.Chunk{ToolCalls: []llm.ToolCallDelta{d}}
}

// TestSequence: blocks come one after the other, as early as they can and as late as they must.
func TestSequence(t *testing.T) {
	for _, c := range []struct {
		name   string
		chunks []llm.Chunk
		before []string // the end
		after  []string
	}{
		{"nothing", nil, nil, nil},
		{"text", []llm.Chunk{{Text: "a"}, {Text: "b"}}, []string{"open 1", "+a", "+b"}, []string{"close ab"}},
		{"thoughts, text, thoughts", []llm.Chunk{{Reasoning: "a", Text: "b"}, {Reasoning: "c"}},
			[]string{"open 0", "+a", "close a", "open 1", "+b", "close b", "open 0", "+c"}, []string{"close c"}},
		{"a call closes when its arguments are whole", []llm.Chunk{call(0, "f", `{"a":"}`), call(0, "", `\"{"}`), call(1, "g", `{`)},
			[]string{"open 3 f", `+{"a":"}`, `+\"{"}`, `close {"a":"}\"{"}`, "open 3 g", "+{"}, []string{"close {"}},
		{"what comes between waits", []llm.Chunk{call(0, "f", `{"a"`), {Text: "x"}, call(1, "g", "{}"), {Text: "y"}, call(0, "", ":1}"), {Text: "z"}},
			[]string{"open 3 f", `+{"a"`, "+:1}", `close {"a":1}`, "open 1", "+x", "close x", "open 3 g", "+{}", "close {}", "open 1", "+y", "+z"}, []string{"close yz"}},
		{"until the end where it has to", []llm.Chunk{call(0, "f", `{"a`), call(1, "g", "{}")}, []string{"open 3 f", `+{"a`}, []string{`close {"a`, "open 3 g", "+{}", "close {}"}},
		{"nothing is added to a closed call", []llm.Chunk{call(0, "f", `{}`), {Text: "x"}, call(0, "", "\n")}, []string{"open 3 f", "+{}", "close {}", "open 1", "+x"}, []string{"close x"}},
	} {
		var got notes
		s := New(&got)
		for _, chunk := range c.chunks {
			s.Add(chunk)
		}
		if !slices.Equal(got, c.before) {
			t.Errorf("%s: %q, want %q", c.name, got, c.before)
		}
		n := len(got)
		s.End()
		if !slices.Equal(got[n:], c.after) {
			t.Errorf("%s ends with %q, want %q", c.name, got[n:], c.after)
		}
	}
}
