// Package gguf writes a tiny random language model as a GGUF file, which a real engine loads and runs: what it says has no sense, how it is served is the truth.
package gguf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
)

// The shape of the model: a llama of two layers.
const (
	width   = 64
	layers  = 2
	heads   = 4
	forward = 128
	context = 1024
)

// The types of values in the file's header, and of tokens.
const (
	typeUint32  = 4
	typeInt32   = 5
	typeFloat32 = 6
	typeString  = 8
	typeArray   = 9

	tokenNormal  = 1
	tokenUnknown = 2
	tokenControl = 3
	tokenByte    = 6
)

const (
	alignment = 32
	firstWord = 3 + 256 // after <unk>, <s>, </s> and the 256 bytes
)

// words are all that the model can say: the output rows of every other token are zero.
var words = []string{
	"after", "again", "all", "and", "answer", "any", "are", "as", "ask", "at", "away", "be", "before", "better", "big", "blue", "both", "but", "by", "call",
	"can", "clear", "come", "day", "do", "down", "each", "early", "end", "even", "every", "far", "few", "find", "first", "for", "from", "full", "give", "go",
	"good", "great", "green", "hand", "have", "here", "high", "home", "how", "if", "in", "into", "is", "it", "just", "keep", "kind", "know", "large", "last",
	"late", "leave", "left", "light", "like", "line", "little", "long", "look", "made", "make", "many", "mean", "more", "most", "move", "much", "name", "near", "new",
	"next", "night", "no", "not", "now", "of", "off", "old", "on", "one", "open", "or", "other", "our", "out", "over", "part", "place", "plan", "read",
	"right", "same", "say", "see", "set", "side", "small", "so", "some", "still", "such", "take", "tell", "that", "the", "then", "there", "they", "this", "time",
}

// template puts a conversation into words as plainly as can be.
const template = `{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}
{% endfor %}assistant:`

// tensor is one matrix: rows of width values.
type tensor struct {
	name string
	dims []uint64 // as GGUF has them: the length of a row first
	data []float32
}

// Write writes the model of a seed. The same seed gives the same bytes.
func Write(w io.Writer, seed uint64) error {
	tensors := weights(rand.New(rand.NewPCG(seed, 1)))
	var head bytes.Buffer
	fields := metadata()
	head.WriteString("GGUF")
	put(&head, uint32(3), uint64(len(tensors)), uint64(len(fields)))
	for _, f := range fields {
		putString(&head, f.key)
		if err := f.put(&head); err != nil {
			return fmt.Errorf("gguf: %s: %w", f.key, err)
		}
	}
	offset := uint64(0)
	for _, t := range tensors {
		putString(&head, t.name)
		put(&head, uint32(len(t.dims)))
		for _, d := range t.dims {
			put(&head, d)
		}
		put(&head, uint32(0), offset) // 0 is float32
		offset += padded(4 * len(t.data))
	}
	head.Write(make([]byte, padded(head.Len())-uint64(head.Len())))
	if _, err := w.Write(head.Bytes()); err != nil {
		return err
	}
	for _, t := range tensors {
		var b bytes.Buffer
		put(&b, t.data)
		b.Write(make([]byte, padded(b.Len())-uint64(b.Len())))
		if _, err := w.Write(b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func padded(n int) uint64 { return uint64(n+alignment-1) / alignment * alignment }

// put writes fixed-size values; a buffer cannot fail.
func put(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
}

func putString(b *bytes.Buffer, s string) {
	put(b, uint64(len(s)))
	b.WriteString(s)
}

// weights draws every matrix. Only rows of words are set in the output, so that the model speaks in words and never ends by itself.
func weights(r *rand.Rand) []tensor {
	vocabulary := firstWord + len(words)
	draw := func(name string, row, rows int) tensor {
		t := tensor{name, []uint64{uint64(row), uint64(rows)}, make([]float32, row*rows)}
		scale := 1 / math.Sqrt(float64(row))
		for i := range t.data {
			t.data[i] = float32(r.NormFloat64() * scale)
		}
		return t
	}
	ones := func(name string) tensor {
		t := tensor{name, []uint64{width}, make([]float32, width)}
		for i := range t.data {
			t.data[i] = 1
		}
		return t
	}
	output := draw("output.weight", width, vocabulary)
	clear(output.data[:firstWord*width])
	all := []tensor{draw("token_embd.weight", width, vocabulary), ones("output_norm.weight"), output}
	for i := range layers {
		block := fmt.Sprintf("blk.%d.", i)
		all = append(all,
			ones(block+"attn_norm.weight"), draw(block+"attn_q.weight", width, width), draw(block+"attn_k.weight", width, width),
			draw(block+"attn_v.weight", width, width), draw(block+"attn_output.weight", width, width),
			ones(block+"ffn_norm.weight"), draw(block+"ffn_gate.weight", width, forward), draw(block+"ffn_up.weight", width, forward),
			draw(block+"ffn_down.weight", forward, width))
	}
	return all
}
