// Package h1 is a small, cheap HTTP/1.1 client for load generation: one keep-alive connection, a prebuilt request, and just enough parsing to time
// a JSON reply or an event stream, at a fraction of the cost of net/http's client, so that what is measured is the server.
package h1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Request is a prebuilt request for one loopback server.
type Request struct {
	Addr   string
	Bytes  []byte
	Stream bool
}

// Build prepares a POST of body to rawURL, which must be on a loopback IP.
func Build(rawURL string, headers map[string]string, body []byte, stream bool) (*Request, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" || !net.ParseIP(u.Hostname()).IsLoopback() {
		return nil, fmt.Errorf("%s: only http:// on a loopback IP is allowed", rawURL)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: loadgen\r\nContent-Type: application/json\r\nContent-Length: %d\r\n",
		u.RequestURI(), u.Host, len(body))
	names := make([]string, 0, len(headers))
	for k := range headers {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		fmt.Fprintf(&b, "%s: %s\r\n", k, headers[k])
	}
	b.WriteString("\r\n")
	b.Write(body)
	return &Request{Addr: u.Host, Bytes: b.Bytes(), Stream: stream}, nil
}

// Result is what one exchange showed.
type Result struct {
	Status int
	First  time.Time // when the first token was read (streams)
	Tokens int       // tokens seen (streams)
	Done   bool      // the stream ended with [DONE], or the reply was whole
	Body   []byte    // start of a body that was not a success
}

// Conn is one keep-alive connection. It is not safe for concurrent use.
type Conn struct {
	addr string
	c    net.Conn
	br   *bufio.Reader
	sse  *bufio.Reader
}

// Dial opens a connection to addr.
func Dial(addr string) (*Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	c, err := dialer.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{addr: addr, c: c, br: bufio.NewReaderSize(c, 4096)}, nil
}

// Close closes the connection.
func (c *Conn) Close() { c.c.Close() }

var (
	tokMark  = []byte(`"content":"tok`)
	doneMark = []byte("[DONE]")
	dataMark = []byte("data:")
)

// Do sends r and reads the whole reply. onLag, if set, gets for each streamed
// token the time from the mock's write to this read. keep is false when the
// connection cannot be used again.
func (c *Conn) Do(r *Request, timeout time.Duration, onLag func(time.Duration)) (res Result, keep bool, err error) {
	if err = c.c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return res, false, err
	}
	if _, err = c.c.Write(r.Bytes); err != nil {
		return res, false, err
	}
	head, err := c.readHead()
	if err != nil {
		return res, false, err
	}
	res.Status = head.status
	var body io.Reader
	switch {
	case head.chunked:
		body = httputil.NewChunkedReader(c.br)
	case head.length >= 0:
		body = io.LimitReader(c.br, head.length)
	default:
		body, head.closing = c.br, true
	}
	if r.Stream && res.Status == 200 {
		err = c.readSSE(body, &res, onLag)
	} else {
		err = readPlain(body, &res, head.length)
	}
	if err != nil {
		return res, false, err
	}
	if head.chunked {
		if err := c.skipTrailer(); err != nil {
			return res, false, err
		}
	}
	return res, !head.closing, nil
}

// head is what the status line and the headers say about the body.
type head struct {
	status           int
	length           int64 // -1 when not given
	chunked, closing bool
}

func (c *Conn) readHead() (h head, err error) {
	h.length = -1
	line, err := c.br.ReadSlice('\n')
	if err != nil {
		return h, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return h, errors.New("not an HTTP/1 status line")
	}
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return h, err
	}
	for {
		line, err = c.br.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return h, nil
		}
		k, v, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(k) == 14 && strings.EqualFold(string(k), "content-length"):
			if h.length, err = strconv.ParseInt(string(bytes.TrimSpace(v)), 10, 64); err != nil {
				return h, err
			}
		case len(k) == 17 && strings.EqualFold(string(k), "transfer-encoding"):
			h.chunked = bytes.Contains(bytes.ToLower(v), []byte("chunked"))
		case len(k) == 10 && strings.EqualFold(string(k), "connection"):
			h.closing = bytes.EqualFold(bytes.TrimSpace(v), []byte("close"))
		}
	}
}

// skipTrailer reads up to the blank line that ends a chunked body's (empty) trailer.
func (c *Conn) skipTrailer() error {
	for {
		line, err := c.br.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return nil
		}
	}
}

func readPlain(body io.Reader, res *Result, length int64) error {
	var scratch [4096]byte
	var n int64
	marked := false
	for {
		k, err := body.Read(scratch[:])
		if n == 0 && res.Status != 200 {
			res.Body = append([]byte(nil), scratch[:min(k, 300)]...)
		}
		marked = marked || bytes.Contains(scratch[:k], tokMark)
		n += int64(k)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	res.Done = marked && (length < 0 || n == length)
	return nil
}

func (c *Conn) readSSE(body io.Reader, res *Result, onLag func(time.Duration)) error {
	if c.sse == nil {
		c.sse = bufio.NewReaderSize(body, 16<<10)
	} else {
		c.sse.Reset(body)
	}
	for {
		line, err := c.sse.ReadSlice('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(line, dataMark) {
			continue
		}
		if i := bytes.Index(line, tokMark); i >= 0 {
			now := time.Now()
			if res.Tokens == 0 {
				res.First = now
			}
			res.Tokens++
			if onLag != nil {
				var ns int64
				for _, d := range line[i+len(tokMark):] {
					if d < '0' || d > '9' {
						break
					}
					ns = ns*10 + int64(d-'0')
				}
				onLag(time.Duration(now.UnixNano() - ns))
			}
		} else if bytes.Contains(line, doneMark) {
			res.Done = true
		}
	}
}
