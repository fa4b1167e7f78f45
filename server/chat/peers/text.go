package peers

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/clawless/clawless/server/tool"
)

const (
	maxText   = 4000 // characters that are shown of a text
	maxTitle  = 200  // characters that are shown of a title
	uncertain = 300  // characters more are searched for credentials, and not shown: where the search ends one may have been cut in two
)

// text is what may be shown of a text: without credentials, and at most so many characters of it. omitted is how many are not shown.
// Credentials are taken out before it is cut, as half of one would not be known for what it is. The search is slow, so that it ends a little after what is shown.
func text(s string, most int) (shown string, omitted int) {
	s, beyond := first(s, most+uncertain)
	s = tool.RedactText(s)
	if beyond > 0 {
		var cut int
		s, cut = first(s, max(0, utf8.RuneCountInString(s)-uncertain))
		beyond += cut
	}
	s, more := first(s, most)
	return s, more + beyond
}

// first is the beginning of a text, and how many characters follow it.
func first(s string, most int) (beginning string, beyond int) {
	count := 0
	for i := range s {
		if count == most {
			return s[:i], utf8.RuneCountInString(s[i:])
		}
		count++
	}
	return s, 0
}

// encode writes JSON as models read it best, with < and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// room is how many bytes a result has left for the items of its list.
type room int

// roomIn is what a result of at most so many bytes leaves to its list, which is empty yet. Its numbers may become longer.
func roomIn(most int, envelope any) (room, error) {
	b, err := encode(envelope)
	return room(most - len(b) - 100), err
}

// take encodes an item and reports whether there is room for it.
func (r *room) take(item any) (json.RawMessage, bool, error) {
	b, err := encode(item)
	if err != nil || len(b)+1 > int(*r) {
		return nil, false, err
	}
	*r -= room(len(b) + 1)
	return b, true, nil
}
