package peers

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/clawless/clawless/server/tool"
)

const (
	maxText   = 4000     // characters that are shown of a text
	maxTitle  = 200      // characters that are shown of a title
	searched  = 32 << 10 // bytes of a text that are searched for credentials
	uncertain = 256      // bytes before the end of what is searched, where one may have been cut in two
)

// text is what may be shown of a text: without credentials, and at most so many characters of it. omitted is how many are not shown.
// Credentials are taken out before it is cut, as half of one would not be known for what it is.
func text(s string, most int) (shown string, omitted int) {
	beyond := 0
	if len(s) > searched {
		end := back(s, searched)
		beyond = utf8.RuneCountInString(s[end:])
		s = tool.RedactText(s[:end])
		keep := back(s, max(0, len(s)-uncertain))
		beyond += utf8.RuneCountInString(s[keep:])
		s = s[:keep]
	} else {
		s = tool.RedactText(s)
	}
	count := 0
	for i := range s {
		if count == most {
			return s[:i], beyond + utf8.RuneCountInString(s[i:])
		}
		count++
	}
	return s, beyond
}

// back is the beginning of the character that a place in a text is in.
func back(s string, at int) int {
	for at > 0 && at < len(s) && !utf8.RuneStart(s[at]) {
		at--
	}
	return at
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
