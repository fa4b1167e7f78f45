package tui

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// console is the terminal as a device: its mode and its size.
type console struct {
	in, out *os.File
	undo    func()
}

// prepare takes keys one by one, without echo, until restore.
func (c *console) prepare() error {
	undo, err := raw(c.in, c.out)
	if err != nil {
		return fmt.Errorf("terminal mode: %w", err)
	}
	c.undo = undo
	return nil
}

// restore gives the terminal the mode back that it had before prepare.
func (c *console) restore() {
	if c.undo != nil {
		c.undo()
		c.undo = nil
	}
}

// size is the columns and lines of the terminal; 80 and 24 if it does not say.
func (c *console) size() (width, height int) {
	width, height, err := term.GetSize(int(c.out.Fd()))
	if err != nil || width < 1 || height < 1 {
		return 80, 24
	}
	return width, height
}
