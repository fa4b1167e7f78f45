package responses

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/messages/blocks"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// Echo is what an answer repeats of its request.
type Echo struct{ answer ResponsesAnswer }

// Writer makes an answer of chunks, and its events where somebody wants them. It is used by one goroutine.
type Writer struct {
	answer ResponsesAnswer
	id     string // the part that all ids of the answer share
	out    func(name string, data []byte)
	number int64
	blocks *blocks.Sequence
	item   *ResponsesItem // the one under way
	status string         // of an item that ends now
}

// NewWriter begins the answer a. out gets each event's name and its data in one line, which it may keep; nil makes no events.
func NewWriter(a *dialect.Answer, e *Echo, out func(name string, data []byte)) *Writer {
	w := &Writer{answer: e.answer, id: a.ID[strings.LastIndexAny(a.ID, "-_")+1:], out: out, status: "completed"}
	w.blocks = blocks.New(w)
	w.answer.ID, w.answer.CreatedAt, w.answer.Model, w.answer.Status = "resp_"+w.id, a.Created, a.Model, "in_progress"
	for _, name := range []string{"response.created", "response.in_progress"} {
		w.send(name, ResponsesEvent{Response: &w.answer})
	}
	return w
}

// Add takes one chunk in.
func (w *Writer) Add(c llm.Chunk) { w.blocks.Add(c) }

// End is the complete answer, and its last events. input is what to report of the prompt where the provider did not count.
func (w *Writer) End(a *dialect.Answer, input int64) ResponsesAnswer {
	w.answer.Status, w.answer.Model = "completed", a.Model // another model than the first may have answered
	switch a.Finish {
	case llm.FinishLength:
		w.incomplete("max_output_tokens")
	case llm.FinishContentFilter:
		w.incomplete("content_filter")
	}
	w.blocks.End()
	w.endItem()
	now := time.Now().Unix()
	w.answer.CompletedAt = &now
	w.answer.Usage, w.answer.Clawless = usageBody(a.Total(input)), a.Receipt()
	w.send("response."+w.answer.Status, ResponsesEvent{Response: &w.answer})
	return w.answer
}

func (w *Writer) incomplete(reason string) {
	w.answer.Status, w.status = "incomplete", "incomplete"
	w.answer.IncompleteDetails = &ResponsesIncomplete{reason}
}

// Fail writes the last events of an answer that broke off: one for clients that read the answer's state, one for those that raise errors.
func (w *Writer) Fail(err error, a *dialect.Answer, requestID string) {
	f := fault.From(err)
	var body struct {
		Error api.ErrorBody `json:"error"`
	}
	_ = json.Unmarshal(api.ErrorJSON(f, requestID), &body) // our own envelope
	w.answer.Status, w.answer.Error, w.answer.Clawless = "failed", &ResponsesError{body.Error.Code, body.Error.Message}, a.Receipt()
	w.send("response.failed", ResponsesEvent{Response: &w.answer})
	w.send("error", ResponsesEvent{Code: body.Error.Code, Message: body.Error.Message, Error: &body.Error})
}

// Open implements blocks.Sink.
func (w *Writer) Open(k *blocks.Block) {
	empty := ""
	switch k.Kind {
	case blocks.Thinking:
		w.beginItem(ResponsesItem{ID: "rs_", Type: "reasoning", Summary: &[]ResponsesPart{}})
		w.send("response.reasoning_summary_part.added", ResponsesEvent{SummaryIndex: new(int), Part: &ResponsesPart{Type: "summary_text", Text: &empty}})
	case blocks.Call:
		w.beginItem(ResponsesItem{ID: "fc_", Type: "function_call", CallID: k.ID, Name: k.Name, Arguments: &empty})
	default:
		if w.item == nil || w.item.Type != "message" {
			w.beginItem(ResponsesItem{ID: "msg_", Type: "message", Role: "assistant", Content: &[]ResponsesPart{}})
		}
		part := partOf(k, "")
		w.send("response.content_part.added", ResponsesEvent{ContentIndex: w.part(), Part: &part})
	}
}

func partOf(k *blocks.Block, said string) ResponsesPart {
	if k.Kind == blocks.Refusal {
		return ResponsesPart{Type: "refusal", Refusal: &said}
	}
	return ResponsesPart{Type: "output_text", Text: &said, Annotations: &[]json.RawMessage{}, Logprobs: &[]json.RawMessage{}}
}

// part is the index of the part under way.
func (w *Writer) part() *int {
	n := len(*w.item.Content)
	return &n
}

func (w *Writer) beginItem(item ResponsesItem) {
	w.endItem()
	item.ID += w.id + "_" + strconv.Itoa(len(w.answer.Output))
	item.Status = "in_progress"
	w.item = &item
	w.sendItem("response.output_item.added")
}

// endItem ends the item under way: a message has as many parts as come in a row.
func (w *Writer) endItem() {
	if w.item == nil {
		return
	}
	w.item.Status = w.status
	w.sendItem("response.output_item.done")
	w.answer.Output = append(w.answer.Output, *w.item)
	w.item = nil
}

// sendItem leaves out the item's id, which the item has.
func (w *Writer) sendItem(name string) {
	item, index := *w.item, len(w.answer.Output)
	w.emit(name, ResponsesEvent{Item: &item, OutputIndex: &index})
}

// Grow implements blocks.Sink. These are the events of which there are thousands, and are made in one piece.
func (w *Writer) Grow(k *blocks.Block, piece string) {
	if w.out == nil {
		return
	}
	name, place := "response.output_text.delta", ""
	switch k.Kind {
	case blocks.Thinking:
		name, place = "response.reasoning_summary_text.delta", `,"summary_index":0`
	case blocks.Call:
		name = "response.function_call_arguments.delta"
	case blocks.Refusal:
		name, place = "response.refusal.delta", `,"content_index":`+strconv.Itoa(*w.part())
	default:
		place = `,"logprobs":[],"content_index":` + strconv.Itoa(*w.part())
	}
	b := append(make([]byte, 0, 256+len(piece)), `{"type":"`+name+`","sequence_number":`...)
	b = strconv.AppendInt(b, w.number, 10)
	b = wire.AppendString(append(b, `,"item_id":`...), w.item.ID)
	b = strconv.AppendInt(append(b, `,"output_index":`...), int64(len(w.answer.Output)), 10)
	b = append(append(b, place...), `,"delta":`...)
	w.number++
	w.out(name, append(wire.AppendString(b, piece), '}'))
}

// Close implements blocks.Sink.
func (w *Writer) Close(k *blocks.Block) {
	said := strings.ToValidUTF8(k.Said(), "\ufffd")
	switch k.Kind {
	case blocks.Thinking:
		part := ResponsesPart{Type: "summary_text", Text: &said}
		w.send("response.reasoning_summary_text.done", ResponsesEvent{SummaryIndex: new(int), Text: &said})
		w.send("response.reasoning_summary_part.done", ResponsesEvent{SummaryIndex: new(int), Part: &part})
		*w.item.Summary = append(*w.item.Summary, part)
	case blocks.Call:
		if said == "" && w.status == "completed" {
			said = "{}"
		}
		w.send("response.function_call_arguments.done", ResponsesEvent{Name: k.Name, Arguments: &said})
		w.item.Arguments = &said
	case blocks.Refusal:
		w.closePart(k, said, "response.refusal.done", ResponsesEvent{Refusal: &said})
	default:
		w.closePart(k, said, "response.output_text.done", ResponsesEvent{Text: &said, Logprobs: &[]json.RawMessage{}})
	}
}

func (w *Writer) closePart(k *blocks.Block, said, name string, done ResponsesEvent) {
	part := partOf(k, said)
	done.ContentIndex = w.part()
	w.send(name, done)
	w.send("response.content_part.done", ResponsesEvent{ContentIndex: done.ContentIndex, Part: &part})
	*w.item.Content = append(*w.item.Content, part)
}

// send writes an event that comes a few times in an answer, with the place of the item under way.
func (w *Writer) send(name string, e ResponsesEvent) {
	if w.item != nil && e.Response == nil && name != "error" {
		index := len(w.answer.Output)
		e.ItemID, e.OutputIndex = w.item.ID, &index
	}
	w.emit(name, e)
}

func (w *Writer) emit(name string, e ResponsesEvent) {
	if w.out == nil {
		return
	}
	e.Type, e.SequenceNumber = name, w.number
	w.number++
	b, err := json.Marshal(e)
	if err != nil { // texts, numbers and checked JSON always marshal; keep the event valid all the same
		b = fmt.Appendf(nil, `{"type":%q,"sequence_number":%d}`, name, e.SequenceNumber)
	}
	w.out(name, b)
}
