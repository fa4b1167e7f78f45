package guard

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// frontAddr is the one address on loopback that tests allow; all others are the canary's.
var frontAddr = netip.MustParseAddr("127.0.0.9")

func allowFront(a netip.Addr) bool { return a == frontAddr }

// canary counts the connections to listeners that nobody may reach.
type canary struct {
	hits atomic.Int64
}

func (c *canary) listen(t *testing.T, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "canary") }),
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				c.hits.Add(1)
			}
		}}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// front is a server at frontAddr; /go?to=X&status=N redirects to X as it is.
func front(t *testing.T, more http.HandlerFunc) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(frontAddr.String(), "0"))
	if err != nil {
		t.Skip("this machine has only one address on loopback")
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/go" {
			if more != nil {
				more(w, r)
			}
			return
		}
		status := http.StatusFound
		_, _ = fmt.Sscan(r.FormValue("status"), &status)
		w.Header()["Location"] = []string{r.FormValue("to")}
		w.WriteHeader(status)
	}))
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func hostileNames(t *testing.T) *names {
	always := func(a ...string) func(int) []string { return func(int) []string { return a } }
	return newNames(t, map[string]func(int) []string{"loopback.test": always("127.0.0.1"), "six.test": always("::1"), "mapped.test": always("::ffff:127.0.0.1"), "metadata.test": always("169.254.169.254"),
		"cname.test": always("10.0.0.1", "fd00::1", "127.0.0.1")})
}

// get asks for a URL and returns what came back.
func get(c *http.Client, address string) (string, error) {
	res, err := c.Get(address)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

// isRefusal reports whether an error says that nothing was dialled: blocked, no URL, or a name that leads nowhere.
func isRefusal(err error) bool {
	var dial *net.OpError
	var name *net.DNSError
	switch {
	case errors.Is(err, ErrBlocked), errors.As(err, &name):
		return true
	case errors.As(err, &dial), errors.Is(err, context.DeadlineExceeded), err == nil:
		return false
	}
	return true // the URL was not understood
}

func TestHostileURLsReachNobody(t *testing.T) {
	c := &canary{}
	port := c.listen(t, "[::]:0")
	server := front(t, nil)
	resolver := hostileNames(t).resolver()
	urls := corpus(port, server.Listener.Addr().String())
	client := Client(Options{Timeout: 5 * time.Second, MaxRedirects: 5, Allow: allowFront, Resolver: resolver})
	reached := 0
	for _, u := range urls {
		text, err := get(client, u)
		switch {
		case err == nil && text == "": // it led to the server that may be asked, as another parser would not have it
			reached++
		case !isRefusal(err):
			t.Errorf("%q: %q, %v", u, text, err)
		}
	}
	sent := 0
	for i, u := range urls {
		status := []int{301, 302, 303, 307, 308}[i%5]
		_, err := get(client, fmt.Sprintf("%s/go?status=%d&to=%s", server.URL, status, url.QueryEscape(u)))
		if err != nil && !isRefusal(err) {
			t.Errorf("redirect to %q: %v", u, err)
		}
		if errors.Is(err, ErrBlocked) {
			sent++
		}
	}
	if n := c.hits.Load(); n != 0 {
		t.Errorf("%d connections reached the canary", n)
	}
	if len(urls) < 300 || sent < len(urls)/2 || reached > 40 {
		t.Errorf("%d URLs, %d blocked after a redirect, %d read as the allowed server", len(urls), sent, reached)
	}
	t.Logf("%d URLs asked for and redirected to; %d blocked after a redirect; %d were the allowed server; %d connections to the canary", len(urls), sent, reached, c.hits.Load())
}

// TestTheCorpusBites sends the same URLs through a guard that allows everything: many must reach the canary, or the test above shows nothing.
func TestTheCorpusBites(t *testing.T) {
	c := &canary{}
	port := c.listen(t, "[::]:0")
	client := Client(Options{Timeout: 5 * time.Second, Resolver: hostileNames(t).resolver(), Allow: func(a netip.Addr) bool { return a.IsLoopback() || a.IsUnspecified() }})
	reached := 0
	for _, u := range corpus(port, "127.0.0.1:1") {
		if text, err := get(client, u); err == nil && text == "canary" {
			reached++
		}
	}
	if reached < 60 {
		t.Errorf("only %d URLs lead to the canary", reached)
	}
	t.Logf("%d URLs lead to the canary when nothing guards it", reached)
}

// TestTheCLibrarysResolver asks through the resolver that takes 127.1 and 0x7f000001 for addresses, in a process of its own because the choice is made once.
func TestTheCLibrarysResolver(t *testing.T) {
	const inside = "CLAWLESS_TEST_INSIDE"
	if os.Getenv(inside) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheCLibrarysResolver$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=yes", "GODEBUG=netdns=cgo")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	c := &canary{}
	port := c.listen(t, "[::]:0")
	guarded, open := Client(Options{}), Client(Options{Allow: netip.Addr.IsLoopback})
	var reached int64
	for _, host := range []string{"127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.01", "0x7f.0x0.0x0.0x1", "127.0.0.1", "localhost"} {
		if _, err := get(guarded, "http://"+host+":"+port+"/"); err == nil || !isRefusal(err) {
			t.Errorf("%s: %v", host, err)
		}
		if c.hits.Load() != reached {
			t.Fatalf("%s reached the canary", host)
		}
		_, _ = get(open, "http://"+host+":"+port+"/") // not every C library knows every form
		open.CloseIdleConnections()
		reached = c.hits.Load()
	}
	if reached < 5 {
		t.Errorf("only %d forms lead to the canary when nothing guards it", reached)
	}
	t.Logf("%d forms lead to the canary when nothing guards it", reached)
}

func TestRebindingAndMixedAnswers(t *testing.T) {
	server := front(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "front") })
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	c := &canary{}
	c.listen(t, "127.0.0.1:"+port)
	c.listen(t, "[::1]:"+port)
	good := frontAddr.String()
	n := newNames(t, map[string]func(int) []string{
		"rebind.test": func(asked int) []string { // the first answer is good, and every other one is not
			if asked%2 == 1 {
				return []string{good}
			}
			return []string{"127.0.0.1"}
		},
		"mixed.test": func(int) []string { return []string{"127.0.0.1", "::1", good, "10.0.0.1"} },
		"bad.test":   func(int) []string { return []string{"::1", "127.0.0.1", "169.254.169.254"} },
	})
	client := Client(Options{Timeout: 5 * time.Second, Allow: allowFront, Resolver: n.resolver()})
	answers := map[string]int{}
	for range 20 {
		text, err := get(client, "http://rebind.test:"+port+"/")
		client.CloseIdleConnections()
		switch {
		case err == nil:
			answers[text]++
		case errors.Is(err, ErrBlocked):
			answers["blocked"]++
		default:
			t.Fatal(err)
		}
	}
	if answers["front"] != 10 || answers["blocked"] != 10 {
		t.Errorf("answers: %v", answers)
	}
	if text, err := get(client, "http://mixed.test:"+port+"/"); err != nil || text != "front" {
		t.Errorf("of a mixed answer the good address is not taken: %q, %v", text, err)
	}
	_, err := get(client, "http://bad.test:"+port+"/")
	var blocked *BlockedError
	if !errors.As(err, &blocked) || blocked.Host != "bad.test:"+port || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("got %v", err)
	}
	if n := c.hits.Load(); n != 0 {
		t.Errorf("%d connections reached the canary", n)
	}
}

func TestRedirects(t *testing.T) {
	var hops atomic.Int64
	server := front(t, func(w http.ResponseWriter, r *http.Request) {
		hops.Add(1)
		if r.URL.Path == "/loop" {
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	})
	client := Client(Options{MaxRedirects: 3, Allow: allowFront})
	_, err := get(client, server.URL+"/loop")
	if !errors.Is(err, ErrRedirects) || hops.Load() != 4 {
		t.Errorf("%v after %d requests", err, hops.Load())
	}
	res, err := Client(Options{Allow: allowFront}).Get(server.URL + "/loop")
	if err != nil || res.StatusCode != http.StatusFound {
		t.Fatalf("without redirects: %v", err)
	}
	_ = res.Body.Close()
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	seen := make(chan http.Header, 10)
	other := front(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() })
	first := front(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() })
	client := Client(Options{MaxRedirects: 5, Allow: allowFront})
	ask := func(method, address string, body io.Reader) error {
		r, err := http.NewRequestWithContext(t.Context(), method, address, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Bearer x"}, "Cookie": {"a=b"}, "X-Api-Key": {"k"}, "x-odd-key": {"k"}, "Accept": {"text/html"}, "User-Agent": {"ua"}}
		res, err := client.Do(r)
		if err == nil {
			_ = res.Body.Close()
		}
		return err
	}
	if err := ask("GET", first.URL+"/go?to=/there", nil); err != nil {
		t.Fatal(err)
	}
	if h := <-seen; h.Get("Authorization") == "" || h.Get("X-Api-Key") == "" {
		t.Errorf("a redirect on the same host lost the credentials: %v", h)
	}
	for _, to := range []string{other.URL + "/a", other.URL + "/go?to=" + url.QueryEscape(first.URL+"/back")} {
		if err := ask("GET", first.URL+"/go?secret=1&to="+url.QueryEscape(to), nil); err != nil {
			t.Fatal(err)
		}
		h := <-seen
		for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "X-Odd-Key", "Referer"} {
			if h.Get(name) != "" {
				t.Errorf("%s went to %s: %q", name, to, h.Get(name))
			}
		}
		if h.Get("Accept") != "text/html" || h.Get("User-Agent") != "ua" {
			t.Errorf("harmless headers were lost: %v", h)
		}
	}
	if err := ask("POST", first.URL+"/go?status=307&to="+url.QueryEscape(other.URL+"/a"), strings.NewReader("secret")); !errors.Is(err, ErrBlocked) {
		t.Errorf("a body was sent on to another host: %v", err)
	}
	if err := ask("POST", first.URL+"/go?status=307&to=/a", strings.NewReader("body")); err != nil {
		t.Errorf("a body was not sent on to the same host: %v", err)
	}
}

func TestPinAndPorts(t *testing.T) {
	other := front(t, nil)
	first := front(t, nil)
	pinned := Client(Options{MaxRedirects: 5, Allow: allowFront, Pin: first.Listener.Addr().String()})
	if _, err := get(pinned, first.URL); err != nil {
		t.Errorf("the pinned host is refused: %v", err)
	}
	for _, u := range []string{other.URL, first.URL + "/go?to=" + url.QueryEscape(other.URL), strings.Replace(first.URL, "127.0.0.9", "127.0.0.009", 1)} {
		if _, err := get(pinned, u); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v", u, err)
		}
	}
	port := netip.MustParseAddrPort(first.Listener.Addr().String()).Port()
	ported := Client(Options{Allow: allowFront, Ports: []uint16{port}})
	if _, err := get(ported, first.URL); err != nil {
		t.Errorf("an allowed port is refused: %v", err)
	}
	if _, err := get(ported, other.URL); !errors.Is(err, ErrBlocked) {
		t.Errorf("another port: %v", err)
	}
	for _, u := range []string{"https://example.com", "HTTPS://EXAMPLE.com:443/x"} {
		parsed, _ := url.Parse(u)
		if err := (&Options{Pin: "example.com:443"}).check(parsed); err != nil {
			t.Errorf("%s is not %v", u, err)
		}
	}
}

func TestTheEnvironmentsProxyIsNotAsked(t *testing.T) {
	c := &canary{}
	port := c.listen(t, "127.0.0.1:0")
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:"+port)
	}
	server := front(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "front") })
	text, err := get(Client(Options{Allow: allowFront}), server.URL)
	if err != nil || text != "front" || c.hits.Load() != 0 {
		t.Errorf("%q, %v, %d connections to the proxy", text, err, c.hits.Load())
	}
}

func TestBounds(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 16<<20))
	_ = z.Close()
	hang := make(chan struct{})
	server := front(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/exact":
			_, _ = w.Write(make([]byte, 1000))
		case "/more":
			_, _ = w.Write(make([]byte, 1001))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		case "/headers":
			w.Header().Set("X-Long", strings.Repeat("x", 100<<10))
		case "/cookie":
			w.Header().Set("Set-Cookie", "a=b")
			_, _ = io.WriteString(w, r.Header.Get("Cookie"))
		case "/hang":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-hang
		}
	})
	defer close(hang)
	client := Client(Options{Allow: allowFront, MaxBody: 1000})
	if text, err := get(client, server.URL+"/exact"); err != nil || len(text) != 1000 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	for _, path := range []string{"/more", "/bomb"} {
		if text, err := get(client, server.URL+path); !errors.Is(err, ErrTooLarge) || len(text) != 1000 {
			t.Errorf("%s: %d bytes, %v", path, len(text), err)
		}
	}
	if text, err := get(Client(Options{Allow: allowFront, MaxBody: -1}), server.URL+"/bomb"); err != nil || len(text) != 16<<20 {
		t.Errorf("without a bound: %d bytes, %v", len(text), err)
	}
	if _, err := get(client, server.URL+"/headers"); err == nil {
		t.Error("a header of 100 KiB was read")
	}
	for range 2 {
		if text, err := get(client, server.URL+"/cookie"); err != nil || text != "" {
			t.Errorf("a cookie came back: %q, %v", text, err)
		}
	}
	if _, err := get(Client(Options{Allow: allowFront, Timeout: 50 * time.Millisecond}), server.URL+"/hang"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	pool := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	text, err := get(Client(Options{Allow: netip.Addr.IsLoopback, RootCAs: pool}), server.URL)
	if err != nil || text != "HTTP/2.0" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err = get(Client(Options{Allow: netip.Addr.IsLoopback}), server.URL); err == nil {
		t.Error("a certificate that nobody trusts was accepted")
	}
	if _, err = get(Client(Options{RootCAs: pool}), server.URL); !errors.Is(err, ErrBlocked) {
		t.Errorf("got %v", err)
	}
}

func TestBlockedIsTold(t *testing.T) {
	var told []string
	client := Client(Options{Blocked: func(host, reason string) { told = append(told, host+": "+reason) }})
	for _, u := range []string{"http://127.0.0.1:9/", "http://a:b@example.com/", "ftp://example.com/"} {
		_, _ = get(client, u)
	}
	if len(told) != 3 || !strings.HasPrefix(told[0], "127.0.0.1:9: the host is in a network") {
		t.Errorf("told %q", told)
	}
}
