package openaichat

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
)

// maxCalls is how many calls an answer may have. Each fragment is compared with the calls so far, and nobody has a use for more.
const maxCalls = 256

// toolCall is a fragment of a call as servers send it. Every field may be missing, blank or repeated.
type toolCall struct {
	Index    *int     `json:"index"`
	ID       string   `json:"id"`
	Function function `json:"function"`
}

type function struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"` // a string, or at some servers the object itself
}

// call is one call of the answer as far as it came.
type call struct {
	index   int    // the server's
	id      string // the server's, empty while it gave none
	name    string
	args    []byte // all arguments so far, to hold those that come before the name and to tell where a server that numbers every call 0 begins a new one
	started bool   // the first fragment was passed on
}

// callList puts the fragments in order: ours count from 0, whatever the server numbers.
type callList struct{ list []*call }

func (l *callList) len() int { return len(l.list) }

// add appends the normalised fragments of f, none while a call's name has not come.
func (l *callList) add(out []llm.ToolCallDelta, f *toolCall) []llm.ToolCallDelta {
	args := readArguments(f.Function.Arguments)
	i := l.find(f, args)
	if i < 0 {
		i = len(l.list)
		l.list = append(l.list, &call{index: i})
		if f.Index != nil {
			l.list[i].index = *f.Index
		}
	}
	c := l.list[i]
	if c.id == "" {
		c.id = f.ID
	}
	if c.name == "" {
		c.name = f.Function.Name
	}
	c.args = append(c.args, args...)
	if !c.started {
		if c.name == "" {
			return out
		}
		c.started = true
		return append(out, llm.ToolCallDelta{Index: i, ID: l.publicID(i), Name: c.name, Arguments: string(c.args)})
	}
	if args == "" {
		return out
	}
	return append(out, llm.ToolCallDelta{Index: i, Arguments: args})
}

// find returns the call that the fragment continues, or -1 when it begins a new one.
func (l *callList) find(f *toolCall, args string) int {
	last := len(l.list) - 1
	if f.Index == nil {
		for i, c := range l.list {
			if f.ID != "" && c.id == f.ID {
				return i
			}
		}
		if last < 0 || f.ID != "" && l.list[last].id != "" || l.begins(last, f, args) {
			return -1
		}
		return last
	}
	for i := last; i >= 0; i-- { // from the end: a server that numbers every call 0 means the newest
		c := l.list[i]
		if c.index != *f.Index {
			continue
		}
		if f.ID != "" && c.id != "" && f.ID != c.id {
			return l.byID(f.ID)
		}
		if f.ID == "" && l.begins(i, f, args) {
			return -1
		}
		return i
	}
	if f.Function.Name == "" && f.ID != "" {
		return l.byID(f.ID)
	}
	return -1
}

func (l *callList) byID(id string) int {
	for i, c := range l.list {
		if c.id == id {
			return i
		}
	}
	return -1
}

// begins reports whether a fragment without an id is the start of another call than i: it has another name, or the same one and arguments although those of i are complete.
func (l *callList) begins(i int, f *toolCall, args string) bool {
	c := l.list[i]
	if f.Function.Name == "" || c.name == "" {
		return false
	}
	if f.Function.Name != c.name {
		return true
	}
	return args != "" && len(c.args) > 0 && c.args[len(c.args)-1] == '}' && json.Valid(c.args)
}

// publicID is the call's id, or one of our own when the server gave none or gave it to an earlier call too.
func (l *callList) publicID(i int) string {
	id := strings.TrimSpace(l.list[i].id)
	for _, c := range l.list[:i] {
		if c.id == id {
			id = ""
		}
	}
	if id == "" {
		id = ids.New("call_")
	}
	return id
}

// close appends "{}" for each call that came without arguments and reports whether every call has a name.
func (l *callList) close(out []llm.ToolCallDelta) ([]llm.ToolCallDelta, bool) {
	for i, c := range l.list {
		if !c.started {
			return out, false
		}
		if len(bytes.TrimSpace(c.args)) == 0 {
			out = append(out, llm.ToolCallDelta{Index: i, Arguments: "{}"})
		}
	}
	return out, true
}

// readArguments is the text of arguments that came as a string or as an object.
func readArguments(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
