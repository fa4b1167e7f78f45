package words

import (
	"strings"
	"unicode/utf8"
)

// Query is what somebody looks for: a text has to have every word, and one that begins with the last.
type Query []string

// Parse reads the words of a search. It has no operators: whatever is no letter and no digit separates words.
func Parse(text string) (q Query) {
	seen := map[string]bool{}
	for w := range Split(text) {
		if !seen[w.Form] {
			q = append(q, w.Form)
		}
		seen[w.Form] = true
	}
	if n := len(q); n > 0 {
		if last := lastForm(text); q[n-1] != last { // a last word that was said before is the one that may be unfinished
			q = append(remove(q, last), last)
		}
	}
	return q
}

func lastForm(text string) (form string) {
	for w := range Split(text) {
		form = w.Form
	}
	return form
}

func remove(q Query, form string) (out Query) {
	for _, w := range q {
		if w != form {
			out = append(out, w)
		}
	}
	return out
}

// Match is the search as Postgres reads it; the statement for SQLite replaces its signs. Every term is quoted and made of letters and digits alone, so that nothing in it
// is syntax.
func (q Query) Match() string { return `'` + strings.Join(q, `' & '`) + `':*` }

// matches reports whether a word of a text is one of the search's.
func (q Query) matches(form string) bool {
	for i, w := range q {
		if form == w || i == len(q)-1 && strings.HasPrefix(form, w) {
			return true
		}
	}
	return false
}

const (
	snippetRunes = 160
	before       = 50 // characters that are shown before the hit
)

// Snippet is the part of a text around the first word that was looked for, in one line of about 160 characters.
func (q Query) Snippet(text string) string {
	hit := 0
	for w := range Split(text) {
		if q.matches(w.Form) {
			hit = w.Start
			break
		}
	}
	start := hit
	for range before {
		_, size := utf8.DecodeLastRuneInString(text[:start])
		start -= size
	}
	if start > 0 {
		if i := strings.IndexAny(text[start:hit], " \n\t"); i >= 0 {
			start += i
		}
	}
	end := start
	for range snippetRunes {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	if end < len(text) {
		if i := strings.LastIndexAny(text[hit:end], " \n\t"); i > 0 {
			end = hit + i
		}
	}
	out := strings.Join(strings.Fields(text[start:end]), " ")
	if start > 0 {
		out = "…" + out
	}
	if end < len(text) {
		out += "…"
	}
	return out
}
