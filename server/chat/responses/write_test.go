package responses

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

func newAnswer() *dialect.Answer {
	return dialect.NewAnswer("req_1", "mock/m", time.Unix(1_700_000_000, 0))
}

func newEcho(t *testing.T, body string) *Echo {
	t.Helper()
	_, e, err := Read([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func fragment(index int, id, name, arguments string) llm.Chunk {
	return llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: index, ID: id, Name: name, Arguments: arguments}}}
}

// tell makes the answer of chunks, and its events as a stream has them.
func tell(e *Echo, chunks []llm.Chunk, failure error) (lines []string, whole ResponsesAnswer) {
	a := newAnswer()
	w := NewWriter(a, e, func(name string, data []byte) { lines = append(lines, name+" "+string(data)) })
	for _, c := range chunks {
		a.Add(c)
		w.Add(c)
	}
	if failure != nil {
		w.Fail(failure, a, "req_1")
		return lines, whole
	}
	return lines, w.End(a, 7)
}

// TestEvents: the events of an answer with everything in it, but for the response objects byte for byte.
func TestEvents(t *testing.T) {
	got, _ := tell(newEcho(t, `{"input":"x"}`), []llm.Chunk{{Reasoning: "Hm"}, {Text: "Let me\nsee"}, {Refusal: "no"}, fragment(0, "c1", "f", ""), fragment(0, "", "", `{"a":1}`), {FinishReason: llm.FinishToolCalls}}, nil)
	want := []string{
		`response.created {"type":"response.created","sequence_number":0,"response":`,
		`response.in_progress {"type":"response.in_progress","sequence_number":1,"response":`,
		`response.output_item.added {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_1_0","type":"reasoning","status":"in_progress","summary":[]}}`,
		`response.reasoning_summary_part.added {"type":"response.reasoning_summary_part.added","sequence_number":3,"output_index":0,"item_id":"rs_1_0","summary_index":0,"part":{"type":"summary_text","text":""}}`,
		`response.reasoning_summary_text.delta {"type":"response.reasoning_summary_text.delta","sequence_number":4,"item_id":"rs_1_0","output_index":0,"summary_index":0,"delta":"Hm"}`,
		`response.reasoning_summary_text.done {"type":"response.reasoning_summary_text.done","sequence_number":5,"output_index":0,"item_id":"rs_1_0","summary_index":0,"text":"Hm"}`,
		`response.reasoning_summary_part.done {"type":"response.reasoning_summary_part.done","sequence_number":6,"output_index":0,"item_id":"rs_1_0","summary_index":0,"part":{"type":"summary_text","text":"Hm"}}`,
		`response.output_item.done {"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"id":"rs_1_0","type":"reasoning","status":"completed","summary":[{"type":"summary_text","text":"Hm"}]}}`,
		`response.output_item.added {"type":"response.output_item.added","sequence_number":8,"output_index":1,"item":{"id":"msg_1_1","type":"message","status":"in_progress","role":"assistant","content":[]}}`,
		`response.content_part.added {"type":"response.content_part.added","sequence_number":9,"output_index":1,"item_id":"msg_1_1","content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}}`,
		`response.output_text.delta {"type":"response.output_text.delta","sequence_number":10,"item_id":"msg_1_1","output_index":1,"logprobs":[],"content_index":0,"delta":"Let me\nsee"}`,
		`response.output_text.done {"type":"response.output_text.done","sequence_number":11,"output_index":1,"item_id":"msg_1_1","content_index":0,"text":"Let me\nsee","logprobs":[]}`,
		`response.content_part.done {"type":"response.content_part.done","sequence_number":12,"output_index":1,"item_id":"msg_1_1","content_index":0,"part":{"type":"output_text","text":"Let me\nsee","annotations":[],"logprobs":[]}}`,
		`response.content_part.added {"type":"response.content_part.added","sequence_number":13,"output_index":1,"item_id":"msg_1_1","content_index":1,"part":{"type":"refusal","refusal":""}}`,
		`response.refusal.delta {"type":"response.refusal.delta","sequence_number":14,"item_id":"msg_1_1","output_index":1,"content_index":1,"delta":"no"}`,
		`response.refusal.done {"type":"response.refusal.done","sequence_number":15,"output_index":1,"item_id":"msg_1_1","content_index":1,"refusal":"no"}`,
		`response.content_part.done {"type":"response.content_part.done","sequence_number":16,"output_index":1,"item_id":"msg_1_1","content_index":1,"part":{"type":"refusal","refusal":"no"}}`,
		`response.output_item.done {"type":"response.output_item.done","sequence_number":17,"output_index":1,"item":{"id":"msg_1_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Let me\nsee","annotations":[],"logprobs":[]},{"type":"refusal","refusal":"no"}]}}`,
		`response.output_item.added {"type":"response.output_item.added","sequence_number":18,"output_index":2,"item":{"id":"fc_1_2","type":"function_call","status":"in_progress","call_id":"c1","name":"f","arguments":""}}`,
		`response.function_call_arguments.delta {"type":"response.function_call_arguments.delta","sequence_number":19,"item_id":"fc_1_2","output_index":2,"delta":"{\"a\":1}"}`,
		`response.function_call_arguments.done {"type":"response.function_call_arguments.done","sequence_number":20,"output_index":2,"item_id":"fc_1_2","name":"f","arguments":"{\"a\":1}"}`,
		`response.output_item.done {"type":"response.output_item.done","sequence_number":21,"output_index":2,"item":{"id":"fc_1_2","type":"function_call","status":"completed","call_id":"c1","name":"f","arguments":"{\"a\":1}"}}`,
		`response.completed {"type":"response.completed","sequence_number":22,"response":`,
	}
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if before, _, ok := strings.Cut(g, `"response":`); ok {
			g = before + `"response":`
		}
		if g != w {
			t.Errorf("event %d:\n got %s\nwant %s", i, g, w)
		}
	}
}

// TestAnswer: what the object says of the request and of the end.
func TestAnswer(t *testing.T) {
	echo := newEcho(t, `{"input":"x","instructions":"i","temperature":0,"max_output_tokens":5,"metadata":{"a":"b"},"tools":[{"type":"function","name":"f","parameters":{"z":1}}],"tool_choice":"none","parallel_tool_calls":false,"user":"u","text":{"format":{"type":"json_object"}},"reasoning":{"effort":"none"},"store":true}`)
	_, got := tell(echo, []llm.Chunk{{Text: "a"}, {FinishReason: llm.FinishLength, Usage: &llm.Usage{Input: 10, Output: 4, Cached: 3, CacheWrite: 2, Reasoning: 1}}}, nil)
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"id":"resp_1","object":"response","created_at":1700000000`, `"status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"instructions":"i","max_output_tokens":5,"model":"mock/m","output":[{"id":"msg_1_0","type":"message","status":"incomplete","role":"assistant","content":[{"type":"output_text","text":"a"`,
		`"parallel_tool_calls":false,"previous_response_id":null,"reasoning":{"effort":"none","summary":null},"store":false,"background":false,"temperature":0,"top_p":null,"text":{"format":{"type":"json_object"}},"tool_choice":"none","tools":[{"type":"function","name":"f","parameters":{"z":1}}],"truncation":"disabled","user":"u","metadata":{"a":"b"}`,
		`"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":3,"cache_write_tokens":2},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":14}`, `"clawless":{`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s\nin %s", want, b)
		}
	}
	for finish, want := range map[llm.FinishReason]string{llm.FinishStop: "completed ", llm.FinishToolCalls: "completed ", llm.FinishContentFilter: "incomplete content_filter"} {
		lines, got := tell(newEcho(t, `{"input":"x"}`), []llm.Chunk{{FinishReason: finish}}, nil)
		reason := ""
		if got.IncompleteDetails != nil {
			reason = got.IncompleteDetails.Reason
		}
		if got.Status+" "+reason != want || !strings.HasPrefix(lines[len(lines)-1], "response."+got.Status+" ") {
			t.Errorf("%s: %s %s, %s", finish, got.Status, reason, lines[len(lines)-1])
		}
	}
}

// TestFailure: a broken answer ends with its failed state and the error, and shows nothing of a cause.
func TestFailure(t *testing.T) {
	for _, err := range []error{fault.New(fault.StreamBroken, "the stream broke"), errors.New("secret")} {
		lines, _ := tell(newEcho(t, `{"input":"x"}`), []llm.Chunk{{Text: "a"}}, err)
		n := len(lines)
		code := string(fault.From(err).Code)
		if !strings.HasPrefix(lines[n-2], "response.failed ") || !strings.Contains(lines[n-2], `"status":"failed","error":{"code":"`+code+`"`) || !strings.HasPrefix(lines[n-1], `error {"type":"error",`) ||
			!strings.Contains(lines[n-1], `"code":"`+code+`","message":`) || !strings.Contains(lines[n-1], `"error":{"message":`) || strings.Contains(lines[n-1], "secret") {
			t.Errorf("%q", lines[n-2:])
		}
	}
}

// randomChunks is an answer as a hostile provider might give it: kinds in any order, calls that overlap, arguments cut anywhere.
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
		case k == 2 && r.IntN(3) == 0:
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
	reasons := []llm.FinishReason{llm.FinishStop, llm.FinishLength, llm.FinishToolCalls, llm.FinishContentFilter}
	return append(chunks, llm.Chunk{FinishReason: reasons[r.IntN(len(reasons))], Usage: &llm.Usage{Input: 9, Output: 5, Cached: 3}})
}

// TestStreamSaysTheSame: whatever the chunks, the events follow the grammar, and what a reader puts together from the deltas is what the items, the last event and the
// answer in one piece say.
func TestStreamSaysTheSame(t *testing.T) {
	echo := newEcho(t, `{"input":"x"}`)
	for seed := range uint64(3000) {
		chunks := randomChunks(rand.New(rand.NewPCG(seed, 1)))
		lines, whole := tell(echo, chunks, nil)
		d := decoder{next: 0}
		for _, line := range lines {
			name, data, _ := strings.Cut(line, " ")
			if err := d.read(name, data); err != nil {
				t.Fatalf("seed %d: %v at %s", seed, err, line)
			}
		}
		a := newAnswer()
		w := NewWriter(a, echo, nil)
		for _, c := range chunks {
			a.Add(c)
			w.Add(c)
		}
		quiet := w.End(a, 7)
		if quiet.CompletedAt = whole.CompletedAt; !reflect.DeepEqual(quiet, whole) || !reflect.DeepEqual(*d.last, whole) {
			t.Fatalf("seed %d: the last event, the stream's answer and the whole differ:\n%+v\n%+v\n%+v", seed, *d.last, whole, quiet)
		}
		var said []string
		for _, item := range whole.Output {
			said = append(said, textsOf(item)...)
		}
		if !reflect.DeepEqual(d.said, said) {
			t.Fatalf("seed %d: the deltas say %q, the answer %q", seed, d.said, said)
		}
		if err := saysAll(chunks, whole.Output); err != nil {
			t.Fatalf("seed %d: %v in %+v", seed, err, whole.Output)
		}
		if broken, _ := tell(echo, chunks[:len(chunks)-1], fault.New(fault.StreamBroken, "x")); strings.Contains(strings.Join(broken, "\n"), "\nresponse.completed") {
			t.Fatalf("seed %d: a broken answer is complete", seed)
		}
	}
}

// saysAll compares the items with the chunks, one kind after the other: nothing is lost, and no item is cut in two.
func saysAll(chunks []llm.Chunk, output []ResponsesItem) error {
	var thoughts, text, gotThoughts, gotText string
	var arguments [4]string
	begun := 0
	for _, c := range chunks {
		thoughts, text = thoughts+c.Reasoning, text+c.Text+c.Refusal
		for _, d := range c.ToolCalls {
			arguments[d.Index] += d.Arguments
			begun = max(begun, d.Index+1)
		}
	}
	calls := 0
	for i, item := range output {
		if i > 0 && item.Type == output[i-1].Type && item.Type != "function_call" {
			return fmt.Errorf("item %d goes on with the one before it", i)
		}
		said := strings.Join(textsOf(item), "")
		switch item.Type {
		case "message":
			gotText += said
		case "reasoning":
			gotThoughts += said
		default:
			if want := arguments[calls]; item.CallID != fmt.Sprint("id", calls) || item.Name != fmt.Sprint("f", calls) || said != want && (said != "{}" || want != "") {
				return fmt.Errorf("call %d has %s, not %s", calls, said, want)
			}
			calls++
		}
	}
	if gotThoughts != thoughts || gotText != text || calls != begun {
		return fmt.Errorf("not %q, %q and %d calls", thoughts, text, begun)
	}
	return nil
}

func textsOf(item ResponsesItem) (out []string) {
	if item.Summary != nil {
		for _, p := range *item.Summary {
			out = append(out, *p.Text)
		}
	}
	if item.Content != nil {
		for _, p := range *item.Content {
			if p.Refusal != nil {
				out = append(out, *p.Refusal)
				continue
			}
			out = append(out, *p.Text)
		}
	}
	if item.Arguments != nil {
		out = append(out, *item.Arguments)
	}
	return out
}

// decoder is a reader of events that takes nothing but what is documented: numbers without gaps, items in order, parts inside them, the end once.
type decoder struct {
	next  int64
	items int
	item  *ResponsesItem // open
	part  string         // the kind that is open; empty when none is
	said  []string       // from deltas alone
	last  *ResponsesAnswer
}

func (d *decoder) read(name, data string) error {
	var e ResponsesEvent
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return err
	}
	if strings.ContainsAny(data, "\n\r") || e.Type != name || e.SequenceNumber != d.next || d.last != nil {
		return errors.New("out of place")
	}
	d.next++
	switch {
	case name == "response.created" && d.next == 1, name == "response.in_progress" && d.next == 2:
		if e.Response.Status != "in_progress" || e.Response.ID != "resp_1" {
			return errors.New("not a beginning")
		}
		return nil
	case name == "response.completed", name == "response.incomplete":
		if d.item != nil || "response."+e.Response.Status != name {
			return errors.New("ends too early")
		}
		d.last = e.Response
		return nil
	case e.OutputIndex == nil || *e.OutputIndex != d.items:
		return errors.New("at the wrong item")
	case name == "response.output_item.added":
		if d.item != nil || e.Item.Status != "in_progress" {
			return errors.New("begins inside an item")
		}
		d.item = e.Item
		if e.Item.Type == "function_call" {
			d.part = "function_call_arguments"
			d.said = append(d.said, "")
		}
		return nil
	case name == "response.output_item.done":
		if d.item == nil || d.part != "" || e.Item.ID != d.item.ID || e.Item.Status == "in_progress" {
			return errors.New("ends what is not open")
		}
		d.item = nil
		d.items++
		return nil
	case d.item == nil || e.ItemID != d.item.ID:
		return errors.New("outside its item")
	}
	return d.inside(name, e)
}

func (d *decoder) inside(name string, e ResponsesEvent) error {
	kind := strings.TrimPrefix(name, "response.")
	switch {
	case strings.HasSuffix(kind, "part.added"):
		if d.part != "" {
			return errors.New("begins inside a part")
		}
		d.part = map[string]string{"summary_text": "reasoning_summary_text", "output_text": "output_text", "refusal": "refusal"}[e.Part.Type]
		d.said = append(d.said, "")
	case strings.HasSuffix(kind, "part.done"):
		if d.part != "closing" {
			return errors.New("ends a part that is not done")
		}
		d.part = ""
	case kind == d.part+".delta":
		d.said[len(d.said)-1] += *e.Delta
	case kind == d.part+".done":
		said := d.said[len(d.said)-1]
		for _, whole := range []*string{e.Text, e.Refusal, e.Arguments} {
			if whole != nil && *whole == "{}" && said == "" { // a call without arguments
				d.said[len(d.said)-1], said = "{}", "{}"
			}
			if whole != nil && *whole != said {
				return errors.New("is not what the deltas said")
			}
		}
		d.part = "closing"
		if kind == "function_call_arguments.done" {
			d.part = ""
		}
	default:
		return errors.New("unknown here")
	}
	return nil
}
