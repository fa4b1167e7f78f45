// Package page writes what was measured into a document, between two marks, and leaves the rest to people.
package page

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// The marks, each on a line of its own.
const (
	Begin = "<!-- figures: a program writes everything from here to the end mark -->"
	End   = "<!-- end of figures -->"
)

// Write replaces what stands between the marks of the file. A file without them is left alone and is an error.
func Write(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	now, err := Replace(old, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, now, 0o644)
}

// Replace gives the page with text between its marks.
func Replace(page []byte, text string) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(Begin))
	_, after, okEnd := bytes.Cut(rest, []byte(End))
	if !ok || !okEnd {
		return nil, errors.New("the marks around the figures are missing")
	}
	return bytes.Join([][]byte{before, []byte(Begin + "\n\n" + text + "\n" + End), after}, nil), nil
}
