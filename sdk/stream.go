package sdk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// MaxFrame is the length in bytes that one event of a stream may have.
const MaxFrame = 64 << 20

// Why an answer that had begun could not be read to its end. The caller's own cancellation is ErrBroken too, with context.Canceled below it.
var (
	ErrBroken    = errors.New("the connection broke in the middle of the answer")
	ErrMalformed = errors.New("the answer holds something that cannot be read")
)

// errTooLong ends a stream that would otherwise fill the memory.
var errTooLong = fmt.Errorf("%w: an event of more than %d MiB", ErrMalformed, MaxFrame>>20)

// Frame is one event of an event stream.
type Frame struct {
	ID    string // that of this event, or of the last before it that had one
	Event string // its name; empty for most
	Data  []byte // valid until the next step
}

// Frames reads an event stream (text/event-stream). An event that its blank line does not end is not given out, for it may be cut. The end of r ends the range; any
// other error of r is its last step.
func Frames(r io.Reader) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		lines := lineReader{r: bufio.NewReaderSize(r, 16<<10)}
		var f Frame
		var data []byte
		hasData := false
		for {
			line, err := lines.next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(Frame{}, err)
				}
				return
			}
			if len(line) > 0 {
				name, value := field(line)
				if hasData, data = f.set(name, value, hasData, data); len(data) > MaxFrame {
					yield(Frame{}, errTooLong)
					return
				}
				continue
			}
			if f.Data = data; hasData && !yield(f, nil) {
				return
			}
			f.Event, data, hasData = "", data[:0], false
		}
	}
}

// set takes one field into the event. Comments have an empty name and are passed over, as are fields that no reader of ours needs.
func (f *Frame) set(name string, value []byte, hasData bool, data []byte) (bool, []byte) {
	switch name {
	case "data":
		if hasData {
			data = append(data, '\n')
		}
		return true, append(data, value...)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			f.ID = string(value)
		}
	case "event":
		f.Event = string(value)
	}
	return hasData, data
}

func field(line []byte) (name string, value []byte) {
	before, after, _ := bytes.Cut(line, []byte(":"))
	return string(before), bytes.TrimPrefix(after, []byte(" "))
}

// lineReader splits at LF, CR LF and CR, and at nothing else: U+2028 and its kin belong to the text.
type lineReader struct {
	r      *bufio.Reader
	skipLF bool // the line before ended in CR; a LF that follows belongs to it, and is waited for only once it is asked for more
	begun  bool
	line   []byte
}

// next returns a line without its end, valid until the next call. A line that the end of the stream cuts is not returned.
func (l *lineReader) next() ([]byte, error) {
	l.line = l.line[:0]
	for {
		if _, err := l.r.Peek(1); err != nil {
			return nil, err
		}
		chunk, _ := l.r.Peek(l.r.Buffered())
		if l.skipLF {
			l.skipLF = false
			if chunk[0] == '\n' {
				_, _ = l.r.Discard(1)
				continue
			}
		}
		end := bytes.IndexByte(chunk, '\n')
		if end < 0 {
			end = len(chunk)
		}
		if cr := bytes.IndexByte(chunk[:end], '\r'); cr >= 0 {
			end = cr
		}
		l.line = append(l.line, chunk[:end]...)
		if len(l.line) > MaxFrame {
			return nil, errTooLong
		}
		if end == len(chunk) {
			_, _ = l.r.Discard(end)
			continue
		}
		l.skipLF = chunk[end] == '\r'
		_, _ = l.r.Discard(end + 1)
		if !l.begun {
			l.begun = true
			return bytes.TrimPrefix(l.line, []byte("\xef\xbb\xbf")), nil // a byte order mark
		}
		return l.line, nil
	}
}

// stream carries out an operation that answers an event stream. It ends at [DONE]; an end without it is io.ErrUnexpectedEOF, and an error frame an *Error.
func stream[T any](ctx context.Context, c *Client, op call, options []Option) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		s := apply(options)
		resp, err := c.send(ctx, op, "text/event-stream", s)
		if err != nil {
			yield(none, c.mapError(err))
			return
		}
		defer resp.Body.Close()
		if kind := mediaType(resp); kind != "text/event-stream" {
			yield(none, c.mapError(notClawless(resp, kind)))
			return
		}
		for f, err := range Frames(resp.Body) {
			if err == nil && string(f.Data) == "[DONE]" {
				return
			}
			v, err := event[T](resp, f, err)
			if err != nil {
				yield(none, c.mapError(err))
				return
			}
			if s.eventID != nil && f.ID != "" {
				*s.eventID = f.ID
			}
			if !yield(v, nil) {
				return
			}
		}
		yield(none, c.mapError(fmt.Errorf("%w: %w", ErrBroken, io.ErrUnexpectedEOF)))
	}
}

func event[T any](resp *http.Response, f Frame, err error) (v T, _ error) {
	if err != nil {
		return v, unread(err)
	}
	if f.Event == "error" || bytes.HasPrefix(f.Data, []byte(`{"error":`)) {
		if e, ok := parseError(resp.StatusCode, f.Data); ok {
			if e.RequestID == "" {
				e.RequestID = resp.Header.Get("X-Request-Id")
			}
			return v, e
		}
	}
	if err := json.Unmarshal(f.Data, &v); err != nil {
		return v, unread(err)
	}
	return v, nil
}

// unread tells what broke on the way from what came whole and is no good.
func unread(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, ErrMalformed):
		return err
	case errors.As(err, &syntax), errors.As(err, &kind):
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}
