package window

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/clean"
	"github.com/clawless/clawless/server/llm/tokens"
	"github.com/clawless/clawless/server/tool"
)

// unit is what stands or falls together: a message, or an assistant's calls with one result for each.
type unit struct {
	items []item
	cost  int64
	must  bool // it is there whatever it costs
}

// item is a message of a unit, as it will be sent.
type item struct {
	m        llm.Message
	sequence int64
	taint    []tool.Taint
	cost     int64
	text     string // of an assistant's message or a tool's, before it is shortened
	trimmed  bool
}

// split cleans and mends the conversation and makes units of it, oldest first.
func split(in Input, by tokens.Counter) []unit {
	list := make([]Message, 0, len(in.History)+len(in.New))
	list = append(append(list, in.History...), in.New...)
	s := splitter{in: in, by: by, ids: ids{}}
	s.markImages(list)
	units := make([]unit, 0, len(list))
	for i := 0; i < len(list); {
		if i >= len(in.History) && list[i].Role == "assistant" {
			s.answered = true
		}
		u, next := s.unit(list, i)
		if len(u.items) > 0 {
			u.must = next > len(in.History) && !s.answered // what the caller sent, and not what the model made of it
			units = append(units, u)
		}
		i = next
	}
	must(units)
	return units
}

// must marks what is there whatever it costs: what was asked last, and the newest unit.
func must(units []unit) {
	if len(units) == 0 {
		return
	}
	units[len(units)-1].must = true
	for i := len(units) - 1; i >= 0; i-- {
		if units[i].items[0].m.Role == "user" {
			units[i].must = true
			return
		}
	}
}

// splitter mends messages one after the other.
type splitter struct {
	in       Input
	by       tokens.Counter
	ids      ids
	oldest   int // index of the oldest message whose images are shown
	answered bool
}

// unit makes a unit of what begins at i; next is the message after it. A unit without items says nothing.
func (s *splitter) unit(list []Message, i int) (u unit, next int) {
	m := list[i]
	switch {
	case m.Role == "user":
		it := s.item(m, s.asked(list, i))
		if it.cost == 0 {
			it.cost = s.by.Message(it.m)
		}
		u.add(it)
		return u, i + 1
	case m.Role == "assistant" && len(m.ToolCalls) > 0:
		return s.calls(list, i)
	case m.Role == "assistant":
		if content, text := spoken(m.Content); content != nil {
			u.add(s.said(s.item(m, content), text))
		}
		return u, i + 1
	}
	return u, i + 1 // a result whose call is gone, or an instruction that is none
}

// calls gathers the calls at i with the first result of each. Calls without a result are left out: the turn ended before they were made.
func (s *splitter) calls(list []Message, i int) (u unit, next int) {
	m := list[i]
	next = i + 1
	results := map[string][]Message{}
	for ; next < len(list) && list[next].Role == "tool"; next++ {
		id := list[next].ToolCallID
		results[id] = append(results[id], list[next])
	}
	content, text := spoken(m.Content)
	it := s.item(m, content)
	it.m.ToolCalls, it.cost = nil, 0
	var answers []item
	for _, c := range m.ToolCalls {
		list := results[c.ID]
		if len(list) == 0 {
			continue
		}
		results[c.ID] = list[1:]
		id := s.ids.take(c.ID)
		content, text := result(list[0].Content)
		a := s.item(list[0], content)
		if a.m.ToolCallID != id {
			a.m.ToolCallID, a.cost = id, 0
		}
		it.m.ToolCalls = append(it.m.ToolCalls, mended(c, id))
		answers = append(answers, s.said(a, text))
	}
	if len(it.m.ToolCalls) == 0 && it.m.Content == nil {
		return u, next
	}
	u.add(s.said(it, text))
	for _, a := range answers {
		u.add(a)
	}
	return u, next
}

// item makes an item of a message and its mended content.
func (s *splitter) item(m Message, content json.RawMessage) item {
	it := item{m: m.Message, sequence: m.Sequence, taint: m.Taint}
	it.m.Content, it.m.Name = content, label(clean.Text(m.Name))
	if m.Weight.By == s.by && same(content, m.Content) {
		it.cost = m.Weight.Tokens
	}
	return it
}

// said weighs a message whose content is this text.
func (s *splitter) said(it item, text string) item {
	if it.text = text; it.cost == 0 {
		it.cost = s.by.Count(text) + s.by.Beside(it.m)
	}
	return it
}

func (u *unit) add(it item) {
	u.items = append(u.items, it)
	u.cost += it.cost
}

const (
	keepEnds = 1500 // characters of a result that are kept at either end
	shortest = 64
	leftOut  = "\n[… %d characters left out …]\n"
)

// shorten keeps the first and the last characters of a text and says how many stood between. It reports false when that would save nothing.
func shorten(text string, keep int) (string, bool) {
	if len(text) <= 2*keep+len(leftOut) {
		return text, false
	}
	n := utf8.RuneCountInString(text)
	if n <= 2*keep+len(leftOut) {
		return text, false
	}
	head, tail := 0, len(text)
	for range keep {
		_, size := utf8.DecodeRuneInString(text[head:])
		head += size
	}
	for range keep {
		_, size := utf8.DecodeLastRuneInString(text[:tail])
		tail -= size
	}
	return text[:head] + strings.Replace(leftOut, "%d", strconv.Itoa(n-2*keep), 1) + text[tail:], true
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
