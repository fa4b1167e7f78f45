package linear

import (
	"unicode"
	"unicode/utf8"
)

// maxToken is how many bytes of one unbroken run of letters are read for n-grams; nothing anybody says is longer.
const maxToken = 64

// scratch is the working memory of one extraction.
type scratch struct {
	text         []byte // " word word 00 = word ", in lower case
	words, chars marks
	counted
}

// counted is what one walk over a text counts.
type counted struct {
	counts                            [Structural]int
	tokens, known                     int
	proper, commonWords, longWords    int // words proper, without numbers
	letters, foreign, digits, visible int
	numbers, ends, newlines           int
	mathSymbols, codeMarks            int
	quotes, parentheses, commas       int
	capitals                          int

	token     int  // where the token that is being read begins in text, 0 when none is
	isNumber  bool // that token is a number
	wasHow    bool // the last word was "how"
	isInside  bool // a word has been seen in this sentence, so that a capital is a name's
	tookWords bool // a word has been seen at all
	previous  rune
}

func (s *scratch) reset() {
	s.text = append(s.text[:0], ' ')
	s.counted = counted{}
}

// read walks over a text once, writes its normal form and counts.
func (s *scratch) read(text string, common map[string]struct{}) {
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf && (r|0x20 >= 'a' && r|0x20 <= 'z') || r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsMark(r)):
			s.letter(r, common)
		case r >= '0' && r <= '9':
			s.digit(common)
		case r == '\'' && s.token != 0 && !s.isNumber:
			s.text = append(s.text, '\'')
		case (r == '.' || r == ',') && s.isNumber && s.token != 0 && s.previous >= '0' && s.previous <= '9':
			// Inside a number, or at a sentence's end, which the next rune tells.
			if r == ',' {
				s.commas++
			}
		default:
			s.endToken(common)
			s.mark(r)
		}
		if r > ' ' {
			s.visible++
		}
		s.previous = r
	}
}

func (s *scratch) letter(r rune, common map[string]struct{}) {
	if s.token != 0 && s.isNumber {
		s.endToken(common)
	}
	if s.token == 0 {
		s.token, s.isNumber = len(s.text), false
		if s.isInside && r <= unicode.MaxASCII && r < 'a' {
			s.capitals++
		}
		s.isInside = true
	}
	s.letters++
	if r < utf8.RuneSelf {
		s.text = append(s.text, byte(r)|0x20)
		return
	}
	s.foreign++
	s.text = utf8.AppendRune(s.text, unicode.ToLower(r))
}

// digit writes numbers by their size alone: their values do not carry over.
func (s *scratch) digit(common map[string]struct{}) {
	if s.token != 0 && !s.isNumber {
		s.endToken(common)
	}
	if s.token == 0 {
		s.token, s.isNumber = len(s.text), true
		s.numbers++
	}
	if len(s.text)-s.token < 3 {
		s.text = append(s.text, '0')
	}
	s.digits++
}

// endToken closes the word or number that is being read.
func (s *scratch) endToken(common map[string]struct{}) {
	if s.token == 0 {
		return
	}
	word := s.text[s.token:]
	isNumber := s.isNumber
	s.text = append(s.text, ' ')
	s.token, s.isNumber = 0, false
	s.tokens++
	if isNumber {
		s.known++
		if s.previous == '.' {
			s.ends++
			s.isInside = false
		}
		return
	}
	s.proper++
	if len(word) >= 10 {
		s.longWords++
	}
	if _, ok := common[string(word)]; ok {
		s.commonWords++
		s.known++
	}
	s.count(word)
}

func (s *scratch) count(word []byte) {
	if k, ok := kinds[string(word)]; ok {
		s.counts[k]++
	}
	wasHow := s.wasHow
	s.wasHow = false
	switch string(word) {
	case "how":
		s.wasHow = true
		s.counts[asksWhy]++
	case "why":
		s.counts[asksWhy]++
	case "many", "much", "far", "long", "fast", "often":
		if wasHow {
			s.counts[quantity]++
			s.counts[asksWhy]--
		}
	case "what":
		s.counts[asksWhat]++
	case "which":
		s.counts[asksWhich]++
	case "who", "whom", "whose", "where":
		s.counts[recall]++
	case "when":
		if !s.tookWords { // later in a sentence it is a condition
			s.counts[recall]++
			s.counts[conditions]--
		}
	}
	s.tookWords = true
}

// mark counts a rune that is neither letter nor digit; those of mathematics and code are tokens of the normal form.
func (s *scratch) mark(r rune) {
	switch r {
	case '.', '?', '!':
		if s.previous != r {
			s.ends++
		}
		s.isInside = false
	case ',':
		s.commas++
	case '\n':
		if s.previous != '\n' {
			s.newlines++
		}
		s.isInside = false
	case '"', '\'', '“', '”', '‘', '’':
		s.quotes++
	case '(', ')', '[', ']':
		s.parentheses++
	case '=', '+', '*', '/', '^', '<', '>', '|', '\\', '%', '$', '√', '∑', '∫', '≤', '≥', '≠', '∈', '∀', '∃', '→', '×', '÷', '±', '∞', '·', '°', '−':
		s.mathSymbols++
		s.text = append(utf8.AppendRune(s.text, r), ' ')
	case '{', '}', ';', '`', '#', '_', '&', '@', '~':
		if r == ';' || r == '_' && s.previous == '_' || r == '#' || r == '&' || r == '@' || r == '~' {
			return // prose and blanks to fill have these too
		}
		s.codeMarks++
		s.text = append(utf8.AppendRune(s.text, r), ' ')
	}
}
