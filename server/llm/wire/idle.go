package wire

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// errIdle is the cause with which a silent call is cancelled.
var errIdle = errors.New("nothing came within the time limit")

// progress is how many bytes of one line count as a sign of life. Less may be a server that trickles bytes to hold the connection.
const progress = 4 << 10

// idleReader cancels the call when the provider goes silent while somebody waits for it. The clock stands still while nobody reads, so a slow reader is not taken for
// a slow provider, and starts anew with every line, or with every 4 KiB of a long one, but not with every byte.
type idleReader struct {
	src    io.Reader
	cancel func(error)
	timer  *time.Timer
	limit  time.Duration // until the next line; zero: the first limit is for all
	left   time.Duration // of it
	got    int           // bytes since the clock started anew
}

// newIdleReader returns a reader without a source yet, whose clock runs until pause.
func newIdleReader(first, limit time.Duration, cancel func(error)) *idleReader {
	r := &idleReader{cancel: cancel, limit: limit, left: first}
	r.timer = time.AfterFunc(first, func() { cancel(errIdle) })
	return r
}

// pause stops the clock, which has run since start.
func (r *idleReader) pause(start time.Time) {
	r.timer.Stop()
	r.left = max(r.left-time.Since(start), 0)
}

// Read reads from the source with the clock running.
func (r *idleReader) Read(p []byte) (int, error) {
	start := time.Now()
	r.timer.Reset(r.left)
	n, err := r.src.Read(p)
	r.pause(start)
	if r.limit == 0 {
		return n, err
	}
	if r.got += n; r.got >= progress || bytes.IndexByte(p[:n], '\n') >= 0 || bytes.IndexByte(p[:n], '\r') >= 0 {
		r.left, r.got = r.limit, 0
	}
	return n, err
}

// grace shortens the wait for what is left of a stream whose answer is complete.
func (r *idleReader) grace(d time.Duration) {
	r.limit, r.left = min(r.limit, d), min(r.left, d) // a limit of zero stays one: then all that is left is d
}
