package credential

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// ErrElsewhere says that an endpoint sent a request on to another host.
var ErrElsewhere = errors.New("the endpoint redirects to another host, which is not followed")

const maxRedirects = 5

// Client is base for one host, named as HostPort does: it adds the secret there alone, and follows redirects nowhere else. Its transport is that of base, which keeps
// deciding which addresses may be reached.
func (c Credential) Client(base *http.Client, host string) *http.Client {
	own := *base
	if own.Transport == nil {
		own.Transport = http.DefaultTransport
	}
	own.Transport = &transport{base: own.Transport, credential: c, host: host}
	own.Jar = nil
	own.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		switch {
		case HostPort(r.URL) != host:
			return ErrElsewhere
		case len(via) > maxRedirects:
			return errors.New("the endpoint redirects too often")
		}
		return nil
	}
	return &own
}

// transport adds the credential to requests to its host.
type transport struct {
	base       http.RoundTripper
	credential Credential
	host       string
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if HostPort(r.URL) != t.host {
		return nil, ErrElsewhere
	}
	own := r.Clone(r.Context()) // the caller's request stays free of the secret, and so do errors that name its address
	t.credential.put(own)
	return t.base.RoundTrip(own)
}

// HostPort is where a URL leads: scheme, host in lower case, and port, also where the URL leaves it out.
func HostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// CheckScheme wants https, and lets plain http lead to the addresses that the operator allows, where the way is the operator's own. private may be nil.
func CheckScheme(scheme, hostname string, private func(netip.Addr) bool) error {
	if scheme == "https" {
		return nil
	}
	if addr, err := netip.ParseAddr(hostname); err == nil && scheme == "http" && private != nil && private(addr.Unmap()) {
		return nil
	}
	return fmt.Errorf("must be https; http is for addresses, such as http://10.0.0.7, of the private networks that the operator allows (tools_allow_private)")
}
