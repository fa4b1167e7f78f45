//go:build linux

package cli

import (
	"bufio"
	"context"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// terminal opens a pseudo terminal and an Env on it; the other end is what a person sees and types.
func terminal(t *testing.T) (*Env, *os.File) {
	t.Helper()
	person, tty, err := pty.Open()
	if err != nil {
		t.Skipf("no pseudo terminal here: %v", err)
	}
	t.Cleanup(func() { _ = person.Close(); _ = tty.Close() })
	if err := pty.Setsize(person, &pty.Winsize{Rows: 24, Cols: 77}); err != nil {
		t.Fatal(err)
	}
	env := onFiles(tty, tty, tty)
	env.LookupEnv = func(string) (string, bool) { return "", false }
	return env, person
}

func echoes(t *testing.T, env *Env) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(env.In.(*os.File).Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func TestSecretOnATerminal(t *testing.T) {
	env, person := terminal(t)
	if !env.InTTY() || !env.OutTTY() || !env.ErrTTY() || env.Width() != 77 {
		t.Fatalf("the terminal is not seen as one of 77 columns: %v %v %v %d", env.InTTY(), env.OutTTY(), env.ErrTTY(), env.Width())
	}
	read := env.ReadPassword
	reading := make(chan struct{})
	env.ReadPassword = func() ([]byte, error) { close(reading); return read() }
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := env.Secret(context.Background(), "admin key", "", "--admin-key-file")
		done <- result{text, err}
	}()
	screen := bufio.NewReader(person)
	prompt, err := screen.ReadString(':')
	if err != nil || prompt != "admin key (not shown):" {
		t.Fatalf("the prompt is %q, %v", prompt, err)
	}
	<-reading
	for echoes(t, env) { // until the read has switched it off
		runtime.Gosched()
	}
	if _, err := person.WriteString("clw_admin_typed\n"); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.text != "clw_admin_typed" || r.err != nil {
		t.Errorf("got %q, %v", r.text, r.err)
	}
	if !echoes(t, env) {
		t.Error("the terminal is left without echo")
	}
	if _, err := env.Out.Write([]byte("END")); err != nil {
		t.Fatal(err)
	}
	if shown, err := screen.ReadString('D'); err != nil || strings.Contains(shown, "clw_admin") {
		t.Errorf("the screen shows %q, %v", shown, err)
	}
}

func TestInterruptedSecretRestoresEcho(t *testing.T) {
	env, person := terminal(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := env.Secret(ctx, "admin key", "", "--admin-key-file")
		done <- err
	}()
	if _, err := bufio.NewReader(person).ReadString(':'); err != nil {
		t.Fatal(err)
	}
	for echoes(t, env) {
		runtime.Gosched()
	}
	cancel()
	if err := <-done; ExitCode(err) != ExitInterrupted {
		t.Errorf("got %v, want exit code 130", err)
	}
	if !echoes(t, env) {
		t.Error("the terminal is left without echo")
	}
}
