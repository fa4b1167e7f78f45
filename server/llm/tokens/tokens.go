// Package tokens counts the tokens of texts before a provider does: with a model's own vocabulary where it is public, and else with an estimate that is rather too high.
package tokens

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer"
)

// Counter counts as one family of models does. The zero Counter estimates, for models of which nothing is known. Counters can be compared, and used at the same time.
type Counter struct{ family family }

type family uint8

const (
	wide   family = iota // an estimate for vocabularies of a hundred thousand tokens and more, as nearly all models have
	claude               // the same for Anthropic's, which take more tokens for the same text
	narrow               // the same for those of thirty thousand, which spell other scripts byte by byte
	o200k
	cl100k
)

// families are the beginnings of models' names, without their makers'; the first that fits counts.
var families = []struct {
	prefix string
	family family
}{
	{"gpt-oss", o200k}, {"gpt-4o", o200k}, {"gpt-4.1", o200k}, {"gpt-4.5", o200k}, {"chatgpt-4o", o200k},
	{"gpt-4", cl100k}, {"gpt-3.5", cl100k}, {"gpt-35", cl100k}, {"text-embedding-", cl100k},
	{"gpt-", o200k}, {"chatgpt-", o200k}, {"o1", o200k}, {"o3", o200k}, {"o4", o200k}, {"codex-", o200k},
	{"claude", claude},
	{"llama-2", narrow}, {"llama2", narrow}, {"codellama", narrow}, {"tinyllama", narrow}, {"vicuna", narrow}, {"mistral-7b", narrow}, {"mixtral", narrow},
	{"mistral:", narrow}, {"zephyr", narrow}, {"phi-2", narrow}, {"phi-3", narrow}, {"phi3", narrow}, {"yi-", narrow}, {"solar", narrow}, {"falcon", narrow},
}

// For returns the counter of a model; vendor may be empty where it is not known.
func For(vendor, model string) Counter {
	if vendor == "mock" {
		return Counter{}
	}
	name := strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	name = strings.TrimPrefix(name, "ft:")
	for _, f := range families {
		if strings.HasPrefix(name, f.prefix) {
			return Counter{f.family}
		}
	}
	return Counter{}
}

// Exact reports whether Count uses the model's own vocabulary.
func (c Counter) Exact() bool { return c.family == o200k || c.family == cl100k }

const (
	chunk     = 4 << 10   // bytes that are looked at in one piece, so that no text costs more than in proportion to its length
	exactness = 256 << 10 // bytes of a text that are counted; the rest is estimated
)

// Count is how many tokens the text has. The first count of a family with a vocabulary of its own loads it, which takes some 30 ms and 10 MB once; the others load nothing.
func (c Counter) Count(text string) int64 {
	if !c.Exact() {
		return c.Ceiling(text)
	}
	if len(text) < worthKeeping {
		return c.exactly(text)
	}
	return counted().count(c.family, text, func() int64 { return c.exactly(text) })
}

// exactly counts piece by piece.
func (c Counter) exactly(text string) int64 {
	codec := vocabularies[c.family]()
	var n int64
	for done := 0; text != ""; {
		if done >= exactness {
			return n + c.Ceiling(text)
		}
		piece := text[:cut(text)]
		count, err := codec.Count(piece)
		if err != nil {
			return n + c.Ceiling(text)
		}
		n += int64(count)
		done += len(piece)
		text = text[len(piece):]
	}
	return n
}

// cut finds where the first piece of a text ends: before a word where there is one in the second half, and never within a character.
func cut(text string) int {
	if len(text) <= chunk {
		return len(text)
	}
	if i := strings.LastIndexByte(text[chunk/2:chunk], ' '); i > 0 {
		return chunk/2 + i
	}
	end := chunk
	for end > chunk-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return end
}

var vocabularies = map[family]func() tokenizer.Codec{
	o200k:  sync.OnceValue(func() tokenizer.Codec { return load(tokenizer.O200kBase) }),
	cl100k: sync.OnceValue(func() tokenizer.Codec { return load(tokenizer.Cl100kBase) }),
}

func load(e tokenizer.Encoding) tokenizer.Codec {
	c, err := tokenizer.Get(e)
	if err != nil {
		panic("tokens: " + err.Error()) // both are part of the library, and every test of this package loads them
	}
	return c
}

// Rough is the counter that estimates where c counts. It is fast, and hardly ever under c.
func (c Counter) Rough() Counter {
	if c.Exact() {
		return Counter{}
	}
	return c
}
