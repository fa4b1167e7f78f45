// Package guard is the HTTP client for addresses that tenants, models and strangers choose: whatever a URL says, it connects to the open Internet alone.
package guard

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Options say what a client may do. The zero value is the strictest: the open Internet, no redirects.
type Options struct {
	Timeout      time.Duration         // of a request with its redirects and its body; zero takes DefaultTimeout, a negative one sets none
	MaxRedirects int                   // that are followed; zero returns the redirect itself as the answer
	Allow        func(netip.Addr) bool // addresses beside the public ones that may be reached; nil: none
	Pin          string                // the one host:port that may be asked, by the first request and by redirects; empty: any
	Ports        []uint16              // the ports that may be asked; empty: any

	MaxHeader int64 // bytes of an answer's header; zero takes DefaultHeader
	MaxBody   int64 // bytes of an answer's body, unpacked, beyond which reading it is ErrTooLarge; zero takes DefaultBody, a negative one sets none

	Resolver *net.Resolver  // nil takes the system's
	RootCAs  *x509.CertPool // nil takes the system's

	// Blocked is told of each request that is refused, with the host as it was asked for: hash it before it goes to a log. It may be nil.
	Blocked func(host, reason string)
}

// The bounds of a client that sets none.
const (
	DefaultTimeout = 30 * time.Second
	DefaultHeader  = 64 << 10
	DefaultBody    = 8 << 20
)

const (
	dialTimeout = 10 * time.Second
	idleTimeout = 30 * time.Second
	maxIdle     = 64
)

// ErrBlocked is in the chain of the error of every request that is refused because of where it leads.
var ErrBlocked = errors.New("the address may not be reached from here")

// ErrTooLarge ends the reading of a body that is larger than MaxBody.
var ErrTooLarge = errors.New("the answer is larger than allowed")

// ErrRedirects is in the chain of the error of a request that is sent on more than MaxRedirects times.
var ErrRedirects = errors.New("it redirects too often")

// BlockedError says why a request was refused. Its text names no address that a name led to: who chooses names would read a foreign network from it.
type BlockedError struct {
	Host   string // as it was asked for
	Reason string // in words that may be shown
}

// Error implements error.
func (e *BlockedError) Error() string { return e.Reason }

// Is makes the error ErrBlocked.
func (e *BlockedError) Is(target error) bool { return target == ErrBlocked }

// Client returns a client that decides about each connection when it is made, on the address that is about to be dialled: what a name led to before, how the URL writes
// it and who sent the request on do not count. It asks over http and https alone, takes no proxy from the environment, keeps no cookies, and forgets on the way to another
// host every header that could hold a credential. The client may be used by many goroutines; CloseIdleConnections ends what it keeps open.
func Client(o Options) *http.Client {
	switch {
	case o.Timeout == 0:
		o.Timeout = DefaultTimeout
	case o.Timeout < 0:
		o.Timeout = 0
	}
	if o.MaxHeader <= 0 {
		o.MaxHeader = DefaultHeader
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultBody
	}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: idleTimeout, Resolver: o.Resolver, Control: o.control}
	base := &http.Transport{
		Proxy:                  nil, // one from the environment would be asked instead of the address, and decide in its own way
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		MaxResponseHeaderBytes: o.MaxHeader,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        idleTimeout,
		ForceAttemptHTTP2:      true,
	}
	return &http.Client{Transport: &transport{base: base, options: o}, CheckRedirect: o.redirect, Timeout: o.Timeout}
}

func (o *Options) refuse(host, reason string) error {
	if o.Blocked != nil {
		o.Blocked(host, reason)
	}
	return &BlockedError{Host: host, Reason: reason}
}

// allows reports whether an address may be dialled.
func (o *Options) allows(a netip.Addr) bool {
	if o.Allow != nil && o.Allow(a.WithZone("").Unmap()) {
		return true
	}
	return Public(a) && !isOwn(a.Unmap())
}
