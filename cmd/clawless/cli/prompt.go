package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/clawless/clawless/cmd/clawless/cli/show"
)

// maxSecret bounds what is read of a secret's file, so that a wrong path cannot fill the memory.
const maxSecret = 64 << 10

// Confirmation is the question before something is destroyed.
type Confirmation struct {
	Warning string // what will happen, such as "this deletes tenant acme with 3 keys and 41 sessions"
	Name    string // what must be typed
	Yes     bool   // the command's --yes
}

// Confirm says what will happen and on which server, asks on Err for the name to be typed, and returns nil when it was. Without a person to ask it is an error that
// names --yes.
func (e *Env) Confirm(ctx context.Context, c Confirmation) error {
	if c.Yes {
		return nil
	}
	if !e.canAsk() {
		return Usagef("%s, and nobody can be asked: add --yes", c.Warning)
	}
	t, err := e.Target()
	if err != nil {
		return err
	}
	server := t.URL
	if t.Profile != "" {
		server += " (profile " + t.Profile + ")"
	}
	_, _ = fmt.Fprintf(e.Err, "%s\nserver: %s\ntype %s to go on: ", show.Clean(c.Warning), show.Clean(server), show.Clean(c.Name))
	line, err := wait(ctx, e.readLine)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != c.Name {
		return errors.New("not confirmed; nothing was changed")
	}
	return nil
}

// Ask asks for one line, on Err; an empty answer is the preset one. flag is what to give when nobody can be asked.
func (e *Env) Ask(ctx context.Context, label, preset, flag string) (string, error) {
	if !e.canAsk() {
		return "", Usagef("%s is needed, and nobody can be asked: add %s", label, flag)
	}
	if preset != "" {
		label += " [" + preset + "]"
	}
	_, _ = fmt.Fprintf(e.Err, "%s: ", label)
	line, err := wait(ctx, e.readLine)
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return preset, nil
	}
	return line, nil
}

// Secret reads a secret. source is a file, "-" for a line of In, or empty to ask for it without echo; flag is what takes the source. The secret has no surrounding
// white space and is not empty.
func (e *Env) Secret(ctx context.Context, label, source, flag string) (string, error) {
	text, err := e.secret(ctx, label, source, flag)
	if err != nil {
		return "", err
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", Usagef("%s is empty", label)
	}
	return text, nil
}

func (e *Env) secret(ctx context.Context, label, source, flag string) (string, error) {
	switch source {
	case "-":
		line, err := wait(ctx, e.readLine)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read %s from standard input: %w", label, err)
		}
		return line, nil
	case "":
		return e.askSecret(ctx, label, flag)
	}
	f, err := os.Open(e.Path(source))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", label, err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", label, err)
	}
	return string(data), nil
}

func (e *Env) askSecret(ctx context.Context, label, flag string) (string, error) {
	if !e.canAsk() {
		return "", Usagef("%s is needed, and nobody can be asked: add %s FILE, or %s - to read standard input", label, flag, flag)
	}
	_, _ = fmt.Fprintf(e.Err, "%s (not shown): ", label)
	restore := e.SaveTTY() // an interrupted read would leave the terminal without echo
	line, err := wait(ctx, e.ReadPassword)
	restore()
	_, _ = fmt.Fprintln(e.Err)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", label, err)
	}
	return string(bytes.TrimSpace(line)), nil
}

func (e *Env) canAsk() bool {
	return !e.Flags.NoInput && !e.truthy("CLAWLESS_NO_INPUT") && e.InTTY()
}

// readLine returns the next line of In without its end; io.EOF only when there was none.
func (e *Env) readLine() (string, error) {
	if e.lines == nil {
		e.lines = bufio.NewReader(e.In)
	}
	line, err := e.lines.ReadString('\n')
	if err != nil && line != "" {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

// wait runs a read that cannot be cancelled and stops waiting for it when ctx ends; the command ends then, and the read with the process.
func wait[T any](ctx context.Context, read func() (T, error)) (T, error) {
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := read()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}
