package sse

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
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
