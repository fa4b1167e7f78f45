// Package sse writes event streams: one event, one write, one flush, and a write deadline that a reader who has stopped reading runs into.
package sse

import (
	"net/http"
	"strconv"
	"time"
)

// Writer writes one event stream. It is used by one goroutine.
type Writer struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
	extend  time.Time // when the deadline is next worth moving
	buf     []byte
}

// Start sends the headers of an event stream with status 200. Each later write may take timeout at most; zero means no limit.
// X-Accel-Buffering tells nginx and its kin not to hold events back.
func Start(w http.ResponseWriter, timeout time.Duration) *Writer {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return &Writer{w: w, rc: http.NewResponseController(w), timeout: timeout}
}

// Data writes one `data:` line, with an `id:` line before it when id is above zero, and flushes. data must not contain a line break.
func (s *Writer) Data(id int64, data []byte) error {
	s.buf = s.buf[:0]
	if id > 0 {
		s.buf = append(s.buf, "id: "...)
		s.buf = strconv.AppendInt(s.buf, id, 10)
		s.buf = append(s.buf, '\n')
	}
	s.buf = append(s.buf, "data: "...)
	s.buf = append(s.buf, data...)
	s.buf = append(s.buf, '\n', '\n')
	return s.flush()
}

// Event writes one `event:` line and one `data:` line and flushes. Neither may contain a line break.
func (s *Writer) Event(name string, data []byte) error {
	s.buf = append(s.buf[:0], "event: "...)
	s.buf = append(s.buf, name...)
	s.buf = append(s.buf, "\ndata: "...)
	s.buf = append(s.buf, data...)
	s.buf = append(s.buf, '\n', '\n')
	return s.flush()
}

// Retry tells the reader how long to wait before it connects again.
func (s *Writer) Retry(d time.Duration) error {
	s.buf = append(s.buf[:0], "retry: "...)
	s.buf = strconv.AppendInt(s.buf, d.Milliseconds(), 10)
	s.buf = append(s.buf, '\n', '\n')
	return s.flush()
}

func (s *Writer) flush() error {
	if s.timeout > 0 {
		// Moving a deadline costs a lock and a timer; once a quarter of it has gone is often enough for a limit in seconds.
		if now := time.Now(); now.After(s.extend) {
			if err := s.rc.SetWriteDeadline(now.Add(s.timeout + s.timeout/4)); err != nil {
				return err
			}
			s.extend = now.Add(s.timeout / 4)
		}
	}
	if _, err := s.w.Write(s.buf); err != nil {
		return err
	}
	return s.rc.Flush()
}
