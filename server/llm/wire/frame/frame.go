// Package frame reads the frames of a stream that differ from each other in one string only, without parsing the rest of them.
package frame

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Kind says what the text of a frame is.
type Kind uint8

// The kinds of text.
const (
	Text Kind = iota + 1
	Reasoning
	Arguments // of a tool call
)

// Decode is the full reading of a frame, to which every answer of a Template is equal. It reports false when the frame says anything besides one non-empty text.
type Decode func(data []byte) (kind Kind, text string, ok bool)

// textKeys name the values that may be a frame's text, padKeys those that providers fill with noise against eavesdroppers who count bytes.
var (
	textKeys = []string{"content", "text", "reasoning_content", "reasoning", "thinking", "arguments", "partial_json"}
	padKeys  = []string{"obfuscation", "p"}
)

// maxMisses is how many shapes are learned without any of them coming a second time before the stream is taken for one whose frames all differ.
const maxMisses = 4

// Template is the shape of a stream's last text frame: fixed bytes with gaps for the text and for padding. The zero value knows no shape.
type Template struct {
	fixed  [][]byte // the bytes around the gaps, one more than there are gaps
	gap    int      // which gap is the text
	kind   Kind
	misses int
}

// Match reads a frame of the known shape. It reports false for every other frame, which says nothing about it.
func (t *Template) Match(data []byte) (kind Kind, text string, ok bool) {
	if len(t.fixed) == 0 {
		return 0, "", false
	}
	var literal []byte
	rest := data
	for i, seg := range t.fixed {
		if i == len(t.fixed)-1 {
			if !sameEnd(rest, seg) {
				return 0, "", false
			}
			break
		}
		if !bytes.HasPrefix(rest, seg) {
			return 0, "", false
		}
		rest = rest[len(seg):]
		n := stringEnd(rest)
		if n < 0 {
			return 0, "", false
		}
		if i == t.gap {
			literal = rest[:n]
		} else if bytes.IndexByte(rest[:n], '\\') >= 0 {
			return 0, "", false // an escape may be wrong, and padding has none
		}
		rest = rest[n:]
	}
	if text, ok = unquote(literal); !ok || text == "" {
		return 0, "", false
	}
	t.misses = 0
	return t.kind, text, true
}

// sameEnd compares the ends of two frames. Anthropic pads with spaces before the last brace, where they mean nothing.
func sameEnd(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	if len(a) == 0 || len(b) == 0 || a[len(a)-1] != '}' || b[len(b)-1] != '}' {
		return false
	}
	return bytes.Equal(bytes.TrimRight(a[:len(a)-1], " "), bytes.TrimRight(b[:len(b)-1], " "))
}

// Learn takes over the shape of a frame that decode read as (kind, text). It proves the shape by decoding the frame with other strings in the gaps: JSON has no
// context inside a string, so what holds for one string there holds for all. It reports whether the shape was taken over; if not, the last one stays.
func (t *Template) Learn(data []byte, kind Kind, text string, decode Decode) bool {
	if t.misses >= maxMisses {
		return false
	}
	t.misses++
	gaps := findGaps(data, text)
	if gaps == nil {
		return false
	}
	next := Template{kind: kind, misses: t.misses}
	const probe, pad = `"a probe\n\u00e9"`, `"xyz"`
	var proof []byte
	from := 0
	kept := append([]byte(nil), data...) // the frame's bytes are the reader's
	for i, g := range gaps {
		next.fixed = append(next.fixed, kept[from:g.start])
		proof = append(proof, kept[from:g.start]...)
		if g.text {
			next.gap = i
			proof = append(proof, probe...)
		} else {
			proof = append(proof, pad...)
		}
		from = g.end
	}
	next.fixed = append(next.fixed, kept[from:])
	proof = append(proof, kept[from:]...)
	k, s, ok := decode(proof)
	if ok = ok && k == kind && s == "a probe\né"; ok {
		*t = next
	}
	return ok
}

type gap struct {
	start, end int
	text       bool
}

// findGaps finds the one value that is the text, and the padding; nil when there is not exactly one such value.
func findGaps(data []byte, text string) []gap {
	var gaps []gap
	var key []byte
	texts := 0
	for i := 0; i < len(data); {
		if data[i] != '"' {
			i++
			continue
		}
		n := stringEnd(data[i:])
		if n < 0 {
			return nil
		}
		token := data[i+1 : i+n-1]
		switch {
		case isKey(data[i+n:]):
			key = token
		case key != nil && in(textKeys, key):
			if s, ok := unquote(data[i : i+n]); ok && s == text {
				gaps = append(gaps, gap{i, i + n, true})
				texts++
			}
			key = nil
		case key != nil && in(padKeys, key):
			gaps = append(gaps, gap{i, i + n, false})
			key = nil
		default:
			key = nil
		}
		i += n
	}
	if texts != 1 {
		return nil
	}
	return gaps
}

func isKey(after []byte) bool {
	after = bytes.TrimLeft(after, " \t\r\n")
	return len(after) > 0 && after[0] == ':'
}

func in(names []string, name []byte) bool {
	for _, n := range names {
		if string(name) == n {
			return true
		}
	}
	return false
}

// stringEnd returns the length of the JSON string that b begins with, quotes included, or -1 when it begins with none. It does not judge escapes.
func stringEnd(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return -1
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i++
		case c < ' ':
			return -1
		}
	}
	return -1
}

// unquote reads a whole JSON string as encoding/json does.
func unquote(literal []byte) (string, bool) {
	if len(literal) < 2 {
		return "", false
	}
	if inner := literal[1 : len(literal)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), true
	}
	var s string
	if json.Unmarshal(literal, &s) != nil {
		return "", false
	}
	return s, true
}
