package linear

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	const question = "Which is prime?\nA. 4\nB. 6\nC. 7\nD. 8\nAnswer:"
	for _, tt := range []struct {
		name, text string
		stem       bool
		want       string
	}{
		{"options keep their words", question, false, "Which is prime?\n4\n6\n7\n8"},
		{"the question alone", question, true, "Which is prime?"},
		{"parentheses", "Choose:\n(A) one\n(B) two\n(C) three", false, "Choose:\none\ntwo\nthree"},
		{"one bracket", "Choose:\nA) one\nB) two\nC) three", true, "Choose:"},
		{"two options are prose", "A. Smith wrote.\nB. Jones read.", true, "A. Smith wrote.\nB. Jones read."},
		{"chat", "Who is right, A or B?", true, "Who is right, A or B?"},
		{"nothing but options", "A. 4\nB. 6\nC. 7", true, "4\n6\n7"},
		{"empty options", "Q\nA.\nB.\nC.", false, "Q\n\n\n"},
		{"an initial in the middle", "Read.\nA. Smith wrote.\nThen:\nA. 1\nB. 2\nC. 3", true, "Read.\nA. Smith wrote.\nThen:"},
	} {
		if got := Clean(tt.text, tt.stem); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestCut(t *testing.T) {
	long := strings.Repeat("x", headBytes-1) + "é" + strings.Repeat("y", 3000) + "é" + strings.Repeat("z", tailBytes-1)
	head, tail := cut(long)
	if head != strings.Repeat("x", headBytes-1) || tail != strings.Repeat("z", tailBytes-1) {
		t.Errorf("%d and %d bytes, and not at the borders of runes", len(head), len(tail))
	}
	if head, tail := cut(strings.Repeat("x", MaxBytes)); len(head) != MaxBytes || tail != "" {
		t.Error("a text of MaxBytes is cut")
	}
}

var spec = Spec{WordBits: 12, CharBits: 13, WordN: 2, CharMin: 3, CharMax: 4}

func extracted(text string) *Vector {
	v := new(Vector)
	NewExtractor(spec, []string{"the", "is", "of", "and"}).Extract(text, false, v)
	return v
}

func TestStructure(t *testing.T) {
	for _, tt := range []struct {
		text    string
		feature int
		want    float64
	}{
		{"one two three", length, 2},
		{"One. Two! Three?", sentences, 2},
		{"The law of nature", rareWords, 0.5},
		{"3 apples, 1,250.75 pears and 7.", numbers, 2},
		{"12 ab", digitShare, 0.5},
		{"x = y + z ≤ 3", mathSymbols, 2},
		{"if it is not so, suppose it never was", negations, math.Log2(3)},
		{"if it is not so, suppose it never was", conditions, math.Log2(3)},
		{"Prove it and explain", tasks, math.Log2(3)},
		{"How many are there?", quantity, 1},
		{"How many are there?", asksWhy, 0},
		{"How does it work?", asksWhy, 1},
		{"When was it?", recall, 1},
		{"When was it?", conditions, 0},
		{"We see Paris and Rome.", capitals, 0.4},
		{"f() { return }", codeMarks, math.Log2(3)},
		{"a\nb\n\nc", lines, math.Log2(3)},
		{"été", foreign, 2.0 / 3},
		{"", length, 0},
	} {
		if got := extracted(tt.text).Structure[tt.feature]; math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s of %q: %v, want %v", Features[tt.feature].Name, tt.text, got, tt.want)
		}
	}
}

func TestHashed(t *testing.T) {
	if a, b := extracted("The cat sat."), extracted("the CAT, sat"); !slices.Equal(a.Words, b.Words) || !slices.Equal(a.Chars, b.Chars) {
		t.Error("case and punctuation change the n-grams")
	}
	if a, b := extracted("it costs 250"), extracted("it costs 999"); !slices.Equal(a.Words, b.Words) {
		t.Error("numbers of one size differ")
	}
	if a, b := extracted("dog bites man"), extracted("man bites dog"); slices.Equal(slices.Sorted(slices.Values(a.Words)), slices.Sorted(slices.Values(b.Words))) {
		t.Error("pairs of words do not show")
	}
	once, often := extracted("word"), extracted(strings.Repeat("word ", 50))
	if len(once.Words) != 1 || len(often.Words) != 2 || len(once.Chars) != len(often.Chars) {
		t.Errorf("%d and %d words, %d and %d n-grams: places are not distinct", len(once.Words), len(often.Words), len(once.Chars), len(often.Chars))
	}
	x := NewExtractor(spec, nil)
	var first, second Vector
	x.Extract("a rather long text with many words in it", false, &first)
	x.Extract("word", false, &second)
	if !reflect.DeepEqual(second.Words, once.Words) {
		t.Error("what was read before leaves traces")
	}
}

func smallModel() *Model {
	m := &Model{Spec: spec, Common: []string{"and", "is", "the"}, Words: make([]int8, 1<<spec.WordBits), Chars: make([]int8, 1<<spec.CharBits),
		WordUnit: 0.01, CharUnit: 0.02, Bias: -1, Slope: 0.9, Offset: 0.1, Quantiles: []float64{0.1, 0.5, 0.9}}
	for i := range m.Words {
		m.Words[i] = int8(i * 7)
	}
	for i := range Structural {
		m.Structure[i], m.Mean[i], m.Deviation[i] = float64(i)/100, float64(i)/10, 1
	}
	return m
}

func TestCodec(t *testing.T) {
	m := smallModel()
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if len(line) > 200 {
			t.Fatalf("a line of %d bytes", len(line))
		}
	}
	got, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := got.Encode()
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("what was read is written in another way (%v)", err)
	}
	const prompt = "Prove that the sum is 12, and explain each step."
	if a, b := m.Predict(prompt, 0), got.Predict(prompt, 0); a != b {
		t.Errorf("%v before, %v after", a, b)
	}
	for name, bad := range map[string][]byte{
		"empty":         nil,
		"no head":       []byte("abc"),
		"cut":           text[:len(text)-400],
		"format":        bytes.Replace(text, []byte(`"format": 1`), []byte(`"format": 9`), 1),
		"huge tables":   bytes.Replace(text, []byte(`"word_bits": 12`), []byte(`"word_bits": 40`), 1),
		"wrong tables":  bytes.Replace(text, []byte(`"word_bits": 12`), []byte(`"word_bits": 13`), 1),
		"feature":       bytes.Replace(text, []byte(`"sentences"`), []byte(`"phrases"`), 1),
		"common words":  bytes.Replace(text, []byte(`"common_words": 3`), []byte(`"common_words": 4`), 1),
		"not base64":    append(bytes.Clone(text[:len(text)-60]), "!!!!\n"...),
		"head not JSON": append([]byte("{"), text...),
	} {
		if _, err := Decode(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestStandardised(t *testing.T) {
	v := &Vector{Tokens: 8}
	v.Structure[length], v.Structure[rareWords], v.Structure[numbers] = 3, 0.5, 100
	for _, tt := range []struct {
		feature         int
		mean, deviation float64
		want            float64
	}{{length, 1, 2, 1}, {length, 1, 0, 0}, {numbers, 0, 1, 4}, {rareWords, 0, 0.5, 0.5}} {
		if got := v.Standardised(tt.feature, tt.mean, tt.deviation); got != tt.want {
			t.Errorf("%s: %v, want %v", Features[tt.feature].Name, got, tt.want)
		}
	}
}
