package guard

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// errClosed is what the dialer gets; the transport makes a BlockedError with the host's name of it.
var errClosed = fmt.Errorf("dial: %w", ErrBlocked)

// control decides about a connection. The address is the one that the next system call connects to.
func (o *Options) control(network, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" || !o.allows(a.Addr()) {
		return errClosed
	}
	return nil
}

// transport checks every request on its way, those of redirects too, and bounds what comes back.
type transport struct {
	base    *http.Transport
	options Options
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.options.check(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // as every RoundTripper must; nothing was written to it
		}
		return nil, err
	}
	res, err := t.base.RoundTrip(r)
	if errors.Is(err, ErrBlocked) {
		return nil, t.options.refuse(r.URL.Host, "the host is in a network that may not be reached from here")
	}
	if err != nil {
		return nil, err
	}
	if t.options.MaxBody > 0 {
		res.Body = &capped{body: res.Body, left: t.options.MaxBody}
	}
	return res, nil
}

// CloseIdleConnections lets http.Client reach the one below.
func (t *transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// check holds what can be told from a URL against the options. The address behind it is checked when it is dialled.
func (o *Options) check(u *url.URL) error {
	host := u.Host
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return o.refuse(host, "only http and https may be asked")
	case u.Opaque != "" || u.Hostname() == "":
		return o.refuse(host, "the address names no host")
	case u.User != nil:
		return o.refuse(host, "the address must not hold a name or a password")
	case strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`\%@#?/`, r) }):
		return o.refuse(host, "the address has signs in its host that belong in none")
	}
	port, err := strconv.ParseUint(portOf(u), 10, 16)
	switch {
	case err != nil || port == 0:
		return o.refuse(host, "the address has no port that can be asked")
	case len(o.Ports) > 0 && !slices.Contains(o.Ports, uint16(port)):
		return o.refuse(host, "the port may not be asked")
	case o.Pin != "" && !strings.EqualFold(net.JoinHostPort(u.Hostname(), portOf(u)), o.Pin):
		return o.refuse(host, "the address is on another host than the one that may be asked")
	}
	return nil
}

func portOf(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// origin is what a credential belongs to.
func origin(u *url.URL) string {
	return u.Scheme + "://" + strings.ToLower(net.JoinHostPort(u.Hostname(), portOf(u)))
}

// harmless are the headers that may go to another host than the one they were meant for.
var harmless = map[string]bool{"Accept": true, "Accept-Language": true, "User-Agent": true, "Content-Type": true}

// redirect is the CheckRedirect of the client. The transport checks the new address again.
func (o *Options) redirect(r *http.Request, via []*http.Request) error {
	switch {
	case o.MaxRedirects <= 0:
		return http.ErrUseLastResponse
	case len(via) > o.MaxRedirects:
		return fmt.Errorf("%w (more than %d times)", ErrRedirects, o.MaxRedirects)
	}
	first := origin(via[0].URL)
	strange := origin(r.URL) != first
	for _, v := range via { // who left once could be sent back with what a stranger put into the address
		strange = strange || origin(v.URL) != first
	}
	if !strange {
		return nil
	}
	if r.Body != nil && r.Body != http.NoBody {
		return o.refuse(r.URL.Host, "it sends the request's body on to another host")
	}
	for name := range r.Header {
		if !harmless[name] {
			delete(r.Header, name) // as it is written: Del would miss one that is not in its canonical form
		}
	}
	return nil
}

// capped ends the reading of a body that is too large.
type capped struct {
	body io.ReadCloser
	left int64 // -1 once there was more
}

// Read implements io.Reader.
func (c *capped) Read(p []byte) (int, error) {
	if c.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.body.Read(p)
	if int64(n) > c.left {
		n, c.left = int(c.left), -1
		return n, ErrTooLarge
	}
	c.left -= int64(n)
	return n, err
}

// Close implements io.Closer.
func (c *capped) Close() error { return c.body.Close() }
