package client

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// longestHint is the longest wait before a reconnection that a stream may ask for and get.
const longestHint = 30 * time.Second

// pace is how long a stream asks its reader to wait before it connects again (`retry:`); zero while it has not said so.
type pace struct{ wait atomic.Int64 }

func (p *pace) duration() time.Duration { return time.Duration(p.wait.Load()) }

type paceKey struct{}

// paced asks that the hint of a stream which is opened under the context be kept in p.
func paced(ctx context.Context, p *pace) context.Context {
	return context.WithValue(ctx, paceKey{}, p)
}

// listen lets the reader of an answer's body overhear the hint that it holds, when the request was made for a stream whose hint is wanted.
func listen(req *http.Request, resp *http.Response) {
	p, ok := req.Context().Value(paceKey{}).(*pace)
	if !ok || resp == nil {
		return
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && kind == "text/event-stream" {
		resp.Body = &overheard{ReadCloser: resp.Body, pace: p}
	}
}

// overheard is a stream's body. It looks at the beginning of each line, however the reads cut it.
type overheard struct {
	io.ReadCloser
	pace *pace
	line []byte // of the line so far; as long as it can still be a hint
	lost bool   // the line is something else
}

const maxHint = len("retry: 2147483647")

// Read implements io.Reader.
func (o *overheard) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		end := bytes.IndexAny(rest, "\r\n")
		piece := rest
		if end >= 0 {
			piece, rest = rest[:end], rest[end+1:]
		} else {
			rest = nil
		}
		if !o.lost {
			o.line = append(o.line, piece[:min(len(piece), maxHint+1-len(o.line))]...)
			o.lost = len(o.line) > maxHint
		}
		if end >= 0 {
			o.take()
		}
	}
	return n, err
}

// take ends a line.
func (o *overheard) take() {
	value, ok := bytes.CutPrefix(o.line, []byte("retry:"))
	if ms, err := strconv.ParseUint(string(bytes.TrimPrefix(value, []byte(" "))), 10, 31); ok && !o.lost && err == nil {
		o.pace.wait.Store(int64(min(time.Duration(ms)*time.Millisecond, longestHint)))
	}
	o.line, o.lost = o.line[:0], false
}
