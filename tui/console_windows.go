package tui

import (
	"context"
	"os"

	"golang.org/x/sys/windows"
)

// raw lets the console obey control sequences and returns what undoes that. The library sets the mode of the input
// itself here.
func raw(_, out *os.File) (undo func(), err error) {
	console := windows.Handle(out.Fd())
	var mode uint32
	if err := windows.GetConsoleMode(console, &mode); err != nil {
		return nil, err
	}
	if err := windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING); err != nil {
		return nil, err
	}
	return func() { _ = windows.SetConsoleMode(console, mode) }, nil
}

// watchSize does nothing: here the library reads the changes of the size with the keys.
func watchSize(context.Context, func()) {}
