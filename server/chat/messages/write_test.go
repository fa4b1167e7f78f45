package messages

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/llm"
)

func newAnswer() *dialect.Answer {
	return dialect.NewAnswer("req_1", "mock/m", time.Unix(1_700_000_000, 0))
}

func fragment(index int, id, name, arguments string) llm.Chunk {
	return llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: index, ID: id, Name: name, Arguments: arguments}}}
}

// tell writes the chunks' events as a stream has them.
func tell(chunks []llm.Chunk, over bool) (lines []string) {
	a := newAnswer()
	e := NewEvents(a, 7, func(name string, data []byte) { lines = append(lines, name+" "+string(data)) })
	for _, c := range chunks {
		a.Add(c)
		e.Add(c)
	}
	if over {
		e.End(a, 7)
	}
	return lines
}

// TestEvents: the events of an answer with everything in it, byte for byte.
func TestEvents(t *testing.T) {
	got := tell([]llm.Chunk{{Reasoning: "Hm"}, {Reasoning: "."}, {Text: "Let me\nsee"}, fragment(0, "c1", "f", ""), fragment(0, "", "", `{"a":`), fragment(0, "", "", `1}`), fragment(1, "c2", "g", "{}"),
		{FinishReason: llm.FinishToolCalls}, {Usage: &llm.Usage{Input: 100, Output: 20, Cached: 60, CacheWrite: 30}}}, true)
	want := []string{
		`message_start {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"mock/m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":0,"cache_read_input_tokens":0,"cache_creation_input_tokens":0}}}`,
		`content_block_start {"type":"content_block_start","content_block":{"type":"thinking","thinking":"","signature":""},"index":0}`,
		`content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}`,
		`content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"."}}`,
		`content_block_stop {"type":"content_block_stop","index":0}`,
		`content_block_start {"type":"content_block_start","content_block":{"type":"text","text":""},"index":1}`,
		`content_block_delta {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let me\nsee"}}`,
		`content_block_stop {"type":"content_block_stop","index":1}`,
		`content_block_start {"type":"content_block_start","content_block":{"type":"tool_use","id":"c1","name":"f","input":{}},"index":2}`,
		`content_block_delta {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}`,
		`content_block_delta {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}`,
		`content_block_stop {"type":"content_block_stop","index":2}`,
		`content_block_start {"type":"content_block_start","content_block":{"type":"tool_use","id":"c2","name":"g","input":{}},"index":3}`,
		`content_block_delta {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}`,
		`content_block_stop {"type":"content_block_stop","index":3}`,
		`message_delta "delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":10,"output_tokens":20,"cache_read_input_tokens":60,"cache_creation_input_tokens":30}}`,
		`message_stop {"type":"message_stop"}`,
	}
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if before, after, ok := strings.Cut(g, `"delta":`); ok && strings.HasPrefix(g, "message_delta ") { // the receipt grows with what there is to tell
			if !strings.HasPrefix(before, `message_delta {"type":"message_delta","clawless":{`) {
				t.Errorf("no receipt in %s", g)
			}
			g = `message_delta "delta":` + after
		}
		if g != w {
			t.Errorf("event %d:\n got %s\nwant %s", i, g, w)
		}
	}
}

// TestStopReasons: each end has Anthropic's word.
func TestStopReasons(t *testing.T) {
	for _, c := range []struct {
		chunk llm.Chunk
		want  string
	}{
		{llm.Chunk{Text: "a", FinishReason: llm.FinishStop}, "end_turn"},
		{llm.Chunk{Text: "a", FinishReason: llm.FinishLength}, "max_tokens"},
		{llm.Chunk{FinishReason: llm.FinishContentFilter}, "refusal"},
		{llm.Chunk{Refusal: "no", FinishReason: llm.FinishStop}, "refusal"},
		{llm.Chunk{ToolCalls: []llm.ToolCallDelta{{ID: "a", Name: "f", Arguments: "{}"}}, FinishReason: llm.FinishToolCalls}, "tool_use"},
	} {
		lines := tell([]llm.Chunk{c.chunk}, true)
		if body := whole([]llm.Chunk{c.chunk}); *body.StopReason != c.want || !strings.Contains(lines[len(lines)-2], `"stop_reason":"`+c.want+`"`) {
			t.Errorf("%+v: %s", c.chunk, *body.StopReason)
		}
	}
}

func whole(chunks []llm.Chunk) AnthropicAnswer {
	a, b := newAnswer(), NewBody()
	for _, c := range chunks {
		a.Add(c)
		b.Add(c)
	}
	return b.End(a, 7)
}

// randomChunks is an answer as a hostile provider might give it: kinds in any order, calls that overlap, arguments cut anywhere, an end that may be missing.
func randomChunks(r *rand.Rand) (chunks []llm.Chunk) {
	texts := []string{"a", " b\n", "日本 🙂", "\"\\\u2028", "</x>&"}
	arguments := make([]string, r.IntN(4))
	for i := range arguments {
		b, _ := json.Marshal(map[string]any{"i": i, "s": texts[r.IntN(len(texts))] + "}{", "list": []int{1, 2, r.IntN(9)}})
		arguments[i] = string(b)
	}
	begun := 0
	for range r.IntN(40) {
		var c llm.Chunk
		switch k := r.IntN(6); {
		case k == 0:
			c.Reasoning = texts[r.IntN(len(texts))]
		case k == 1:
			c.Text = texts[r.IntN(len(texts))]
		case k == 2 && r.IntN(4) == 0:
			c.Refusal = texts[r.IntN(len(texts))]
		case k == 3 && begun < len(arguments):
			c.ToolCalls = []llm.ToolCallDelta{{Index: begun, ID: fmt.Sprint("id", begun), Name: fmt.Sprint("f", begun)}}
			begun++
		case begun > 0:
			i := r.IntN(begun)
			runes := []rune(arguments[i])
			n := r.IntN(len(runes) + 1)
			c.ToolCalls = []llm.ToolCallDelta{{Index: i, Arguments: string(runes[:n])}}
			arguments[i] = string(runes[n:])
		}
		chunks = append(chunks, c)
	}
	if r.IntN(3) > 0 { // otherwise the calls stay cut
		for i := range begun {
			chunks = append(chunks, llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: i, Arguments: arguments[i]}}})
		}
	}
	reasons := []llm.FinishReason{llm.FinishStop, llm.FinishLength, llm.FinishToolCalls, llm.FinishContentFilter}
	return append(chunks, llm.Chunk{FinishReason: reasons[r.IntN(len(reasons))], Usage: &llm.Usage{Input: 9, Output: 5, Cached: 3}})
}

// TestStreamSaysTheSame: whatever the chunks, the events follow the grammar, and what a reader puts together from them is the answer in one piece.
func TestStreamSaysTheSame(t *testing.T) {
	for seed := range uint64(3000) {
		chunks := randomChunks(rand.New(rand.NewPCG(seed, 1)))
		var reader decoder
		for _, line := range tell(chunks, true) {
			name, data, _ := strings.Cut(line, " ")
			if err := reader.read(name, data); err != nil {
				t.Fatalf("seed %d: %v at %s", seed, err, line)
			}
		}
		want, err := json.Marshal(whole(chunks))
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(reader.message)
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		_ = json.Unmarshal(got, &a)
		_ = json.Unmarshal(want, &b)
		if !reader.over || !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d:\nevents say %s\nthe whole  %s", seed, got, want)
		}
		if err := saysAll(chunks, reader.message.Content); err != nil {
			t.Fatalf("seed %d: %v in %s", seed, err, got)
		}
		cut := tell(chunks[:len(chunks)-1], false)
		if last := cut[len(cut)-1]; strings.HasPrefix(last, "message_stop") || strings.HasPrefix(last, "message_delta") {
			t.Fatalf("seed %d: a cut answer ends with %s", seed, last)
		}
	}
}

// saysAll compares the blocks with the chunks, one kind after the other: nothing is lost, and no block is cut in two.
func saysAll(chunks []llm.Chunk, content []AnthropicBlock) error {
	var thoughts, text, gotThoughts, gotText string
	var arguments [4]string
	refused, begun := false, 0
	for _, c := range chunks {
		thoughts, text, refused = thoughts+c.Reasoning, text+c.Text+c.Refusal, refused || c.Refusal != ""
		for _, d := range c.ToolCalls {
			arguments[d.Index] += d.Arguments
			begun = max(begun, d.Index+1)
		}
	}
	calls := 0
	for i, b := range content {
		if i > 0 && b.Type == content[i-1].Type && b.Type != "tool_use" && !refused {
			return fmt.Errorf("block %d goes on with the one before it", i)
		}
		switch {
		case b.Text != nil:
			gotText += *b.Text
		case b.Thinking != nil:
			gotThoughts += *b.Thinking
		default:
			want := arguments[calls]
			if !json.Valid([]byte(want)) {
				want = "{}" // what was cut
			}
			if b.ID != fmt.Sprint("id", calls) || b.Name != fmt.Sprint("f", calls) || string(*b.Input) != want {
				return fmt.Errorf("call %d has %s, not %s", calls, *b.Input, want)
			}
			calls++
		}
	}
	if gotThoughts != thoughts || gotText != text || calls != begun {
		return fmt.Errorf("not %q, %q and %d calls", thoughts, text, begun)
	}
	return nil
}

// decoder is a reader of events that takes nothing but what Anthropic documents: blocks in order, one open at a time, the end once.
type decoder struct {
	message   AnthropicAnswer
	started   bool
	open      bool
	delta     bool
	over      bool
	arguments strings.Builder
}

func (d *decoder) read(name, data string) error {
	var e AnthropicEvent
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return err
	}
	if strings.ContainsAny(data, "\n\r") || e.Type != name || d.over || d.started == (name == "message_start") {
		return fmt.Errorf("out of place")
	}
	last := len(d.message.Content) - 1
	switch name {
	case "message_start":
		d.started, d.message = true, *e.Message
	case "content_block_start":
		if d.open || d.delta || *e.Index != last+1 {
			return fmt.Errorf("begins at the wrong place")
		}
		d.open = true
		d.arguments.Reset()
		d.message.Content = append(d.message.Content, *e.ContentBlock)
	case "content_block_delta":
		if !d.open || *e.Index != last {
			return fmt.Errorf("grows at the wrong place")
		}
		return d.grow(&d.message.Content[last], e.Delta)
	case "content_block_stop":
		if !d.open || *e.Index != last {
			return fmt.Errorf("ends at the wrong place")
		}
		if b := &d.message.Content[last]; b.Type == "tool_use" && json.Valid([]byte(d.arguments.String())) {
			raw := json.RawMessage(d.arguments.String())
			b.Input = &raw
		}
		d.open = false
	case "message_delta":
		if d.open || d.delta {
			return fmt.Errorf("ends too early or twice")
		}
		d.delta, d.message.StopReason, d.message.Usage, d.message.Clawless = true, &e.Delta.StopReason, *e.Usage, e.Clawless
	case "message_stop":
		if !d.delta {
			return fmt.Errorf("stops without its reason")
		}
		d.over = true
	default:
		return fmt.Errorf("unknown")
	}
	return nil
}

func (d *decoder) grow(b *AnthropicBlock, delta *AnthropicDelta) error {
	switch {
	case delta.Type == "text_delta" && b.Type == "text":
		*b.Text += delta.Text
	case delta.Type == "thinking_delta" && b.Type == "thinking":
		*b.Thinking += delta.Thinking
	case delta.Type == "input_json_delta" && b.Type == "tool_use":
		d.arguments.WriteString(delta.PartialJSON)
	default:
		return fmt.Errorf("a %s in a %s", delta.Type, b.Type)
	}
	return nil
}
