// Package floor is the least a Go gateway can be, one httputil.ReverseProxy with no key, no log and no ledger, as a floor to measure against.
package floor

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

const maxBody = 32 << 20

type bufferPool struct{ pool sync.Pool }

// Get gives a buffer of 32 KiB.
func (p *bufferPool) Get() []byte { return *p.pool.Get().(*[]byte) }

// Put takes it back.
func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }

// New returns a proxy to one upstream. The request body is read whole before it is forwarded, as every gateway must to see the model's name; it is also what
// makes ReverseProxy safe when an upstream answers before it has read the body.
func New(upstream *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		Transport: &http.Transport{
			MaxIdleConns: 8192, MaxIdleConnsPerHost: 8192, IdleConnTimeout: 90 * time.Second, DisableCompression: true,
		},
		FlushInterval: -1,
		BufferPool:    &bufferPool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}},
	}
	bodies := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := bodies.Get().(*bytes.Buffer)
		b.Reset()
		defer bodies.Put(b)
		if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			http.Error(w, "request body: "+err.Error(), http.StatusBadRequest)
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b.Bytes())), int64(b.Len())
		proxy.ServeHTTP(w, r)
	})
}
