package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// line is the number of the line, from 1, in which a byte stands.
func line(b []byte, offset int64) int {
	return 1 + bytes.Count(b[:min(int(offset), len(b))], []byte("\n"))
}

// unread says in which line a file could not be read, and why, to somebody who knows JSON and not Go.
func unread(b []byte, offset int64, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("line %d: the file ends in the middle of the table: %w", line(b, int64(len(b))), err)
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w", line(b, syntax.Offset), err)
	case errors.As(err, &kind):
		field := kind.Field[strings.LastIndexByte(kind.Field, '.')+1:]
		if field == "" {
			field = "the table"
		}
		return fmt.Errorf("line %d: %s: must be %s and is a JSON %s", line(b, kind.Offset), field, wanted(kind.Type), kind.Value)
	}
	return fmt.Errorf("line %d: %s", line(b, offset), strings.TrimPrefix(err.Error(), "json: "))
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int64:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// twice finds a name that stands twice in one object of a file that was read: JSON allows it and the last one wins, which nobody means in a list of prices.
// Names of fields count without regard to case, because they are read so.
func twice(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	var walk func(parent string) error
	walk = func(parent string) error {
		token, err := d.Token()
		if err != nil || token != json.Delim('{') && token != json.Delim('[') {
			return err
		}
		seen := map[string]bool{}
		for d.More() {
			name := ""
			if token == json.Delim('{') {
				key, err := d.Token()
				if err != nil {
					return err
				}
				name, _ = key.(string)
				unique := name
				if parent != "models" && parent != "pairs" {
					unique = strings.ToLower(name)
				}
				if seen[unique] {
					return fmt.Errorf("line %d: %s: stands there twice", line(b, d.InputOffset()), name)
				}
				seen[unique] = true
			}
			if err := walk(strings.ToLower(name)); err != nil {
				return err
			}
		}
		_, err = d.Token() // the end of it
		return err
	}
	return walk("")
}
