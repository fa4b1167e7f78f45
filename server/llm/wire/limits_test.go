package wire

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// pipes is a client over connections in memory, so that the clock of the test is the clock of the call.
func pipes(t *testing.T, h http.HandlerFunc) *http.Client {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	srv.Start()
	client := NewHTTPClient(0)
	tr := client.Transport.(*http.Transport)
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case l.conns <- far:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		srv.CloseClientConnections()
		srv.Close()
	})
	return client
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// TestLimits: each limit ends what it is for, and nothing else, and it ends it in time.
func TestLimits(t *testing.T) {
	limits := llm.Config{First: 10 * time.Second, Idle: 3 * time.Second, Answer: 30 * time.Second}
	old := llm.Config{Idle: 3 * time.Second}
	tests := []struct {
		name  string
		cfg   llm.Config
		whole bool
		waits []time.Duration // before the headers, and then before each line
		after time.Duration   // when it is given up; zero when it is not
	}{
		{"a stream in time", limits, false, []time.Duration{9 * time.Second, 0, 2 * time.Second, 2 * time.Second}, 0},
		{"a stream hangs before its headers", limits, false, []time.Duration{time.Hour}, 10 * time.Second},
		{"a stream hangs after its headers", limits, false, []time.Duration{6 * time.Second, time.Hour}, 10 * time.Second},
		{"a stream goes silent", limits, false, []time.Duration{6 * time.Second, 0, time.Hour}, 9 * time.Second},
		{"a whole answer takes its time", limits, true, []time.Duration{20 * time.Second, 9 * time.Second}, 0},
		{"a whole answer hangs", limits, true, []time.Duration{time.Hour}, 30 * time.Second},
		{"a whole answer trickles", limits, true, []time.Duration{9 * time.Second, 9 * time.Second, 9 * time.Second, 9 * time.Second}, 30 * time.Second},
		{"only idle, a stream", old, false, []time.Duration{time.Hour}, 3 * time.Second},
		{"only idle, a whole answer", old, true, []time.Duration{0, 2 * time.Second, 2 * time.Second, time.Hour}, 7 * time.Second},
		{"the defaults, a stream", llm.Config{}, false, []time.Duration{9 * time.Minute, 0, time.Hour}, 10 * time.Minute},
		{"the defaults, a whole answer", llm.Config{}, true, []time.Duration{time.Hour}, 10 * time.Minute},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			tt.cfg.Name = "lab"
			tt.cfg.Client = pipes(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				for i, d := range tt.waits {
					select {
					case <-time.After(d):
					case <-r.Context().Done():
						return
					}
					if i > 0 {
						_, _ = io.WriteString(w, "line\n")
					}
					_ = http.NewResponseController(w).Flush()
				}
			})
			e, err := NewEndpoint(tt.cfg, "http://lab.example")
			if err != nil {
				t.Fatal(err)
			}
			post := e.Post
			if tt.whole {
				post = e.PostWhole
			}
			start := time.Now()
			a, fail := post(t.Context(), "/x", []byte("{}"))
			if fail == nil {
				_, fail = a.ReadAll()
				a.Close()
			}
			took := time.Since(start)
			if (fail != nil) != (tt.after > 0) || fail != nil && (fail.Class != llm.ClassTimeout || took != tt.after) {
				t.Errorf("%s: %v after %v", tt.name, fail, took)
			}
		})
	}
}

// TestConnectLimit: a server that takes no connection is unreachable after the limit of the connection.
func TestConnectLimit(t *testing.T) {
	client := NewHTTPClient(50 * time.Millisecond)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	e, err := NewEndpoint(llm.Config{Name: "lab", Client: client}, "https://"+l.Addr().String()) // it is there, but never says its part of TLS
	if err != nil {
		t.Fatal(err)
	}
	if _, fail := e.Post(t.Context(), "/x", []byte("{}")); fail == nil || fail.Class != llm.ClassUnreachable {
		t.Errorf("got %v", fail)
	}
}
