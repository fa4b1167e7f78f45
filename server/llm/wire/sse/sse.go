// Package sse reads event streams of model providers: it forgives every way of writing a line and bounds what one stream may take.
package sse

import (
	"bytes"
	"errors"
	"io"
)

// The limits of one stream. They are far over anything a provider sends in earnest and keep a hostile one from filling the memory.
const (
	MaxEvent  = 8 << 20  // bytes of one line, and of the data of one event
	MaxStream = 64 << 20 // bytes of a whole stream
)

// The errors of a stream that goes over a limit.
var (
	ErrEventTooLong  = errors.New("a line or event is over 8 MiB")
	ErrStreamTooLong = errors.New("the stream is over 64 MiB")
)

// firstBuffer holds the frames of an ordinary stream; a longer line makes it grow.
const firstBuffer = 8 << 10

// Event is one event of the stream. Data is valid until the next call of Next.
type Event struct {
	Name string // the value of the event field, empty when there was none
	Data []byte // the data lines, joined by line feeds
}

// Reader takes a byte stream apart into events. Lines may end in LF, CR or CRLF, comments and unknown fields are skipped, the space after the colon is optional and
// a byte order mark at the start is dropped. An event is returned as soon as its blank line is there, without waiting for a byte more.
type Reader struct {
	src    io.Reader
	buf    []byte
	pos    int   // the first byte not yet taken
	end    int   // the end of what was read
	seen   int   // bytes from pos that are known to hold no line end
	total  int64 // bytes read from src
	skipLF bool  // the last line ended in CR: a LF that follows belongs to it
	begun  bool  // the byte order mark was looked for
	err    error // what src ended with
	joined []byte
}

// NewReader returns a Reader over src, which it never closes.
func NewReader(src io.Reader) *Reader { return &Reader{src: src, buf: make([]byte, firstBuffer)} }

// Next returns the next event that has data. At the end of the stream it returns io.EOF, or the error of the source. Where the stream ends in order, data that no blank
// line followed is returned as an event before that, so that its reader can judge whether it is whole.
func (r *Reader) Next() (Event, error) {
	var ev Event
	lines := 0
	for {
		line, err := r.line()
		if err != nil {
			if len(ev.Data) > 0 && errors.Is(err, io.EOF) {
				return ev, nil
			}
			return Event{}, err
		}
		if len(line) == 0 {
			if len(ev.Data) > 0 {
				return ev, nil
			}
			ev, lines = Event{}, 0 // an event without data is none
			continue
		}
		name, value := field(line)
		switch name {
		case "data":
			if lines++; lines == 1 && len(value) > 0 && r.blankNext() {
				ev.Data = value // the ordinary case: nothing is copied
				return ev, nil
			}
			if lines == 1 {
				r.joined = append(r.joined[:0], value...)
			} else {
				r.joined = append(append(r.joined, '\n'), value...)
			}
			if len(r.joined) > MaxEvent {
				return Event{}, ErrEventTooLong
			}
			ev.Data = r.joined
		case "event":
			ev.Name = eventName(value)
		}
	}
}

// blankNext takes the blank line that ends the event if it is already there.
func (r *Reader) blankNext() bool {
	rest := r.buf[r.pos:r.end]
	if r.skipLF && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	switch {
	case len(rest) > 0 && rest[0] == '\n':
		r.skipLF = false
	case len(rest) > 0 && rest[0] == '\r':
		r.skipLF = true
	default:
		return false
	}
	r.pos = r.end - len(rest) + 1
	return true
}

// line returns the next line without its end; it is valid until the next call. The last line needs no end.
func (r *Reader) line() ([]byte, error) {
	for {
		if r.skipLF && r.pos < r.end {
			if r.buf[r.pos] == '\n' {
				r.pos++
			}
			r.skipLF = false
		}
		unseen := r.buf[r.pos+r.seen : r.end]
		if i := lineEnd(unseen); i >= 0 {
			start := r.pos
			stop := start + r.seen + i
			if stop-start > MaxEvent {
				r.err, r.pos, r.seen = ErrEventTooLong, r.end, 0
				return nil, r.err
			}
			r.skipLF = r.buf[stop] == '\r'
			r.pos, r.seen = stop+1, 0
			return r.startOf(r.buf[start:stop]), nil
		}
		r.seen = r.end - r.pos
		if r.err != nil {
			if r.seen == 0 || !errors.Is(r.err, io.EOF) {
				return nil, r.err
			}
			line := r.buf[r.pos:r.end]
			r.pos, r.seen = r.end, 0
			return r.startOf(line), nil
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// startOf drops the byte order mark from the first line.
func (r *Reader) startOf(line []byte) []byte {
	if !r.begun {
		r.begun = true
		return bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	return line
}

// fill reads more of the source behind the line under way.
func (r *Reader) fill() error {
	if r.seen > MaxEvent {
		r.err = ErrEventTooLong
		return r.err
	}
	if r.pos > 0 && (r.pos == r.end || r.end == len(r.buf)) {
		copy(r.buf, r.buf[r.pos:r.end])
		r.end -= r.pos
		r.pos = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	for range 100 { // a source that returns nothing so often is broken, as bufio has it
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if r.total += int64(n); r.total > MaxStream {
			r.err = ErrStreamTooLong
			return r.err
		}
		if err != nil {
			r.err = err
			return nil //nolint:nilerr // what was read before it counts first; the next look finds r.err
		}
		if n > 0 {
			return nil
		}
	}
	r.err = io.ErrNoProgress
	return nil
}

// lineEnd returns the index of the first CR or LF, or -1. Frames hardly ever hold a CR, so looking for LF first costs one pass of the line and no more.
func lineEnd(b []byte) int {
	i := bytes.IndexByte(b, '\n')
	if i >= 0 {
		b = b[:i]
	}
	if j := bytes.IndexByte(b, '\r'); j >= 0 {
		return j
	}
	return i
}

// field splits a line into its name and value; a comment has no name.
func field(line []byte) (name string, value []byte) {
	if rest, ok := bytes.CutPrefix(line, []byte("data:")); ok {
		return "data", bytes.TrimPrefix(rest, []byte(" "))
	}
	before, after, _ := bytes.Cut(line, []byte(":"))
	switch string(before) {
	case "data":
		return "data", nil
	case "event":
		return "event", bytes.TrimPrefix(after, []byte(" "))
	}
	return "", nil
}

// eventNames are the names that providers use, so that reading one costs no allocation.
var eventNames = []string{"content_block_delta", "content_block_start", "content_block_stop", "message_start", "message_delta", "message_stop", "message", "ping", "error"}

func eventName(value []byte) string {
	for _, n := range eventNames {
		if string(value) == n {
			return n
		}
	}
	return string(value)
}
