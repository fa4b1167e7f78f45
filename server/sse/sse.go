// Package sse writes event streams: one event, one write, one flush, a write deadline that a reader who has stopped reading runs into, and a beat while there is nothing to say.
package sse

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// BeatEvery is how long a stream may say nothing before it gives a sign of life. Proxies take a connection for dead after a minute, some after half of that.
const BeatEvery = 15 * time.Second

// Writer writes one event stream. It is used by one goroutine, beside which its beat may run.
type Writer struct {
	rc      *http.ResponseController
	w       http.ResponseWriter
	timeout time.Duration

	mu     sync.Mutex
	extend time.Time // when the deadline is next worth moving
	buf    []byte
	failed error // the first failure, which every later write repeats
	beat   *beat
}

// beat is what a Writer says when it has said nothing for a while.
type beat struct {
	every, look time.Duration // look is how often it is looked at
	frame       func() []byte
	timer       *time.Timer
	last        time.Time // of the newest write
}

// Start sends the headers of an event stream with status 200. Each later write may take timeout at most; zero means no limit.
// X-Accel-Buffering tells nginx and its kin not to hold events back, no-transform tells others not to compress them into blocks.
func Start(w http.ResponseWriter, timeout time.Duration) *Writer {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return &Writer{w: w, rc: http.NewResponseController(w), timeout: timeout}
}

// Beat writes what frame returns as one `data:` line, without an id, whenever nothing was written for the time every, until Close. frame is called on another goroutine,
// never while a write is under way; it returns nil to say nothing this time. Beat is called once, and Close must follow before the response is over.
func (s *Writer) Beat(every time.Duration, frame func() []byte) {
	s.BeatEvent(every, "", frame)
}

// BeatEvent is Beat with an `event:` line.
func (s *Writer) BeatEvent(every time.Duration, name string, frame func() []byte) {
	if every <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &beat{every: every, look: every, frame: frame, last: time.Now()}
	if s.timeout > 0 {
		b.look = min(every, s.timeout/3)
	}
	b.timer = time.AfterFunc(b.look, func() { s.pulse(b, name) })
	s.beat = b
}

// pulse beats when it is time to, and rests the write deadline of a stream that says nothing: HTTP/2 ends a stream whose deadline passes even when nobody writes.
func (s *Writer) pulse(b *beat, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.beat != b || s.failed != nil { // closed, or of no use any more
		return
	}
	quiet := time.Since(b.last)
	if quiet >= b.every {
		if data := b.frame(); data != nil && s.event(name, 0, data) != nil {
			return
		}
		b.last, quiet = time.Now(), 0 // also when there was nothing to say
	}
	if !s.extend.IsZero() && quiet >= b.look {
		if s.failed = s.rc.SetWriteDeadline(time.Time{}); s.failed != nil {
			return
		}
		s.extend = time.Time{}
	}
	b.timer.Reset(max(time.Millisecond, min(b.look, b.every-quiet)))
}

// Close ends the beat. Nothing is written after it by anybody but the caller. It may be called more than once.
func (s *Writer) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.beat != nil {
		s.beat.timer.Stop()
		s.beat = nil
	}
}

// Data writes one `data:` line, with an `id:` line before it when id is above zero, and flushes. data must not contain a line break.
func (s *Writer) Data(id int64, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.event("", id, data)
}

// Event writes one `event:` line and one `data:` line and flushes. Neither may contain a line break.
func (s *Writer) Event(name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.event(name, 0, data)
}

// Retry tells the reader how long to wait before it connects again.
func (s *Writer) Retry(d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = append(s.buf[:0], "retry: "...)
	s.buf = strconv.AppendInt(s.buf, d.Milliseconds(), 10)
	s.buf = append(s.buf, '\n', '\n')
	return s.flush()
}

func (s *Writer) event(name string, id int64, data []byte) error {
	s.buf = s.buf[:0]
	if name != "" {
		s.buf = append(append(append(s.buf, "event: "...), name...), '\n')
	}
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

func (s *Writer) flush() error {
	if s.failed == nil {
		s.failed = s.send()
	}
	return s.failed
}

func (s *Writer) send() error {
	if s.timeout > 0 || s.beat != nil {
		now := time.Now()
		if s.beat != nil {
			s.beat.last = now
		}
		// Moving a deadline costs a lock and a timer; once a quarter of it has gone is often enough for a limit in seconds.
		if s.timeout > 0 && now.After(s.extend) {
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
