//go:build !windows

package tui

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// raw switches the terminal to raw mode and returns what undoes that.
func raw(in, _ *os.File) (undo func(), err error) {
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(int(in.Fd()), state) }, nil
}

// watchSize calls changed whenever the size of the terminal has changed, until ctx ends.
func watchSize(ctx context.Context, changed func()) {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	for {
		select {
		case <-resized:
			changed()
		case <-ctx.Done():
			return
		}
	}
}
