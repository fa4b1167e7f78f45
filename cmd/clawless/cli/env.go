// Package cli is the kit of the command line: streams, settings, profiles, printing, prompts and exit codes, so that a command holds only what is its own.
package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/clawless/clawless/cmd/clawless/cli/show"
	"github.com/clawless/clawless/server/config"
)

// Env is what a command may know of the world. Data goes to Out and everything else to Err. It is used by one command, from one goroutine.
type Env struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer

	InTTY  func() bool // whether a person can be asked
	OutTTY func() bool
	ErrTTY func() bool
	Width  func() int // columns of the terminal behind Out; zero when there is none

	Now       func() time.Time
	LookupEnv func(name string) (string, bool)
	Environ   func() []string // NAME=value
	GOOS      string
	Dir       string // where relative paths start; empty for the process's own folder

	ReadPassword func() ([]byte, error) // reads a line from the terminal without echo
	SaveTTY      func() (restore func())

	Version string // of this program, such as 1.2.3; main sets it

	Flags Globals

	lines *bufio.Reader // over In; kept, so that two questions in a row lose nothing that was typed ahead
}

// System returns the Env of the process.
func System() *Env { return onFiles(os.Stdin, os.Stdout, os.Stderr) }

func onFiles(stdin, stdout, stderr *os.File) *Env {
	in := int(stdin.Fd())
	return &Env{
		In:  stdin,
		Out: stdout,
		Err: stderr,

		InTTY:  func() bool { return term.IsTerminal(in) },
		OutTTY: func() bool { return term.IsTerminal(int(stdout.Fd())) },
		ErrTTY: func() bool { return term.IsTerminal(int(stderr.Fd())) },
		Width: func() int {
			columns, _, err := term.GetSize(int(stdout.Fd()))
			if err != nil {
				return 0
			}
			return columns
		},

		Now:       time.Now,
		LookupEnv: os.LookupEnv,
		Environ:   os.Environ,
		GOOS:      runtime.GOOS,

		ReadPassword: func() ([]byte, error) { return term.ReadPassword(in) },
		SaveTTY: func() func() {
			state, err := term.GetState(in)
			if err != nil {
				return func() {}
			}
			return func() { _ = term.Restore(in, state) }
		},
	}
}

// Getenv returns a variable, empty when it is not set.
func (e *Env) Getenv(name string) string {
	v, _ := e.LookupEnv(name)
	return v
}

// ConfigDir returns the user's folder of clawless.yaml and profiles.yaml, which need not exist.
func (e *Env) ConfigDir() (string, error) {
	dir := config.UserConfigDir(e.GOOS, e.LookupEnv)
	if dir == "" {
		return "", WithHint(fmt.Errorf("cannot tell where the user's configuration is: neither HOME nor XDG_CONFIG_HOME is set"), "set HOME")
	}
	return dir, nil
}

// Path makes a path that the user gave absolute or relative to Dir.
func (e *Env) Path(path string) string {
	if e.Dir == "" || path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(e.Dir, path)
}

// Note tells the person at the terminal something that is not data. It goes to Err, and nowhere with --quiet.
func (e *Env) Note(format string, args ...any) {
	if !e.Flags.Quiet {
		_, _ = fmt.Fprintf(e.Err, format+"\n", args...)
	}
}

// View says how a noun is printed; see show.View.
type View[T any] = show.View[T]

// Column is one column of a View.
type Column[T any] = show.Column[T]

// Printer returns how this command prints its result: in the form of -o, on Out.
func (e *Env) Printer() show.Printer {
	p := show.Printer{Out: e.Out, Err: e.Err, Format: e.Flags.Output, Quiet: e.Flags.Quiet, Colour: e.Colour(e.Out), Now: e.Now()}
	if e.OutTTY() {
		p.Width = e.Width()
	}
	return p
}

// Colour reports whether a stream of this Env, Out or Err, takes colours.
func (e *Env) Colour(w io.Writer) bool {
	tty := e.ErrTTY
	if w == e.Out {
		tty = e.OutTTY
	}
	return show.Colours(tty(), e.LookupEnv)
}

// truthy reads a yes-or-no variable: set and neither empty, 0, false nor no.
func (e *Env) truthy(name string) bool {
	switch strings.ToLower(e.Getenv(name)) {
	case "", "0", "false", "no", "off":
		return false
	}
	return true
}

// Clean makes text of a server or a model safe for a terminal and keeps its lines: control characters are shown, never obeyed.
func Clean(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = show.Clean(line)
	}
	return strings.Join(lines, "\n")
}
