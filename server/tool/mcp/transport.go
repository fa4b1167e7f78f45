package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/clawless/clawless/server/guard"
	"github.com/clawless/clawless/server/tool/credential"
)

// maxAnswer is how long one answer, or one event of a stream, may be.
const maxAnswer = 4 << 20

// bounded limits what is read of an answer in one piece, which the SDK reads whole, and how long a leave-taking may take, which nobody waits for.
type bounded struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	end := func() {}
	if r.Method == http.MethodDelete {
		ctx, cancel := context.WithTimeout(r.Context(), farewell)
		r, end = r.WithContext(ctx), cancel
	}
	res, err := b.base.RoundTrip(r)
	if err != nil {
		end()
		return nil, err
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") || r.Method == http.MethodDelete {
		res.Body = &body{ReadCloser: res.Body, left: maxAnswer, end: end}
	}
	return res, nil
}

var errTooLong = errors.New("the answer is too long")

type body struct {
	io.ReadCloser
	left int
	end  func()
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// told says why a server could not be reached, without its address's query or the secret.
func told(err error, e Endpoint) string {
	var name *net.DNSError
	var op *net.OpError
	text := err.Error()
	switch {
	case errors.Is(err, errClosed):
		return errClosed.Error()
	case errors.Is(err, credential.ErrElsewhere):
		return credential.ErrElsewhere.Error()
	case errors.Is(err, guard.ErrBlocked):
		return "its address is in a network that tools may not reach"
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	case errors.As(err, &name):
		return "its host's name is not known"
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection"
	case strings.Contains(text, errTooLong.Error()):
		return errTooLong.Error()
	case strings.Contains(text, "certificate"), strings.Contains(text, "tls:"):
		return "its certificate cannot be trusted"
	case strings.Contains(text, http.StatusText(http.StatusTooManyRequests)), strings.Contains(text, http.StatusText(http.StatusServiceUnavailable)),
		strings.Contains(text, http.StatusText(http.StatusInternalServerError)), strings.Contains(text, http.StatusText(http.StatusBadGateway)),
		strings.Contains(text, http.StatusText(http.StatusGatewayTimeout)):
		return "it is overloaded or fails"
	case strings.Contains(text, http.StatusText(http.StatusUnauthorized)), strings.Contains(text, http.StatusText(http.StatusForbidden)):
		return "it wants other credentials"
	case strings.Contains(text, "unsupported protocol version"):
		return "it speaks no version of the protocol that this server knows"
	}
	return fmt.Sprintf("%s is no MCP endpoint for streamable HTTP, or closed the connection", e.Credential.Scrub(hostOf(e.URL)))
}
