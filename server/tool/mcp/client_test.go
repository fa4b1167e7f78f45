package mcp

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/clawless/clawless/server/guard"
)

// testClient reaches loopback, and nothing else that is not public.
func testClient(t *testing.T) *http.Client {
	t.Helper()
	c := guard.Client(guard.Options{Timeout: -1, MaxBody: -1, Allow: func(a netip.Addr) bool { return a.IsLoopback() }})
	t.Cleanup(c.CloseIdleConnections)
	return c
}
