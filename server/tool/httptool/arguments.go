package httptool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

func readArguments(raw json.RawMessage) (map[string]json.RawMessage, error) {
	arguments := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(raw)) == 0 {
		return arguments, nil
	}
	if err := json.Unmarshal(raw, &arguments); err != nil || arguments == nil {
		return nil, errors.New("the arguments are not a JSON object")
	}
	return arguments, nil
}

// fill writes the path with its arguments, and takes those out of the map. What stands in a segment stays in it, however the endpoint reads its path.
func (a address) fill(arguments map[string]json.RawMessage) (string, error) {
	var path strings.Builder
	used := map[string]bool{}
	for _, p := range a.path {
		if !p.argument {
			path.WriteString(p.text)
			continue
		}
		raw, ok := arguments[p.text]
		if !ok {
			return "", fmt.Errorf("the argument %s is missing, which is part of the address", p.text)
		}
		value, err := scalar(raw)
		if err == nil {
			err = checkSegment(value)
		}
		if err != nil {
			return "", fmt.Errorf("the argument %s %w", p.text, err)
		}
		used[p.text] = true
		path.WriteString(url.PathEscape(value))
	}
	for _, segment := range strings.Split(path.String(), "/") { // two arguments may have joined into what neither is
		if clear, err := url.PathUnescape(segment); err != nil || climbs(clear) {
			return "", errors.New("the arguments make no part of an address")
		}
	}
	for name := range used {
		delete(arguments, name)
	}
	return path.String(), nil
}

const maxSegment = 1_000

// checkSegment refuses what an endpoint that decodes its path once too often would take for a way out of the segment.
func checkSegment(v string) error {
	switch {
	case v == "":
		return errors.New("is empty, and it is part of the address")
	case len(v) > maxSegment:
		return errors.New("is too long for a part of the address")
	case strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		return errors.New("holds control characters, and it is part of the address")
	}
	for range 3 {
		if climbs(v) || strings.Trim(v, `/\;`) == "" { // slashes alone would fall together with those around them
			return errors.New("must not lead to another path")
		}
		clear := unescaped(v)
		if clear == v {
			break // nothing is hidden in it
		}
		v = clear
	}
	return nil
}

// climbs reports whether a server could read . or .. as a segment of v.
func climbs(v string) bool {
	for _, s := range strings.FieldsFunc(v, func(r rune) bool { return r == '/' || r == '\\' }) {
		name, _, _ := strings.Cut(s, ";") // some servers take what follows for parameters
		if name == "." || name == ".." {
			return true
		}
	}
	return false
}

// scalar is a text, a number or a boolean as it stands in an address. A number keeps its digits.
func scalar(raw json.RawMessage) (string, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null" {
		return "", errors.New("must be a text, a number or a boolean")
	}
	if raw[0] != '"' {
		return string(raw), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", errors.New("is not valid JSON")
	}
	return s, nil
}

// texts are the values of one argument in a query: a list is repeated, an object is JSON, null is nothing.
func texts(raw json.RawMessage) ([]string, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case string(raw) == "null":
		return nil, nil
	case len(raw) > 0 && raw[0] == '{':
		return []string{string(raw)}, nil
	case len(raw) > 0 && raw[0] == '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, errors.New("is not valid JSON")
		}
		out := make([]string, len(list))
		for i, v := range list {
			s, err := scalar(v)
			if err != nil {
				s = string(v)
			}
			out[i] = s
		}
		return out, nil
	}
	s, err := scalar(raw)
	return []string{s}, err
}

// unescaped is a text without one layer of percent signs; one that cannot be read so stays as it is.
func unescaped(v string) string {
	if clear, err := url.PathUnescape(v); err == nil {
		return clear
	}
	return v
}
