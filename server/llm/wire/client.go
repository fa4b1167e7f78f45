// Package wire is the HTTP part that all providers share: warm connections, limits on silence and size, and failures turned into the classes of llm.
package wire

import (
	"net"
	"net/http"
	"net/url"
	"time"
)

// The limits of a connection. Those of a call are its Endpoint's.
const (
	dialLimit = 10 * time.Second // for the connection, and as much again for TLS
	idleConn  = 90 * time.Second
	perHost   = 1024 // idle connections kept; as many streams as that may end at once and start again
	maxHops   = 3
)

// NewHTTPClient returns a client with a connection pool of its own, meant for one provider and for as long as the process lives. It has no overall time limit,
// speaks HTTP/2 where the server does, goes through the proxy of the environment only where TLS hides the key from it, asks for no compression (which would hold
// back the frames of a stream) and follows a redirect only on the same host and with the same method, so that a key never reaches another one.
// Connecting may take connect, and TLS as long again; zero is ten seconds.
func NewHTTPClient(connect time.Duration) *http.Client {
	if connect <= 0 {
		connect = dialLimit
	}
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	return &http.Client{
		CheckRedirect: sameHost,
		Transport: &http.Transport{
			Proxy:               proxyOverTLS,
			DialContext:         dialer.DialContext,
			TLSHandshakeTimeout: connect,
			IdleConnTimeout:     idleConn,
			MaxIdleConns:        0, // no limit over all hosts: a provider has one
			MaxIdleConnsPerHost: perHost,
			DisableCompression:  true,
			ForceAttemptHTTP2:   true,
			HTTP2:               &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		},
	}
}

// sameHost refuses redirects that would carry the key elsewhere or turn a POST into a GET; the redirect itself is then the answer, and an error.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > maxHops || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme || req.Method != first.Method {
		return http.ErrUseLastResponse
	}
	return nil
}

// proxyOverTLS is the environment's proxy for https addresses: it sees a tunnel and no key. Plain http goes straight to the server.
func proxyOverTLS(req *http.Request) (*url.URL, error) {
	if req.URL.Scheme != "https" {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}
