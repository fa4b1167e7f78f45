package anthropic

import (
	"strconv"
	"strings"
)

// generation is what a model's name tells of its age, as ten times the major number and the minor one: 37 is Claude 3.7.
type generation int

const (
	notClaude generation = 0   // another vendor's model behind the same dialect
	thinks    generation = 37  // the first that thinks, within a budget of tokens
	schemas   generation = 45  // the first that can be held to a JSON schema
	adapts    generation = 46  // the first that chooses itself how long to think
	unsampled generation = 47  // the first without temperature and top_p
	newest    generation = 999 // a Claude whose name has no number
)

// generationOf reads claude-opus-4-8, claude-sonnet-4-20250514, claude-3-7-sonnet-latest and claude-2.1.
func generationOf(model string) generation {
	_, rest, ok := strings.Cut(strings.ToLower(model), "claude-")
	if !ok {
		return notClaude
	}
	words := strings.FieldsFunc(rest, func(r rune) bool { return r == '-' || r == '.' || r == '@' || r == ':' })
	for i, w := range words {
		major, ok := number(w)
		if !ok {
			continue
		}
		minor := 0
		if i+1 < len(words) {
			minor, _ = number(words[i+1])
		}
		return generation(major*10 + min(minor, 9))
	}
	return newest
}

// number reads a part of a version; longer ones are dates.
func number(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || len(s) > 2 {
		return 0, false
	}
	return n, true
}

// alwaysThinks reports whether a model has no way to answer without thinking.
func alwaysThinks(model string) bool {
	return strings.Contains(model, "claude-fable-") || strings.Contains(model, "claude-mythos-")
}
