package sse

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestWriter: the bytes of a stream, each event flushed by itself.
func TestWriter(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := Start(w, time.Second)
		for _, err := range []error{s.Retry(1500 * time.Millisecond), s.Data(0, []byte(`{"a":1}`)), s.Data(7, []byte("[DONE]")), s.Event("ping", []byte("{}"))} {
			if err != nil {
				t.Error(err)
			}
		}
	}))
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if want := "retry: 1500\n\ndata: {\"a\":1}\n\nid: 7\ndata: [DONE]\n\nevent: ping\ndata: {}\n\n"; err != nil || string(b) != want {
		t.Errorf("%q, %v", b, err)
	}
}

// clock is a response writer that notes the deadlines it is given.
type clock struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
	fail      error
}

func (c *clock) SetWriteDeadline(at time.Time) error {
	c.deadlines = append(c.deadlines, at)
	return c.fail
}

// TestDeadline: each event has its time, the deadline is not moved for every one of a quick stream, and without a limit never.
func TestDeadline(t *testing.T) {
	c := &clock{ResponseRecorder: httptest.NewRecorder()}
	s := Start(c, time.Hour)
	before := time.Now()
	for range 1000 {
		if err := s.Data(0, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.deadlines); n != 1 || c.deadlines[0].Before(before.Add(time.Hour)) {
		t.Errorf("%d deadlines: %v", n, c.deadlines)
	}
	c.fail = errors.New("no connection")
	if err := Start(c, time.Nanosecond).Data(0, []byte("x")); !errors.Is(err, c.fail) {
		t.Errorf("%v", err)
	}
	c = &clock{ResponseRecorder: httptest.NewRecorder()}
	if err := Start(c, 0).Data(0, []byte("x")); err != nil || len(c.deadlines) != 0 {
		t.Errorf("%v, %v", c.deadlines, err)
	}
}

// TestHeaders: what proxies are told.
func TestHeaders(t *testing.T) {
	rec := httptest.NewRecorder()
	Start(rec, 0)
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestBeat: a stream that says nothing gives signs of life, one that says enough gives none, and none comes after Close.
func TestBeat(t *testing.T) {
	enough, quiet := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := Start(w, time.Second)
		n := 0
		s.Beat(5*time.Millisecond, func() []byte {
			if n++; n%2 == 0 {
				return nil
			}
			return fmt.Appendf(nil, "beat %d", n)
		})
		if err := s.Data(1, []byte("first")); err != nil {
			t.Error(err)
		}
		<-enough
		s.Close()
		s.Close()
		if err := s.Data(2, []byte("last")); err != nil {
			t.Error(err)
		}
		<-quiet
	}))
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	in := bufio.NewScanner(res.Body)
	var lines []string
	beats := 0
	for in.Scan() {
		if lines = append(lines, in.Text()); strings.HasPrefix(in.Text(), "data: beat") {
			if beats++; beats == 3 {
				close(enough)
			}
		}
		if in.Text() == "data: last" {
			break
		}
	}
	all := strings.Join(lines, "\n")
	if !strings.HasPrefix(all, "id: 1\ndata: first\n\ndata: beat 1\n\ndata: beat 3\n\ndata: beat 5\n\n") || !strings.HasSuffix(all, "\n\nid: 2\ndata: last") {
		t.Errorf("%q", all)
	}
	close(quiet)
	if rest, err := io.ReadAll(res.Body); err != nil || strings.Contains(string(rest), "beat") {
		t.Errorf("after Close: %q, %v", rest, err)
	}
}

// TestBeatWaits: a busy stream has no beats, though it lasts many times as long as one.
func TestBeatWaits(t *testing.T) {
	rec := httptest.NewRecorder()
	s := Start(rec, 0)
	s.Beat(time.Hour, func() []byte { t.Error("a beat"); return nil })
	var wg sync.WaitGroup
	for range 4 { // a beat may write at any time, so writes are safe beside each other
		wg.Go(func() {
			for range 500 {
				if err := s.Data(0, []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.Close()
	if n := strings.Count(rec.Body.String(), "data: x\n\n"); n != 2000 {
		t.Errorf("%d events", n)
	}
}

// TestBeatFails: a beat that cannot be written ends the stream, and the next write says why.
func TestBeatFails(t *testing.T) {
	c := &clock{ResponseRecorder: httptest.NewRecorder(), fail: errors.New("no connection")}
	s := Start(c, time.Minute)
	defer s.Close()
	asked := make(chan struct{})
	s.BeatEvent(time.Millisecond, "ping", func() []byte { close(asked); return []byte("{}") })
	<-asked
	if err := s.Data(0, []byte("x")); !errors.Is(err, c.fail) {
		t.Errorf("%v", err)
	}
}

// TestIdleOverHTTP2: a stream that says nothing for much longer than a write may take is still there; without the beat's care HTTP/2 would have ended it.
func TestIdleOverHTTP2(t *testing.T) {
	for _, cared := range []bool{true, false} {
		t.Run(fmt.Sprint(cared), func(t *testing.T) {
			const timeout = 60 * time.Millisecond
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s := Start(w, timeout)
				defer s.Close()
				if cared {
					s.Beat(time.Hour, func() []byte { return nil })
				}
				_ = s.Data(0, []byte("a"))
				select {
				case <-time.After(20 * timeout):
				case <-r.Context().Done():
				}
				_ = s.Data(0, []byte("b"))
			}))
			srv.EnableHTTP2 = true
			srv.StartTLS()
			defer srv.Close()
			res, err := srv.Client().Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			if whole := err == nil && string(b) == "data: a\n\ndata: b\n\n"; res.ProtoMajor != 2 || whole != cared {
				t.Errorf("HTTP/%d: %q, %v", res.ProtoMajor, b, err)
			}
		})
	}
}
