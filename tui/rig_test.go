package tui

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/clawless/clawless/tui/internal/scripttest"
	"github.com/clawless/clawless/tui/internal/vttest"
	"github.com/clawless/clawless/tui/kit"
)

// rig is the chat in a terminal: the real program on a pseudo terminal that never answers a question, and a screen
// that shows what a person would see.
type rig struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	screen *vttest.Screen
	cancel context.CancelFunc
	done   chan error
	change chan struct{}
	before *term.State

	mu  sync.Mutex
	raw bytes.Buffer
}

const patience = 20 * time.Second

func start(t *testing.T, b Backend, cols, rows int, change func(*Options)) *rig {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, master: master, slave: slave, screen: vttest.New(cols, rows), done: make(chan error, 1), change: make(chan struct{}, 1)}
	if err := pty.Setsize(slave, &pty.Winsize{Rows: uint16(rows), Cols: uint16(cols)}); err != nil {
		t.Fatal(err)
	}
	if r.before, err = term.GetState(int(slave.Fd())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	o := Options{Backend: b, In: slave, Out: slave, Getenv: func(string) string { return "" }}
	if change != nil {
		change(&o)
	}
	go r.read()
	go func() { r.done <- Run(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-r.done:
		case <-time.After(patience):
			t.Error("the program does not end")
		}
		slave.Close()
		master.Close()
	})
	return r
}

func (r *rig) read() {
	buf := make([]byte, 4096)
	for {
		n, err := r.master.Read(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.raw.Write(buf[:n])
		r.mu.Unlock()
		_, _ = r.screen.Write(buf[:n])
		select {
		case r.change <- struct{}{}:
		default:
		}
	}
}

func (r *rig) output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.raw.String()
}

// until waits for the screen to be as it should.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for !ok() {
		select {
		case <-r.change:
		case <-late.C:
			r.t.Fatalf("waited for %s; the screen is\n%s", what, r.screen)
		}
	}
}

func (r *rig) shows(text string) bool { return strings.Contains(r.screen.String(), text) }

func (r *rig) sees(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		r.until("the sight of "+text, func() bool { return r.shows(text) })
	}
}

func (r *rig) loses(text string) {
	r.t.Helper()
	r.until("the end of "+text, func() bool { return !r.shows(text) })
}

// press sends keys as a terminal does.
func (r *rig) press(keys string) {
	r.t.Helper()
	if _, err := r.master.WriteString(keys); err != nil {
		r.t.Fatal(err)
	}
}

// quit leaves the chat and returns what is left in the terminal.
func (r *rig) quit() []string {
	r.t.Helper()
	r.press("\x03")
	r.sees("ctrl+c again quits")
	r.press("\x03")
	r.ended(nil)
	return r.screen.All()
}

// ended waits for the end of the program.
func (r *rig) ended(want func(error) bool) {
	r.t.Helper()
	select {
	case err := <-r.done:
		r.done <- err
		if want == nil && err != nil || want != nil && !want(err) {
			r.t.Fatalf("the chat ended with %v", err)
		}
	case <-time.After(patience):
		r.t.Fatalf("the chat does not end; the screen is\n%s", r.screen)
	}
	// The last bytes may be on their way still.
	r.until("the last bytes", func() bool { return strings.Contains(r.output(), "\x1b[?2004l\x1b[?25h") })
}

// resize changes the size of the terminal as a window does.
func (r *rig) resize(cols, rows int) {
	r.t.Helper()
	r.screen.Resize(cols, rows)
	if err := pty.Setsize(r.slave, &pty.Winsize{Rows: uint16(rows), Cols: uint16(cols)}); err != nil {
		r.t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		r.t.Fatal(err)
	}
}

// open lets n pieces of a gated answer through.
func open(t *testing.T, b *scripttest.Backend, n int) {
	t.Helper()
	for range n {
		select {
		case b.Gate <- struct{}{}:
		case <-time.After(patience):
			t.Fatal("the answer takes no further piece")
		}
	}
}

func script() *scripttest.Backend {
	return &scripttest.Backend{Answer: scripttest.Long, Answers: scripttest.Texts(), Piece: 40, FailAfter: -1,
		Names: []kit.Model{{ID: "mock/echo", Note: "repeats"}, {ID: "openai/gpt-4o", Note: "large"}}}
}

// between are the lines from the first that equals from up to the last that equals to.
func between(lines []string, from, to string) []string {
	i := slices.Index(lines, from)
	j := len(lines) - 1
	for j >= 0 && lines[j] != to {
		j--
	}
	if i < 0 || j < i {
		return nil
	}
	return lines[i : j+1]
}
