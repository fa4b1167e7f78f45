package anthropic

import "github.com/clawless/clawless/server/llm/wire"

// Anthropic keeps the beginning of a prompt up to a block that is marked, and only from 1,024 tokens on; four bytes are about a token.
const (
	cacheMark    = `,"cache_control":{"type":"ephemeral"}}`
	worthCaching = 1024 * 4
)

// marked is an object with the mark as its last field.
func marked(object []byte) []byte { return append(object[:len(object)-1:len(object)-1], cacheMark...) }

// appendSystem writes the system prompt, as a marked block where the tools and it are long enough.
func appendSystem(b []byte, text string, before int, cache bool) []byte {
	if text == "" {
		return b
	}
	b = append(b, `,"system":`...)
	if !cache || before+len(text) < worthCaching {
		return wire.AppendString(b, text)
	}
	return append(append(append(b, '['), marked(textBlock(text).json)...), ']')
}

// markEnd marks the last block of the last turn where all that stands before it is long enough: the next turn begins with the same.
func (c *converter) markEnd(before int) {
	size := before
	for _, t := range c.turns {
		for _, r := range t.results {
			size += len(r)
		}
		for _, k := range t.blocks {
			size += len(k.json)
		}
	}
	if size < worthCaching || len(c.turns) == 0 {
		return
	}
	last := c.turns[len(c.turns)-1]
	if last.role != "user" {
		return
	}
	if n := len(last.blocks); n > 0 {
		last.blocks[n-1].json = marked(last.blocks[n-1].json)
	} else if n := len(last.results); n > 0 {
		last.results[n-1] = marked(last.results[n-1])
	}
}

// continues reports whether a tool has answered and the model is to go on.
func (c *converter) continues() bool {
	n := len(c.turns)
	return n > 0 && len(c.turns[n-1].results) > 0
}
