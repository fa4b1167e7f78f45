// Package words cuts texts into the words by which they are found, the same way for every database.
package words

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longest is how many characters of a word count. No query is longer, so that what is cut off is never looked for.
const longest = 256

// accented gives the letters that are found under their plain form, each line led by it.
var accented = fields(`aàáâãäåāăąǎǟǡǻȁȃȧḁạảấầẩẫậắằẳẵặ bḃḅḇ cçćĉċčḉ dďḋḍḏḑḓđ eèéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệ fḟ gĝğġģǧǵḡ hĥȟḣḥḧḩḫẖ iìíîïĩīĭįǐȉȋḭḯỉịı jĵǰ kķǩḱḳḵ
	lĺļľḷḹḻḽł mḿṁṃ nñńņňǹṅṇṉṋ oòóôõöōŏőơǒǫǭȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợøǿ pṕṗ rŕŗřȑȓṙṛṝṟ sśŝşšșṡṣṥṧṩſẛ tţťțṫṭṯṱẗ uùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữự vṽṿ wŵẁẃẅẇẉẘ
	xẋẍ yýÿŷȳẏẙỳỵỷỹ zźżžẑẓẕ æǣǽ αά εέ ηή ιίϊΐ οό υύϋΰ ωώ σς еёѐ іїӏ`)

func fields(table string) map[rune]rune {
	m := map[rune]rune{}
	for _, line := range strings.Fields(table) {
		plain, size := utf8.DecodeRuneInString(line)
		for _, r := range line[size:] {
			m[r] = plain
		}
	}
	return m
}

// fold is the form in which a letter is compared, or 0 where it is part of no word. An accent that stands as a character of its own is dropped by Split.
func fold(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
		return r
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A'
	case r < utf8.RuneSelf, r == utf8.RuneError, !unicode.In(r, unicode.L, unicode.N, unicode.Co):
		return 0
	}
	r = unicode.ToLower(r)
	if plain, ok := accented[r]; ok {
		return plain
	}
	return r
}

// isAccent tells the characters that change the letter before them: words are the same with and without.
func isAccent(r rune) bool { return r >= 0x300 && r <= 0x36f }

// Word is one word of a text: where it stands, in bytes, and the form in which it is compared.
type Word struct {
	Start, End int
	Form       string
}

// Split gives the words of a text in their order: runs of letters and digits, without case and accents.
func Split(text string) iter.Seq[Word] {
	return func(yield func(Word) bool) {
		var form strings.Builder
		start, count := 0, 0
		for i, r := range text {
			f := fold(r)
			switch {
			case f != 0:
				if count == 0 {
					start = i
				}
				if count++; count <= longest {
					form.WriteRune(f)
				}
				continue
			case count == 0, isAccent(r):
				continue
			}
			if !yield(Word{start, i, form.String()}) {
				return
			}
			form.Reset()
			count = 0
		}
		if count > 0 {
			yield(Word{start, len(text), form.String()})
		}
	}
}

// Index is a text's words as they are stored to be found: each once, with a space between them. It is empty where a text has no word.
func Index(text string) string {
	var b strings.Builder
	seen := map[string]bool{}
	for w := range Split(text) {
		if seen[w.Form] {
			continue
		}
		if seen[w.Form] = true; len(seen) > 1 {
			b.WriteByte(' ')
		}
		b.WriteString(w.Form)
	}
	return b.String()
}
