// Package strict looks at JSON for what Go's decoder lets pass: keys that stand twice, and nesting without end.
package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a body; real requests stay below 30, and deep ones are only sent to exhaust a parser.
const maxDepth = 200

// Check reports whether data is exactly one JSON value without duplicate keys, nested at most 200 deep. Its errors hold no part of the data but key names.
func Check(data []byte) error {
	if !json.Valid(data) {
		return errors.New("the body is not one valid JSON value")
	}
	s := scanner{data: data}
	return s.value(0)
}

// scanner walks valid JSON; validity was checked before, so it looks only for what Valid does not see.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) value(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("the body is nested more than %d levels deep", maxDepth)
	}
	s.space()
	switch s.data[s.pos] {
	case '{':
		return s.object(depth)
	case '[':
		return s.array(depth)
	case '"':
		s.str()
	default: // number, true, false, null
		for s.pos < len(s.data) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(s.data[s.pos])) {
			s.pos++
		}
	}
	return nil
}

func (s *scanner) array(depth int) error {
	s.pos++
	for {
		s.space()
		switch s.data[s.pos] {
		case ']':
			s.pos++
			return nil
		case ',':
			s.pos++
		}
		if s.space(); s.data[s.pos] == ']' {
			continue
		}
		if err := s.value(depth + 1); err != nil {
			return err
		}
	}
}

func (s *scanner) object(depth int) error {
	s.pos++
	var seen keySet
	for {
		s.space()
		switch s.data[s.pos] {
		case '}':
			s.pos++
			return nil
		case ',':
			s.pos++
			s.space()
		}
		key := s.str()
		if !seen.add(key) {
			return fmt.Errorf("the key %s stands twice in one object", clip(key))
		}
		s.space()
		s.pos++ // the colon
		if err := s.value(depth + 1); err != nil {
			return err
		}
	}
}

// str returns the string's bytes with its quotes.
func (s *scanner) str() []byte {
	start := s.pos
	s.pos++
	for s.data[s.pos] != '"' {
		if s.data[s.pos] == '\\' {
			s.pos++
		}
		s.pos++
	}
	s.pos++
	return s.data[start:s.pos]
}

// keySet is a list while it is short, which nearly all are, and a map once it is not.
type keySet struct {
	few  [][]byte
	many map[string]struct{}
}

func (k *keySet) add(key []byte) bool {
	if bytes.IndexByte(key, '\\') >= 0 || !utf8.Valid(key) { // "a" and "\u0061" are the same key, and so are all broken characters
		var plain string
		if json.Unmarshal(key, &plain) == nil {
			key = []byte(`"` + plain + `"`)
		}
	}
	if k.many != nil {
		if _, dup := k.many[string(key)]; dup {
			return false
		}
		k.many[string(key)] = struct{}{}
		return true
	}
	for _, f := range k.few {
		if bytes.Equal(f, key) {
			return false
		}
	}
	k.few = append(k.few, key)
	if len(k.few) > 32 {
		k.many = make(map[string]struct{}, 64)
		for _, f := range k.few {
			k.many[string(f)] = struct{}{}
		}
	}
	return true
}

func clip(key []byte) []byte {
	if len(key) > 60 {
		return append(append([]byte{}, key[:60]...), `…"`...)
	}
	return key
}
