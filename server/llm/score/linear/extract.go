package linear

import (
	"iter"
	"math"
	"strings"
	"sync"
	"unicode"
)

// Spec is the shape of the hashed features. Training and serving must use the same.
type Spec struct {
	WordBits int `json:"word_bits"` // the table of words has 1<<WordBits weights, at most 1<<20
	CharBits int `json:"char_bits"` // the table of character n-grams has 1<<CharBits weights, at most 1<<20
	WordN    int `json:"word_n"`    // 1: single words, 2: pairs as well
	CharMin  int `json:"char_min"`  // shortest character n-gram, in bytes, within a word and its two borders
	CharMax  int `json:"char_max"`  // longest; 0 leaves them out
}

// Vector is what the model sees of a text.
type Vector struct {
	Words     []uint32            // distinct places in the table of words
	Chars     []uint32            // distinct places in the table of character n-grams
	Structure [Structural]float64 // the structural features, not yet standardised
	Tokens    int                 // words and numbers
	Known     int                 // those of them that are in the list of common words, or numbers
}

// Extractor turns texts into vectors. It is safe for concurrent use.
type Extractor struct {
	spec   Spec
	common map[string]struct{}
	pool   sync.Pool
}

// NewExtractor makes an extractor; common are the words that do not count as rare, in lower case.
func NewExtractor(spec Spec, common []string) *Extractor {
	x := &Extractor{spec: spec, common: make(map[string]struct{}, len(common))}
	for _, w := range common {
		x.common[w] = struct{}{}
	}
	x.pool.New = func() any {
		return &scratch{words: newMarks(spec.WordBits), chars: newMarks(spec.CharBits)}
	}
	return x
}

// Extract fills v, whose slices are used again. stem leaves the options of a multiple-choice question out.
func (x *Extractor) Extract(text string, stem bool, v *Vector) {
	s := x.pool.Get().(*scratch)
	defer x.pool.Put(s)
	s.reset()
	head, tail := cut(text)
	if tail == "" {
		s.read(Clean(head, stem), x.common)
	} else {
		s.read(head, x.common)
		s.endToken(x.common)
		s.read(tail, x.common)
	}
	s.endToken(x.common)
	s.structure(v)
	v.Words, v.Chars = v.Words[:0], v.Chars[:0]
	s.hash(x.spec, v)
	s.words.clear(v.Words)
	s.chars.clear(v.Chars)
}

// marks is a set of places in a table, cheap to empty.
type marks []uint64

func newMarks(bits int) marks { return make(marks, max(1, 1<<bits>>6)) }

// add reports whether the place is new.
func (m marks) add(i uint32) bool {
	bit := uint64(1) << (i & 63)
	if m[i>>6]&bit != 0 {
		return false
	}
	m[i>>6] |= bit
	return true
}

func (m marks) clear(places []uint32) {
	for _, i := range places {
		m[i>>6] = 0
	}
}

const (
	fnvOffset = 2166136261
	fnvPrime  = 16777619
)

// place spreads a hash over a table; the multiplication carries all bits into the high ones, which FNV alone leaves poor.
func place(h uint32, bits int) uint32 { return h * 2654435769 >> (32 - bits) }

// hash walks over the normalised text, " word word ", and lists the distinct places.
func (s *scratch) hash(spec Spec, v *Vector) {
	b := s.text
	previous := uint32(0)
	for i := 0; i+1 < len(b); {
		end := i + 1
		h := uint32(fnvOffset)
		for end < len(b) && b[end] != ' ' {
			h = (h ^ uint32(b[end])) * fnvPrime
			end++
		}
		if end == i+1 {
			break
		}
		if p := place(h, spec.WordBits); s.words.add(p) {
			v.Words = append(v.Words, p)
		}
		if pair := (previous*31 ^ h) * fnvPrime; spec.WordN > 1 && previous != 0 {
			if p := place(pair, spec.WordBits); s.words.add(p) {
				v.Words = append(v.Words, p)
			}
		}
		previous = h
		if spec.CharMax > 0 {
			s.hashChars(b[i:min(end+1, len(b))], spec, v)
		}
		i = end
	}
}

// hashChars lists the n-grams of one word with its borders.
func (s *scratch) hashChars(b []byte, spec Spec, v *Vector) {
	if len(b) > maxToken {
		b = b[:maxToken]
	}
	for i := range b {
		h := uint32(fnvOffset)
		for n := 1; n <= spec.CharMax && i+n <= len(b); n++ {
			h = (h ^ uint32(b[i+n-1])) * fnvPrime
			if n < spec.CharMin {
				continue
			}
			if p := place(h, spec.CharBits); s.chars.add(p) {
				v.Chars = append(v.Chars, p)
			}
		}
	}
}

func log2p(n int) float64 { return math.Log2(1 + float64(n)) }

func share(n, of int) float64 { return float64(n) / float64(max(1, of)) }

// structure computes the structural features from what was counted.
func (s *scratch) structure(v *Vector) {
	v.Tokens, v.Known = s.tokens, s.known
	v.Structure = [Structural]float64{}
	f := &v.Structure
	long := log2p(s.tokens)
	f[length], f[lengthOver16], f[lengthOver64] = long, max(0, long-4), max(0, long-6)
	ends := max(1, s.ends)
	f[sentences], f[sentenceLength] = log2p(ends), math.Log2(1+share(s.tokens, ends))
	f[wordLength], f[longWords], f[rareWords] = share(s.letters, s.proper), share(s.longWords, s.proper), share(s.proper-s.commonWords, s.proper)
	f[numbers], f[digitShare] = log2p(s.numbers), share(s.digits, s.visible)
	f[mathSymbols], f[codeMarks] = log2p(s.mathSymbols), log2p(s.codeMarks)
	for _, k := range []int{negations, extremes, constraints, conditions, tasks, mathWords, quantity, recall, asksWhat, asksWhy, asksWhich} {
		f[k] = log2p(s.counts[k])
	}
	f[lines], f[foreign] = log2p(s.newlines), share(s.foreign, s.letters)
	f[quotes], f[parentheses], f[commas], f[capitals] = log2p(s.quotes), log2p(s.parentheses), share(s.commas, ends), share(s.capitals, s.proper)
}

// fieldsSeq is strings.FieldsSeq over spaces alone.
func fieldsSeq(list string) iter.Seq[string] { return strings.FieldsFuncSeq(list, unicode.IsSpace) }
