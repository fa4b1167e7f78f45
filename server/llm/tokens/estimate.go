package tokens

import "unicode/utf8"

// Costs are in sixteenths of a token. They are set so that the estimate is hardly ever under what seven vocabularies give for the texts of the test.
type costs struct {
	word    int64 // a word's beginning
	letter  int64 // each further letter
	digit   int64
	mark    int64 // punctuation and control characters
	space   int64 // a space that no word follows
	line    int64
	scripts [len(scripts)]int64 // a character
	rest    int64               // a byte of any other character
}

// scripts are ranges of characters that cost alike, in order.
var scripts = [...]struct{ from, to rune }{
	{0x00C0, 0x024F}, // Latin with marks
	{0x0370, 0x03FF}, // Greek
	{0x0400, 0x052F}, // Cyrillic
	{0x0590, 0x06FF}, // Hebrew, Arabic
	{0x0900, 0x0DFF}, // the scripts of India
	{0x0E00, 0x0E7F}, // Thai
	{0x3000, 0x30FF}, // kana and the punctuation of East Asia
	{0x4E00, 0x9FFF}, // Han
	{0xAC00, 0xD7A3}, // Hangul
	{0xFF00, 0xFFEF}, // wide forms
}

const whole = 16

var estimates = map[bool]costs{
	false: {word: 17, letter: 2, digit: 16, mark: 14, space: 6, line: 12, scripts: [len(scripts)]int64{20, 16, 12, 16, 20, 20, 18, 24, 24, 24}, rest: 16},
	true:  {word: 20, letter: 4, digit: 16, mark: 16, space: 12, line: 16, scripts: [len(scripts)]int64{24, 20, 14, 18, 40, 40, 20, 40, 46, 40}, rest: 18},
}

// Ceiling estimates, whatever the family, and loads nothing.
func (c Counter) Ceiling(text string) int64 {
	k := estimates[c.family == narrow]
	var n int64
	var before byte // the kind of the character before
	for i := 0; i < len(text); {
		b := text[i]
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			n += k.wide(r, size)
			before = 'u'
			i += size
			continue
		}
		i++
		switch {
		case b >= 'a' && b <= 'z':
			if before == 'a' || before == 'A' {
				n += k.letter
			} else {
				n += k.word
			}
			before = 'a'
		case b >= 'A' && b <= 'Z':
			if before == 'A' {
				n += 2 * k.letter
			} else {
				n += k.word
			}
			before = 'A'
		case b >= '0' && b <= '9':
			n += k.digit
			before = '0'
		case b == ' ':
			if before == ' ' {
				n += k.space
			}
			before = ' '
		case b == '\n':
			n += k.line
			before = '\n'
		default:
			n += k.mark
			before = '.'
		}
	}
	return (n + whole - 1) / whole
}

func (k *costs) wide(r rune, size int) int64 {
	for i := range scripts {
		if r < scripts[i].from {
			break
		}
		if r <= scripts[i].to {
			return k.scripts[i]
		}
	}
	return k.rest * int64(size)
}
