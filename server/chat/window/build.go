package window

import (
	"slices"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/clean"
	"github.com/clawless/clawless/server/llm/tokens"
	"github.com/clawless/clawless/server/tool"
)

// Message is a message of a conversation.
type Message struct {
	llm.Message
	Sequence int64  // its place in the session; zero when it is not stored yet
	Run      string // whose turn it is of; empty where nobody minds. A question that no answer followed in its own turn leaves its images behind
	Taint    []tool.Taint
	Weight   Weight
}

// Weight is what a message costs by an estimate. The zero weight is unknown.
type Weight struct {
	By     tokens.Counter
	Tokens int64
}

// Weigh fills in the weights that are missing, so that a list which is kept need not be looked through for every turn. The list must be the caller's alone. What is
// counted and not estimated is remembered by the counter itself.
func Weigh(list []Message, by tokens.Counter) {
	by = by.Rough()
	for i := range list {
		if w := &list[i].Weight; w.Tokens == 0 || w.By != by {
			*w = Weight{By: by, Tokens: by.Message(list[i].Message)}
		}
	}
}

// Input is what a context is made of.
type Input struct {
	Instructions []llm.Message // what stands before everything, always
	Summary      string        // of what came before History; empty for none
	History      []Message     // oldest first: the branch that is continued, after the summary
	New          []Message     // the turn under way: what the caller sent, and the calls and results that followed
	Tools        []llm.Tool
	Window       int64 // tokens that the model takes, answer included; zero takes DefaultWindow
	Answer       int64 // tokens of it that are kept for the answer; zero keeps a quarter, at most 4,096
	Count        tokens.Counter
	NoImages     bool  // the model takes none: a note stands in their place
	Cheap        int64 // window of the model that would summarise; zero takes DefaultCheap
}

// The windows that are assumed of models of which nothing is known.
const (
	DefaultWindow = 32_768
	DefaultCheap  = 24_000
)

// Built is a context.
type Built struct {
	Messages []llm.Message // shares what needed no change with the input
	Tokens   int64         // what they cost with the tools, at most
	Room     int64         // what they may cost; Tokens is above it only when what must be there does not fit
	Trimmed  int           // results of tools that were shortened
	Dropped  int           // messages that were left out for want of room
	Compact  *Compaction   // what ought to be summarised before the model is asked; nil when all fits, or nothing can be
	Taint    []tool.Taint  // of the messages that are in it; that of the summary is the caller's to add
	From     int64         // sequence of the oldest stored message in it; zero for none
}

const (
	defaultAnswer = 4096
	margin        = 48 // tokens for the notes that may stand between messages
	smallestShare = 8  // of the window that messages get, whatever the answer wants
	summaryShare  = 4  // of the room that a summary gets at most
)

// Build makes a context that fits the window and that no provider refuses, the newest of the conversation first of all. In this order, as far as it must: results of tools
// are shortened, the oldest first; the oldest messages are left out and proposed for a summary; the newest results are shortened. Instructions, what was asked in this
// turn and the newest unit of messages are always there, whatever they cost. The same input gives the same context.
func Build(in Input) Built {
	b := builder{in: in, by: in.Count.Rough()}
	b.plan()
	if b.total() > b.room && in.Count.Exact() { // an estimate that is rather too high is no reason to cut
		b = builder{in: in, by: in.Count}
		b.plan()
	}
	b.trimOld()
	b.drop()
	b.trimNewest()
	return b.built()
}

// builder holds a context in the making.
type builder struct {
	in      Input
	by      tokens.Counter
	system  []llm.Message
	summary []llm.Message // none or one
	units   []unit        // oldest first
	fixed   int64         // tokens of what is there whatever is cut
	room    int64
	from    int // units before it are left out, but for those that must be there
	trimmed int
	compact *Compaction
}

// plan makes the units and weighs everything.
func (b *builder) plan() {
	in := b.in
	window := in.Window
	if window <= 0 {
		window = DefaultWindow
	}
	answer := in.Answer
	if answer <= 0 {
		answer = min(window/4, defaultAnswer)
	}
	b.room = max(window-answer, window/smallestShare)
	b.system = instructions(in.Instructions)
	b.fixed = b.by.Tools(clean.Tools(in.Tools)) + margin
	for _, m := range b.system {
		b.fixed += b.by.Message(m)
	}
	if text := clean.Text(in.Summary); !blank(text) {
		if most := b.room / summaryShare; b.by.Count(text) > most {
			text = fit(in.Count, text, most)
		}
		b.summary = []llm.Message{Summarised(text)}
		b.fixed += b.by.Message(b.summary[0])
	}
	b.units = split(in, b.by)
}

// fit shortens a text until it costs no more than most, or is very short.
func fit(by tokens.Counter, text string, most int64) string {
	short := text
	for keep := len(text) / 4; keep >= shortest && by.Count(short) > most; keep /= 2 {
		short, _ = shorten(text, keep)
	}
	return short
}

// total is what everything costs as it stands.
func (b *builder) total() int64 {
	n := b.fixed
	for i := range b.units {
		if i >= b.from || b.units[i].must {
			n += b.units[i].cost
		}
	}
	return n
}

// trimOld shortens the results of tools, the oldest first, until everything fits. The newest unit is spared.
func (b *builder) trimOld() {
	total := b.total()
	for i := 0; i < len(b.units)-1 && total > b.room; i++ {
		u := &b.units[i]
		for j := 0; j < len(u.items) && total > b.room; j++ {
			total -= b.trim(u, j, keepEnds)
		}
	}
}

// drop leaves out the oldest units that do not fit, and proposes to summarise more than these, so that the next turns need not be cut again.
func (b *builder) drop() {
	if b.total() <= b.room {
		return
	}
	b.from = b.cut(b.room)
	b.propose(max(b.from, b.cut(b.fixed+(b.room-b.fixed)/2)))
}

// cut finds the first of the newest units that fit the room together with those that must be there.
func (b *builder) cut(room int64) int {
	left := room - b.fixed
	for i := range b.units {
		if b.units[i].must {
			left -= b.units[i].cost
		}
	}
	from := len(b.units)
	for from > 0 {
		u := &b.units[from-1]
		if !u.must && u.cost > left {
			break
		}
		if !u.must {
			left -= u.cost
		}
		from--
	}
	return from
}

// trimNewest shortens the results of the units that must be there, ever more, until they fit or nothing is left to shorten.
func (b *builder) trimNewest() {
	total := b.total()
	for keep := keepEnds; keep >= shortest && total > b.room; keep /= 2 {
		for i := range b.units {
			u := &b.units[i]
			for j := 0; u.must && j < len(u.items) && total > b.room; j++ {
				total -= b.trim(u, j, keep)
			}
		}
	}
}

// trim shortens the result of a tool to its ends and returns how many tokens that saved.
func (b *builder) trim(u *unit, j, keep int) int64 {
	it := &u.items[j]
	if it.m.Role != "tool" {
		return 0
	}
	short, ok := shorten(it.text, keep)
	if !ok {
		return 0
	}
	before := it.cost
	it.m.Content = llm.Text(short)
	it.cost = b.by.Count(short) + b.by.Beside(it.m)
	u.cost += it.cost - before
	if !it.trimmed {
		it.trimmed = true
		b.trimmed++
	}
	return before - it.cost
}

// built writes the context down.
func (b *builder) built() Built {
	out := Built{Tokens: b.total(), Room: b.room, Trimmed: b.trimmed, Compact: b.compact}
	w := writer{messages: slices.Concat(b.system, b.summary)}
	for i := range b.units {
		u := &b.units[i]
		if i < b.from && !u.must {
			out.Dropped += len(u.items)
			continue
		}
		for j := range u.items {
			it := &u.items[j]
			w.add(it.m)
			for _, t := range it.taint {
				if !slices.Contains(out.Taint, t) {
					out.Taint = append(out.Taint, t)
				}
			}
			if out.From == 0 {
				out.From = it.sequence
			}
		}
	}
	out.Messages = w.end()
	return out
}
