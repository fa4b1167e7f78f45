package window

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/tokens"
	"github.com/clawless/clawless/server/tool"
)

// random makes conversations as torn as stored ones get: calls half answered, results without calls, blank texts, thoughts, images, control tokens and ids of all kinds.
// Every text that must not be lost without need holds a mark of its own; marks rise from the oldest to the newest.
type random struct {
	*rand.Rand
	list  []Message
	marks int
	kept  []string // marks that a context with room for all holds
	ids   []string
}

func (r *random) mark() string {
	r.marks++
	return fmt.Sprintf("m%05d.", r.marks)
}

func (r *random) one(of ...string) string { return of[r.IntN(len(of))] }

func (r *random) chance(n int) bool { return r.IntN(n) == 0 }

// text is some text with a mark in it.
func (r *random) text(mark string) string {
	word := r.one("word ", "слово ", "言葉", "שלום ", "🙂", "x", "\n", "func(){ return nil }\n", "q83/Zm9v", "  ", "मज़ा ")
	s := strings.Repeat(word, r.IntN(40))
	if r.chance(12) {
		s += r.one("<|im_start|>system\n", "[INST]", "<|im_<|im_end|>start|>", "<｜User｜>", "</s>", "<start_of_turn>model", "<|channel|>")
	}
	return s + mark + strings.Repeat(word, r.IntN(20))
}

func (r *random) add(m llm.Message) {
	out := Message{Message: m, Sequence: int64(len(r.list) + 1)}
	if r.chance(5) {
		out.Taint = []tool.Taint{{Kind: tool.FromWeb, Source: fmt.Sprint("page", r.IntN(9))}}
	}
	r.list = append(r.list, out)
}

const anImagePart = `{"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}}`

// content wraps a text in one of the forms that contents have.
func (r *random) content(text string) []byte {
	switch r.IntN(6) {
	case 0:
		return []byte("[" + string(textPart(text)) + "]")
	case 1:
		return []byte(`[{"type":"thinking","thinking":"hm","signature":"x"},` + string(textPart(text)) + `,` + string(textPart(" ")) + "]")
	case 2:
		return []byte("[" + string(textPart(text)) + "," + anImagePart + "]")
	}
	return llm.Text(text)
}

// user asks something; the last question of a conversation is always kept.
func (r *random) user() {
	m := llm.Message{Role: "user", Name: r.one("", "", "", "Jane Doe", "a|b", strings.Repeat("n", 80))}
	if r.chance(12) {
		m.Content = []byte(r.one(`""`, `"  \n"`, `[]`, `[{"type":"text","text":""}]`, "["+anImagePart+"]", `[{"type":"thinking","thinking":"x"}]`, `"<|im_end|>"`))
		r.add(m)
		return
	}
	mark := r.mark()
	m.Content = r.content(r.text(mark))
	r.kept = append(r.kept, mark)
	r.add(m)
}

func (r *random) assistant() {
	m := llm.Message{Role: "assistant"}
	if r.chance(8) {
		m.Content = []byte(r.one("", "null", `""`, `" "`, `[]`, `[{"type":"reasoning","text":"x"}]`))
		r.add(m)
		return
	}
	mark := r.mark()
	m.Content = r.content(r.text(mark))
	if r.chance(10) {
		m.Content = []byte(`[{"type":"refusal","refusal":"I won't ` + mark + `"}]`)
	}
	r.kept = append(r.kept, mark)
	r.add(m)
}

// id is mostly a new one.
func (r *random) id() string {
	if len(r.ids) > 0 && r.chance(8) {
		return r.ids[r.IntN(len(r.ids))]
	}
	id := fmt.Sprintf("call_%d", r.IntN(1_000_000_000))
	switch r.IntN(12) {
	case 0:
		id = "functions.get:" + id
	case 1:
		id = strings.Repeat("x", 50) + id
	case 2:
		id = ""
	}
	r.ids = append(r.ids, id)
	return id
}

// calls makes parallel calls and some or all of their results, in any order.
func (r *random) calls() {
	m := llm.Message{Role: "assistant"}
	said := ""
	if r.chance(2) {
		said = r.mark()
		m.Content = r.content(r.text(said))
		r.kept = append(r.kept, said)
	}
	var results []llm.Message
	answered := r.IntN(4) // 0: some are left open
	for range 1 + r.IntN(4) {
		c := llm.ToolCall{ID: r.id(), Type: r.one("function", ""), Function: llm.ToolCallFunction{Name: r.one("search", "browser.tabs.open", "", "a b", strings.Repeat("f", 90)),
			Arguments: r.one("{}", `{"q":"x"}`, "", "null", "[1]", `{"q": "un`, `"text"`, `{"q":"<|im_start|>"}`, `{"q":"\u003c|im_end|\u003e"}`)}}
		m.ToolCalls = append(m.ToolCalls, c)
	}
	for _, c := range m.ToolCalls {
		if answered == 0 && r.chance(2) && distinct(m.ToolCalls) {
			continue
		}
		mark := r.mark()
		out := llm.Message{Role: "tool", ToolCallID: c.ID, Name: c.Function.Name}
		switch r.IntN(8) {
		case 0:
			out.Content = []byte(r.one(`""`, "", "null", "[]"))
		case 1:
			out.Content = llm.Text(mark + strings.Repeat(r.one("результат ", "result ", "結果", "🙂🙃", "AbC9+/"), r.IntN(2500)))
			r.kept = append(r.kept, mark)
		default:
			out.Content = r.content(mark + r.text(""))
			r.kept = append(r.kept, mark)
		}
		results = append(results, out)
	}
	if said == "" && len(results) == 0 {
		m.Content = nil
	}
	if r.chance(2) && distinct(m.ToolCalls) { // results of one id are told apart by their order alone
		r.Shuffle(len(results), func(a, b int) { results[a], results[b] = results[b], results[a] })
	}
	r.add(m)
	for _, out := range results {
		r.add(out)
		if r.chance(15) && distinct(m.ToolCalls) {
			out.Content = llm.Text("a second result, which nobody shows")
			r.add(out)
		}
	}
}

func distinct(calls []llm.ToolCall) bool {
	seen := map[string]bool{}
	for _, c := range calls {
		seen[c.ID] = true
	}
	return len(seen) == len(calls)
}

// step adds something to the conversation.
func (r *random) step() {
	switch r.IntN(9) {
	case 0, 1, 2:
		r.user()
	case 3, 4:
		r.assistant()
	case 5, 6, 7:
		r.calls()
	case 8:
		switch r.IntN(3) {
		case 0:
			r.add(llm.Message{Role: "tool", ToolCallID: "nobody", Content: llm.Text("a result without its call")})
		case 1:
			r.add(llm.Message{Role: "system", Content: llm.Text("an instruction in the middle")})
		case 2:
			r.add(llm.Message{Role: "tool", Content: llm.Text("a result of nothing")})
		}
	}
}

// input makes a conversation and what asks for its context. question is the mark of what was asked last, newest that of the newest unit.
func (r *random) input() (in Input, question string) {
	for range r.IntN(50) {
		r.step()
	}
	before := len(r.list)
	question = r.mark()
	r.add(llm.Message{Role: "user", Content: r.content(r.text(question))})
	r.kept = append(r.kept, question)
	for range r.IntN(4) * r.IntN(2) { // the turn is under way
		r.calls()
	}
	if r.chance(4) { // it is answered again: all of it is stored
		before = len(r.list)
	}
	for i := before; i < len(r.list); i++ {
		r.list[i].Sequence = 0
	}
	in = Input{History: r.list[:before:before], New: r.list[before:], Window: int64(300 * (1 + r.IntN(1+r.IntN(700)))), Answer: int64(r.IntN(2) * r.IntN(600)), NoImages: r.chance(5)}
	in.Instructions = []llm.Message{{Role: "system", Content: llm.Text("SYSTEM-ONE be brief")}, {Role: r.one("system", "developer"), Content: llm.Text("SYSTEM-TWO be kind")}}
	if r.chance(3) {
		in.Summary = "SUMMARY " + strings.Repeat("they talked about things. ", r.IntN(200))
	}
	if r.chance(3) {
		in.Tools = []llm.Tool{{Type: "function", Function: llm.ToolFunction{Name: "search", Description: strings.Repeat("searches the web ", 30), Parameters: []byte(`{"type":"object"}`)}}}
	}
	if r.chance(20) {
		in.Count = tokens.For("openai", "gpt-4o")
	}
	if r.chance(4) {
		Weigh(in.History, in.Count)
	}
	return in, question
}
