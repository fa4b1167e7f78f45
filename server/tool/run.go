package tool

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"
)

// PanicError is what a tool's panic becomes. Its text is for the model and says nothing of the inside; Value and Stack are for the log.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string {
	return "the tool failed inside, which no other arguments would mend; go on without it"
}

// failure is an error with a text for the model.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

const (
	maxErrorText = 2 << 10         // bytes
	grace        = 2 * time.Second // that a tool has to end once its time is up
)

// Run makes one call, whose right to run was decided before. Arguments that do not fit the tool's schema are an *ArgumentsError, a panic is a *PanicError, a call that
// takes longer than the tool's Timeout is context.DeadlineExceeded, and one that ctx ends is ctx's error; every error's text is for the model, valid UTF-8 and bounded.
// The result's text is valid UTF-8 without NUL and at most the tool's MaxResult bytes long: of a longer one the first and the last part stay, with a line between them
// that says how much is left out. Taints that are nil become the spec's kind with the tool's name; an empty list stays and says that nobody outside wrote the text.
func Run(ctx context.Context, t Tool, c Call) (Result, error) {
	spec := t.Spec()
	arguments, err := checkArguments(spec.Parameters, c.Arguments)
	if err != nil {
		return Result{}, err
	}
	c.Arguments = arguments
	limit := cmp.Or(spec.Timeout, DefaultTimeout)
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	result, err := await(timed, t, c)
	if err != nil {
		return Result{CostMicros: result.CostMicros}, tell(ctx, timed, spec.Name, limit, err)
	}
	if result.Taints == nil && spec.Taints != "" {
		result.Taints = []Taint{{Kind: spec.Taints, Source: spec.Name}}
	}
	result.Text = Trim(Clean(result.Text), cmp.Or(spec.MaxResult, DefaultResult))
	return result, nil
}

type outcome struct {
	result Result
	err    error
}

// await calls the tool, and leaves it behind when it does not end with its time.
func await(ctx context.Context, t Tool, c Call) (Result, error) {
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o = outcome{err: &PanicError{Value: p, Stack: debug.Stack()}}
			}
			done <- o
		}()
		o.result, o.err = t.Call(ctx, c)
	}()
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
	}
	last := time.NewTimer(grace)
	defer last.Stop()
	select {
	case o := <-done:
		return o.result, o.err
	case <-last.C:
		return Result{}, ctx.Err()
	}
}

// tell makes of an error what the model gets.
func tell(ctx, timed context.Context, name string, limit time.Duration, err error) error {
	switch {
	case ctx.Err() != nil:
		return &failure{name + " was stopped, because the turn was", ctx.Err()}
	case timed.Err() != nil:
		return &failure{fmt.Sprintf("%s took longer than %s and was stopped", name, limit), timed.Err()}
	}
	text := Trim(Clean(err.Error()), maxErrorText)
	if text == "" {
		text = name + " failed"
	}
	if text == err.Error() {
		return err
	}
	return &failure{text, err}
}

// Clean makes a text valid UTF-8 without NUL, as models and databases want it.
func Clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// Trim bounds a text, in bytes: of a longer one the first and the last part stay, with a line between them that says how much is left out. What is cut is cut between
// characters. A bound of less than 100 bytes is taken for 100.
func Trim(s string, most int) string {
	most = max(most, 100)
	if len(s) <= most {
		return s
	}
	const line = "\n\n[… %d of %d bytes are left out here …]\n\n"
	room := most - len(fmt.Sprintf(line, len(s), len(s)))
	head := room * 2 / 3
	tail := len(s) - (room - head)
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + fmt.Sprintf(line, tail-head, len(s)) + s[tail:]
}
