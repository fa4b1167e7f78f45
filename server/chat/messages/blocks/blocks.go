// Package blocks puts the chunks of an answer into blocks, one open at a time, as the dialects want them that name every block's beginning and end.
package blocks

import (
	"strings"

	"github.com/clawless/clawless/server/llm"
)

// Kind says what a block holds.
type Kind uint8

// The kinds of blocks.
const (
	Thinking Kind = iota
	Text
	Refusal
	Call
)

// Block is one part of an answer. It grows until it is closed.
type Block struct {
	Kind Kind
	ID   string // of a call
	Name string // of the function that is called

	said     strings.Builder
	sent     int // bytes of said that the sink has
	closed   bool
	argument extent
}

// Said is the text so far, of a call its arguments.
func (b *Block) Said() string { return b.said.String() }

// Sink is told of an answer's blocks in order: one is opened, grows, and is closed before the next is opened.
type Sink interface {
	Open(b *Block)
	Grow(b *Block, piece string)
	Close(b *Block)
}

// Sequence sorts chunks into blocks. What follows a call whose arguments have not ended waits until they have, or the answer has. It is used by one goroutine.
type Sequence struct {
	sink   Sink
	blocks []*Block // those that are not closed; the first is open, or will be next
	open   bool
	calls  map[int]*Block
}

// New makes an empty sequence.
func New(sink Sink) *Sequence { return &Sequence{sink: sink, calls: map[int]*Block{}} }

// Add takes one chunk in.
func (s *Sequence) Add(c llm.Chunk) {
	s.text(Thinking, c.Reasoning)
	s.text(Text, c.Text)
	s.text(Refusal, c.Refusal)
	for _, d := range c.ToolCalls {
		s.call(d)
	}
	s.advance(false)
}

// End closes what is open. Nothing may be added afterwards.
func (s *Sequence) End() { s.advance(true) }

func (s *Sequence) text(kind Kind, piece string) {
	if piece == "" {
		return
	}
	var b *Block
	if n := len(s.blocks); n > 0 && s.blocks[n-1].Kind == kind {
		b = s.blocks[n-1]
	} else {
		b = &Block{Kind: kind}
		s.blocks = append(s.blocks, b)
	}
	b.said.WriteString(piece)
}

func (s *Sequence) call(d llm.ToolCallDelta) {
	b := s.calls[d.Index]
	if b == nil {
		b = &Block{Kind: Call, ID: d.ID, Name: d.Name}
		s.calls[d.Index] = b
		s.blocks = append(s.blocks, b)
	}
	if b.closed { // the arguments were whole, so this is none of them
		return
	}
	b.said.WriteString(d.Arguments)
	b.argument.read(d.Arguments)
}

// advance gives the sink what it can have by now.
func (s *Sequence) advance(over bool) {
	for len(s.blocks) > 0 {
		b := s.blocks[0]
		if !s.open {
			s.sink.Open(b)
			s.open = true
		}
		if said := b.said.String(); len(said) > b.sent {
			s.sink.Grow(b, said[b.sent:])
			b.sent = len(said)
		}
		if !over && (len(s.blocks) == 1 || b.Kind == Call && !b.argument.whole()) {
			return
		}
		b.closed = true
		s.sink.Close(b)
		s.open, s.blocks = false, s.blocks[1:]
	}
}

// extent follows a JSON object or list to its end, a piece at a time.
type extent struct {
	depth          int
	begun          bool
	inString, skip bool
}

func (e *extent) whole() bool { return e.begun && e.depth == 0 }

func (e *extent) read(piece string) {
	for i := range len(piece) {
		c := piece[i]
		switch {
		case e.skip:
			e.skip = false
		case e.inString && c == '\\':
			e.skip = true
		case c == '"':
			e.inString = !e.inString
		case e.inString:
		case c == '{', c == '[':
			e.begun = true
			e.depth++
		case c == '}', c == ']':
			e.depth--
		}
	}
}
