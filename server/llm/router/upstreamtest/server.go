// Package upstreamtest is a provider that speaks OpenAI's dialect and misbehaves as a test scripts it, over real HTTP.
package upstreamtest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/llm/wire"
)

// Server answers every model's calls with the replies that were scripted for it. It ends with the test.
type Server struct {
	URL    string       // the base URL for a driver
	Client *http.Client // reaches the server; the only one that does where it has no network

	t       testing.TB
	mu      sync.Mutex
	scripts map[string][]Reply
	calls   map[string][]Call
}

// Call is one call that the server got.
type Call struct {
	Key    string // the bearer token
	Stream bool
	Body   []byte
	At     time.Time
}

// Reply is what the server does about one call: its steps in order. A step that says no ends it.
type Reply []Step

// New starts a server on a free port of the loopback address.
func New(t testing.TB) *Server {
	s := &Server{t: t, Client: wire.NewHTTPClient(0), scripts: map[string][]Reply{}, calls: map[string][]Call{}}
	srv := httptest.NewServer(s)
	s.start(srv)
	return s
}

// NewInMemory starts a server without a network, for tests in a bubble of testing/synctest: only its Client reaches it.
func NewInMemory(t testing.TB) *Server {
	s := &Server{t: t, Client: wire.NewHTTPClient(0), scripts: map[string][]Reply{}, calls: map[string][]Call{}}
	l := &listener{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: s}}
	srv.Start()
	s.Client.Transport.(*http.Transport).DialContext = l.dial
	s.start(srv)
	return s
}

func (s *Server) start(srv *httptest.Server) {
	s.URL = srv.URL
	s.t.Cleanup(func() {
		s.Client.CloseIdleConnections()
		srv.CloseClientConnections()
		srv.Close()
	})
}

// On scripts a model: its calls get the replies in order, and every further call the last one. It replaces what was scripted before.
func (s *Server) On(model string, replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[model] = replies
}

// Calls are the calls of a model so far.
func (s *Server) Calls(model string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls[model]...)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller hung up
	}
	if r.Method == http.MethodGet {
		s.list(w)
		return
	}
	var req struct {
		Model  string `json:"model"`
		Stream bool   `json:"stream"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		s.t.Errorf("upstreamtest: the request is not JSON: %v", err)
	}
	reply := s.next(req.Model, Call{Key: bearer(r), Stream: req.Stream, Body: body, At: time.Now()})
	x := &Exchange{w: w, r: r, Stream: req.Stream, Model: req.Model}
	for _, step := range reply {
		if !step(x) {
			return
		}
	}
}

func bearer(r *http.Request) string {
	const scheme = "Bearer "
	if h := r.Header.Get("Authorization"); len(h) > len(scheme) {
		return h[len(scheme):]
	}
	return ""
}

func (s *Server) next(model string, c Call) Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.calls[model])
	s.calls[model] = append(s.calls[model], c)
	script := s.scripts[model]
	if len(script) == 0 {
		return Failure(http.StatusNotFound, "", "no such model")
	}
	return script[min(n, len(script)-1)]
}

func (s *Server) list(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type entry struct {
		ID string `json:"id"`
	}
	list := struct {
		Data []entry `json:"data"`
	}{Data: []entry{}}
	for model := range s.scripts {
		list.Data = append(list.Data, entry{model})
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(list); err != nil {
		s.t.Logf("upstreamtest: the list of models was not read: %v", err)
	}
}

// listener hands out connections in memory.
type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *listener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
