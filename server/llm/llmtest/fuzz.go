package llmtest

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/clawless/clawless/server/llm"
)

// canned answers every call with the same bytes, without a network.
type canned struct {
	kind string
	body []byte
	torn bool // the connection is lost after the body
}

// RoundTrip implements http.RoundTripper.
func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	var body io.Reader = bytes.NewReader(c.body)
	if c.torn {
		body = io.MultiReader(body, iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {c.kind}},
		Body: io.NopCloser(body), ContentLength: -1, Request: r}, nil
}

// provider is the driver's with this transport.
func (c *canned) provider(t testing.TB, drv llm.Driver) llm.Provider {
	t.Helper()
	p, err := drv.New(llm.Config{Name: drv.Name, BaseURL: drv.DefaultURL, APIKey: testKey, AccountID: "0123456789abcdef0123456789abcdef", Client: &http.Client{Transport: c}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Fuzz answers a driver's calls with bytes that begin as the vendor's own, and checks that it keeps the promises of llm.Provider whatever they become.
func Fuzz(f *testing.F, drv llm.Driver, fixtures fs.FS) {
	f.Helper()
	names, err := fs.Glob(fixtures, "*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		body, err := fs.ReadFile(fixtures, name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.HasSuffix(name, ".sse"), body)
	}
	transport := &canned{}
	p := transport.provider(f, drv)
	f.Fuzz(func(t *testing.T, stream bool, body []byte) {
		transport.kind, transport.body = "application/json", body
		if stream {
			transport.kind = "text/event-stream"
		}
		Collect(t, p.Stream(t.Context(), request(stream)))
		if e, ok := p.(llm.Embedder); ok && !stream {
			got, err := e.Embed(t.Context(), &llm.EmbedRequest{Model: "a-model", Input: []string{"one", "two"}})
			if (err == nil) != (got != nil) || err != nil && llm.AsError(err) == nil || got != nil && len(got.Vectors) != 2 {
				t.Errorf("got %v, %v", got, err)
			}
		}
	})
}
