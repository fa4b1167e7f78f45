// Package fields reads the JSON objects of other products' requests: names exactly as they stand, null as absent, and every bad field before it refuses.
package fields

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/fault"
)

// maxBad bounds what is told of a request: one made of errors alone must not cost more than it did to send.
const maxBad = 50

// Object is one JSON object of a request. Its null fields are gone.
type Object struct {
	fields map[string]json.RawMessage
	at     string // where it stands, with a dot behind; empty for the body itself
	bad    *[]problem
}

type problem struct {
	fault.Detail
	unsupported bool
}

// Open reads a body.
func Open(body []byte) (*Object, error) {
	if err := api.CheckJSON(body); err != nil {
		return nil, fault.New(fault.InvalidJSON, "%s", err.Error())
	}
	fields, ok := read(bytes.TrimLeft(body, " \t\r\n"))
	if !ok {
		return nil, fault.New(fault.InvalidJSON, "the body must be a JSON object")
	}
	return &Object{fields: fields, bad: new([]problem)}, nil
}

func read(v json.RawMessage) (map[string]json.RawMessage, bool) {
	if len(v) == 0 || v[0] != '{' {
		return nil, false
	}
	var fields map[string]json.RawMessage // a map takes names as they stand, where a struct would take Role for role
	if json.Unmarshal(v, &fields) != nil {
		return nil, false
	}
	for name, v := range fields {
		if string(v) == "null" {
			delete(fields, name)
		}
	}
	return fields, true
}

// Raw returns a field's bytes.
func (o *Object) Raw(name string) (json.RawMessage, bool) {
	v, ok := o.fields[name]
	return v, ok
}

// Has reports whether the field is there.
func (o *Object) Has(name string) bool {
	_, ok := o.fields[name]
	return ok
}

// Fail notes that a field is wrong.
func (o *Object) Fail(name, format string, args ...any) {
	o.note(name, false, format, args...)
}

// Unsupported notes that a field is right and asks for what there is not.
func (o *Object) Unsupported(name, format string, args ...any) {
	o.note(name, true, format, args...)
}

func (o *Object) note(name string, unsupported bool, format string, args ...any) {
	p := problem{fault.Detail{Field: o.at + name, Message: fmt.Sprintf(format, args...)}, unsupported}
	if len(*o.bad) < maxBad && !slices.Contains(*o.bad, p) { // a field may be looked at twice
		*o.bad = append(*o.bad, p)
	}
}

// Clean reports whether nothing is wrong so far, in this object or any other of the body.
func (o *Object) Clean() bool { return len(*o.bad) == 0 }

// Verdict is the one fault with every bad field, or nil.
func (o *Object) Verdict() error {
	bad := *o.bad
	if len(bad) == 0 {
		return nil
	}
	code := fault.UnsupportedParam
	if slices.ContainsFunc(bad, func(p problem) bool { return !p.unsupported }) {
		code = fault.ValidationFailed
	}
	slices.SortStableFunc(bad, func(a, b problem) int { return strings.Compare(a.Field, b.Field) })
	f := fault.New(code, "%s: %s", bad[0].Field, bad[0].Message).WithParam(bad[0].Field)
	if n := len(bad); n > 1 {
		f.Message += fmt.Sprintf(" (and %d more; see error.details)", n-1)
	}
	for _, p := range bad {
		f.Details = append(f.Details, p.Detail)
	}
	return f
}

// Text reads a string of at most most bytes; most 0 is no limit.
func (o *Object) Text(name string, most int) string {
	var s string
	switch v, ok := o.fields[name]; {
	case !ok:
	case json.Unmarshal(v, &s) != nil:
		o.Fail(name, "must be a string")
	case strings.IndexByte(s, 0) >= 0: // no database keeps it, and what cannot be recorded must not be answered
		o.Fail(name, "must not hold a zero byte")
	case most > 0 && len(s) > most:
		o.Fail(name, "at most %d characters", most)
	}
	return s
}

// Needed reads a string that must be there.
func (o *Object) Needed(name string, most int) string {
	s := o.Text(name, most)
	if v, ok := o.fields[name]; !ok || string(v) == `""` {
		o.Fail(name, "is required")
	}
	return s
}

// Bool reads a truth value.
func (o *Object) Bool(name string) (value, set bool) {
	v, ok := o.fields[name]
	if ok && json.Unmarshal(v, &value) != nil {
		o.Fail(name, "must be true or false")
		return false, false
	}
	return value, ok
}

// Whole reads a whole number.
func (o *Object) Whole(name string, low, high int64) (n int64, set bool) {
	v, ok := o.fields[name]
	if ok && (json.Unmarshal(v, &n) != nil || n < low || n > high) {
		o.Fail(name, "must be a whole number from %d to %d", low, high)
		return 0, false
	}
	return n, ok
}

// Number checks a number and returns its bytes.
func (o *Object) Number(name string, low, high float64) (json.RawMessage, bool) {
	var x float64
	v, ok := o.fields[name]
	if ok && (json.Unmarshal(v, &x) != nil || x < low || x > high) {
		o.Fail(name, "must be a number from %g to %g", low, high)
		return nil, false
	}
	return v, ok
}

// Object reads an object.
func (o *Object) Object(name string) (*Object, bool) {
	v, ok := o.fields[name]
	if !ok {
		return nil, false
	}
	return o.inside(name, v, "must be an object")
}

// List reads a list of at most most values.
func (o *Object) List(name string, most int) ([]json.RawMessage, bool) {
	v, ok := o.fields[name]
	if !ok {
		return nil, false
	}
	var list []json.RawMessage
	if json.Unmarshal(v, &list) != nil {
		o.Fail(name, "must be a list")
		return nil, false
	}
	if len(list) > most {
		o.Fail(name, "at most %d entries", most)
		return nil, false
	}
	return list, true
}

// Item reads one entry of a list as an object; wanted says what it must be.
func (o *Object) Item(name string, i int, v json.RawMessage, wanted string) (*Object, bool) {
	return o.inside(fmt.Sprintf("%s[%d]", name, i), v, wanted)
}

func (o *Object) inside(name string, v json.RawMessage, wanted string) (*Object, bool) {
	fields, ok := read(v)
	if !ok {
		o.Fail(name, "%s", wanted)
		return nil, false
	}
	return &Object{fields: fields, at: o.at + name + ".", bad: o.bad}, true
}
