// Package page writes what was measured into a document, between two marks, and leaves the rest to people.
package page

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// The marks, each on a line of its own. A named section begins with Section's mark in place of Begin.
const (
	Begin = "<!-- figures: a program writes everything from here to the end mark -->"
	End   = "<!-- end of figures -->"
)

// Section is the mark at which a section of its own begins; End ends it too.
func Section(name string) string {
	return "<!-- figures of " + name + ": a program writes everything from here to the end mark -->"
}

// Write replaces what stands between the marks of the file. A file without them is left alone and is an error.
func Write(path, text string) error { return write(path, Begin, text) }

// WriteSection replaces what stands in a named section of the file and nothing else. A file without it is left alone and is an error.
func WriteSection(path, name, text string) error { return write(path, Section(name), text) }

func write(path, begin, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	now, err := replace(old, begin, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, now, 0o644)
}

// replace gives the page with text between its marks.
func replace(page []byte, begin, text string) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(begin))
	_, after, okEnd := bytes.Cut(rest, []byte(End))
	if !ok || !okEnd {
		return nil, errors.New("the marks around the figures are missing")
	}
	return bytes.Join([][]byte{before, []byte(begin + "\n\n" + text + "\n" + End), after}, nil), nil
}
