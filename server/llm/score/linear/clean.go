package linear

import (
	"strings"
	"unicode/utf8"
)

// A longer text is read at both ends: the task usually stands first, what it is about is quoted after it, and some people put the task last.
const (
	headBytes = 4096
	tailBytes = 2048
)

// MaxBytes is how much of a text is read at most; what is between the first 4,096 and the last 2,048 bytes of a longer one is not seen.
const MaxBytes = headBytes + tailBytes

// cut shortens a text to MaxBytes, at borders of runes where there are any.
func cut(text string) (head, tail string) {
	if len(text) <= MaxBytes {
		return text, ""
	}
	h, t := headBytes, len(text)-tailBytes
	for i := 0; i < utf8.UTFMax && !utf8.RuneStart(text[h]); i++ {
		h--
	}
	for i := 0; i < utf8.UTFMax && !utf8.RuneStart(text[t]); i++ {
		t++
	}
	return text[:h], text[t:]
}

// Clean takes away what a multiple-choice test has and a conversation has not: the letters before options and a last "Answer:". The options' own words stay.
// A text without such a list comes back unchanged, as the same string. The training asks for the question alone, without any options, by stem.
func Clean(text string, stem bool) string {
	body := strings.TrimSpace(text)
	if rest, ok := strings.CutSuffix(body, "Answer:"); ok {
		body = strings.TrimSpace(rest)
	}
	start := optionsStart(body)
	if start < 0 {
		return body
	}
	if stem && strings.TrimSpace(body[:start]) != "" {
		return strings.TrimSpace(body[:start])
	}
	var b strings.Builder
	b.Grow(len(body))
	b.WriteString(body[:start])
	for line := range strings.Lines(body[start:]) {
		if optionLetter(line) != 0 {
			line = strings.TrimLeft(strings.TrimLeft(line, " \t(")[2:], " \t")
		}
		b.WriteString(line)
	}
	return b.String()
}

// optionsStart is where a list of at least the options A, B and C begins, each at the start of a line, or -1. The last such list counts.
func optionsStart(body string) int {
	start, begun, next, at := -1, -1, byte('A'), 0
	for line := range strings.Lines(body) {
		switch letter := optionLetter(line); {
		case letter == 'A':
			begun, next = at, 'B'
		case letter != 0 && letter == next && begun >= 0:
			if letter == 'C' {
				start = begun
			}
			next++
		}
		at += len(line)
	}
	return start
}

// optionLetter is the letter of a line such as "B. text", "B) text" or "(B) text", or 0.
func optionLetter(line string) byte {
	s := strings.TrimLeft(line, " \t(")
	if len(s) < 2 || s[0] < 'A' || s[0] > 'J' || s[1] != '.' && s[1] != ')' {
		return 0
	}
	if len(s) > 2 && s[2] != ' ' && s[2] != '\t' && s[2] != '\n' && s[2] != '\r' {
		return 0
	}
	return s[0]
}
