// Package aaterm keeps the terminal library from asking the terminal a question when the binary starts.
package aaterm

import "os"

var (
	term string
	set  bool
)

// The library asks for the background colour in its init and waits up to five seconds for a terminal that does not
// answer, whatever command runs; and the answer may end up in the shell's input. It does not ask a terminal named
// dumb. This package imports the standard library alone, so Go initialises it before any package that waits for
// another module: packages are taken in the order of their import paths as soon as their imports are ready, and
// the asking package needs some whose paths sort after this one.
func init() {
	term, set = os.LookupEnv("TERM")
	os.Setenv("TERM", "dumb")
}

// Restore gives the environment its own TERM back. It must be the first thing that main does.
func Restore() {
	if set {
		os.Setenv("TERM", term)
	} else {
		os.Unsetenv("TERM")
	}
}
