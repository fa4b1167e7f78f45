package client_test

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/clawless/clawless/client"
)

// wire passes connections on to a server, byte for byte, and cuts those that carry an event stream. It knows nothing of HTTP but where the headers end.
type wire struct {
	t   testing.TB
	URL string
	// cut says how many of the bytes that came after the headers of a stream may still pass; below zero for all of them. It is asked after each read, for the
	// connection's number, counted from 1, and with all that came so far.
	cut func(conn int, body []byte) int
	// swallow says whether a connection is cut when the answer begins, so that its client cannot know whether the request was heard.
	swallow func(conn int) bool

	mu    sync.Mutex
	conns int
	cuts  int
}

func newWire(t testing.TB, server string) *wire {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, URL: "http://" + ln.Addr().String(), swallow: func(int) bool { return false }, cut: func(int, []byte) int { return -1 }}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.conns++
			n := w.conns
			w.mu.Unlock()
			wg.Go(func() { w.pass(n, in, to.Host) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return w
}

func (w *wire) pass(n int, in net.Conn, server string) {
	defer in.Close()
	out, err := net.Dial("tcp", server)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer out.Close()
	go func() { // ends when either side is closed
		buf := make([]byte, 16<<10)
		for {
			k, err := in.Read(buf)
			if _, werr := out.Write(buf[:k]); err != nil || werr != nil {
				_ = out.Close()
				return
			}
		}
	}()
	var all []byte
	passed, buf := 0, make([]byte, 16<<10)
	for {
		k, err := out.Read(buf)
		all = append(all, buf[:k]...)
		if k > 0 && w.swallow(n) {
			w.count(in, n)
			return
		}
		allowed, end := len(all), false
		if head := bytes.Index(all, []byte("\r\n\r\n")); head >= 0 && bytes.Contains(all[:head], []byte("text/event-stream")) {
			if most := w.cut(n, all[head+4:]); most >= 0 {
				allowed, end = max(passed, min(len(all), head+4+most)), head+4+most <= len(all)
			}
		}
		if _, werr := in.Write(all[passed:allowed]); werr != nil || err != nil {
			return
		}
		if passed = allowed; end {
			w.count(in, n)
			return
		}
	}
}

// count cuts a connection: every other one by a reset, the rest as if the server had closed it.
func (w *wire) count(in net.Conn, n int) {
	w.mu.Lock()
	w.cuts++
	w.mu.Unlock()
	if tcp, ok := in.(*net.TCPConn); ok && n%2 == 0 {
		_ = tcp.SetLinger(0)
	}
}

func (w *wire) counted() (conns, cuts int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns, w.cuts
}

// afterEvents allows so many events that have an id, and the bytes of what follows them.
func afterEvents(body []byte, events, more int) int {
	at := 0
	numbered := false
	for _, line := range bytes.SplitAfter(body, []byte("\n")) {
		at += len(line)
		switch {
		case bytes.HasPrefix(line, []byte("id: ")):
			numbered = true
		case string(line) == "\n" && numbered:
			numbered = false
			if events--; events == 0 {
				return at + more
			}
		}
	}
	return -1
}

// eachEvent cuts every connection after its first event, and a few bytes on in two of three.
func eachEvent(conn int, body []byte) int { return afterEvents(body, 1, conn%3*7) }

// anywhere cuts every connection at a random byte.
func anywhere(seed uint64) func(int, []byte) int {
	return func(conn int, _ []byte) int {
		return rand.New(rand.NewPCG(seed, uint64(conn))).IntN(1500)
	}
}

// over makes a client whose every request goes over a connection of its own, and which waits for nothing.
func over(t testing.TB, w *wire, key string) *client.Client {
	t.Helper()
	c := connect(t, client.Options{BaseURL: w.URL, APIKey: key, HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	c.Naps(nap(nil))
	return c
}

// pieces are what a long answer is made of: of one to four bytes a rune, with what wants care in JSON and in event streams.
func pieces(n int) []string {
	words := []string{"Zwölf ", "漢字 ", "🦀", "e\u0301 ", "a\u2028b ", "\n\n", "data: x\n\n", "\r\n", "\"quoted\\\" ", "id: 9\n", "", "\u0000", "👩‍👩‍👧 ", strings.Repeat("ß", 40)}
	rng := rand.New(rand.NewPCG(11, 4))
	out := make([]string, n)
	for i := range out {
		out[i] = words[rng.IntN(len(words))]
	}
	return out
}
