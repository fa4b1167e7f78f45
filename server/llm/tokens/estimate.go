package tokens

import "unicode/utf8"

// Costs are in sixty-fourths of a token. They were fitted to the counts in testdata, to be the least that is not under any of a family's vocabularies.
type costs struct {
	word   int64 // a word's first letter, small or large
	letter int64 // its second to fourth letters
	long   int64 // each further letter
	caps   int64 // a large letter after a large one
	change int64 // a large letter after a small one, as in camelCase
	harsh  int64 // on top, a third consonant in a row and each further one: words that nobody speaks
	digit  int64
	mixed  int64 // on top, where letters and digits meet
	mark   int64 // punctuation
	again  int64 // the same once more
	other  int64 // another right after it
	space  int64 // a space after a space; the first goes with the word
	line   int64
	tab    int64
	script [len(scripts)]int64 // a character
	rest   int64               // a byte of any other character
}

// scripts are ranges of characters that cost alike, in order.
var scripts = [...]struct{ from, to rune }{
	{0x00A1, 0x024F},   // Latin with marks
	{0x0300, 0x036F},   // marks that stand over others
	{0x0370, 0x03FF},   // Greek
	{0x0400, 0x052F},   // Cyrillic
	{0x0590, 0x05FF},   // Hebrew
	{0x0600, 0x06FF},   // Arabic
	{0x0900, 0x0DFF},   // the scripts of India
	{0x0E00, 0x0E7F},   // Thai
	{0x1E00, 0x1EFF},   // Vietnamese
	{0x2000, 0x206F},   // punctuation
	{0x2070, 0x24FF},   // signs of money, mathematics
	{0x2500, 0x259F},   // boxes
	{0x25A0, 0x2BFF},   // pictures
	{0x3000, 0x30FF},   // kana and the punctuation of East Asia
	{0x4E00, 0x9FFF},   // Han
	{0xAC00, 0xD7A3},   // Hangul
	{0xFF00, 0xFFEF},   // wide forms
	{0x1F000, 0x1FAFF}, // emoji
}

const whole = 64

var (
	wideCosts = costs{word: 53, letter: 2, long: 19, caps: 20, change: 81, harsh: 55, digit: 84, mixed: 39, mark: 50, again: 29, other: 33, space: 12, line: 84, tab: 59,
		script: [len(scripts)]int64{118, 130, 68, 45, 80, 60, 99, 69, 66, 85, 111, 58, 111, 56, 108, 83, 66, 177}, rest: 71}
	claudeCosts = costs{word: 53, letter: 2, long: 42, caps: 54, change: 72, harsh: 73, digit: 54, mixed: 107, mark: 86, again: 129, other: 33, space: 8, line: 49, tab: 84,
		script: [len(scripts)]int64{118, 156, 48, 30, 53, 53, 68, 58, 66, 85, 190, 64, 300, 44, 83, 86, 66, 150}, rest: 66}
	narrowCosts = costs{word: 53, letter: 2, long: 23, caps: 26, change: 138, harsh: 65, digit: 78, mixed: 62, mark: 40, again: 48, other: 33, space: 7, line: 141, tab: 59,
		script: [len(scripts)]int64{151, 120, 77, 31, 80, 84, 102, 70, 76, 85, 111, 64, 111, 58, 133, 135, 66, 245}, rest: 71}
)

// Ceiling estimates, whatever the family, and loads nothing. It is hardly ever under what is counted: not at all for the texts of the test, in thirty scripts, code and
// what machines write, but for characters so rare that no vocabulary has them, which it takes for a third too few.
func (c Counter) Ceiling(text string) int64 {
	k := &wideCosts
	switch c.family {
	case claude:
		k = &claudeCosts
	case narrow:
		k = &narrowCosts
	}
	s := scan{k: k, kind: ' '}
	for i := 0; i < len(text); {
		if b := text[i]; b < utf8.RuneSelf {
			s.ascii(b)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		s.n += k.character(r, size)
		s.kind, s.before = 'u', 0
		i += size
	}
	return (s.n + whole - 1) / whole
}

// scan adds up costs.
type scan struct {
	k      *costs
	n      int64
	kind   byte // of the character before: a, A and 0 for letters and digits, u beyond ASCII, . for punctuation, or itself
	before byte // the character before
	run    int  // letters of the word
	harsh  int  // consonants in a row
}

func (s *scan) ascii(b byte) {
	switch {
	case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z':
		s.letter(b)
	case b >= '0' && b <= '9':
		if s.kind == 'a' || s.kind == 'A' {
			s.n += s.k.mixed
		}
		s.n += s.k.digit
		s.kind = '0'
	case b == ' ':
		if s.kind == ' ' {
			s.n += s.k.space
		}
		s.kind = ' '
	case b == '\n':
		s.n += s.k.line
		s.kind = '\n'
	case b == '\t':
		s.n += s.k.tab
		s.kind = '\t'
	default:
		switch {
		case b == s.before:
			s.n += s.k.again
		case s.kind == '.':
			s.n += s.k.other
		default:
			s.n += s.k.mark
		}
		s.kind = '.'
	}
	s.before = b
}

func (s *scan) letter(b byte) {
	isSmall := b >= 'a'
	switch {
	case s.kind != 'a' && s.kind != 'A':
		if s.kind == '0' {
			s.n += s.k.mixed
		}
		s.n += s.k.word
		s.run, s.harsh = 1, 0
	case !isSmall && s.kind == 'a':
		s.n += s.k.change
		s.run = 1
	case !isSmall:
		s.n += s.k.caps
		s.run++
	case s.run < 4:
		s.n += s.k.letter
		s.run++
	default:
		s.n += s.k.long
	}
	s.kind = 'A'
	if isSmall {
		s.kind = 'a'
	}
	switch b | 0x20 {
	case 'a', 'e', 'i', 'o', 'u', 'y':
		s.harsh = 0
		return
	}
	if s.harsh++; s.harsh >= 3 && isSmall {
		s.n += s.k.harsh
	}
}

func (k *costs) character(r rune, size int) int64 {
	if i := scriptOf(r); i >= 0 {
		return k.script[i]
	}
	return k.rest * int64(size)
}

// scriptOf finds the range of a character by halves; below zero it has none.
func scriptOf(r rune) int {
	low, high := 0, len(scripts)
	for low < high {
		middle := (low + high) / 2
		switch {
		case r < scripts[middle].from:
			high = middle
		case r > scripts[middle].to:
			low = middle + 1
		default:
			return middle
		}
	}
	return -1
}
