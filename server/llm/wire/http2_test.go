package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// TestHTTP2 checks that the client speaks HTTP/2 where the server does, that frames come through one by one and that hanging up is seen.
func TestHTTP2(t *testing.T) {
	next, gone := make(chan struct{}), make(chan struct{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("protocol %s", r.Proto)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		for range 2 {
			_, _ = io.WriteString(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			<-next
		}
		<-r.Context().Done()
		close(gone)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	client := NewHTTPClient(0)
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a, fail := endpoint(t, llm.Config{Client: client}, srv.URL).Post(ctx, "/x", []byte("{}"))
	if fail != nil {
		t.Fatal(fail)
	}
	buf := make([]byte, 100)
	for range 2 {
		if n, err := a.Read(buf); err != nil || string(buf[:n]) != "data: x\n\n" {
			t.Fatalf("%q, %v", buf[:n], err)
		}
		next <- struct{}{}
	}
	cancel()
	if _, err := a.Read(buf); err == nil || a.Fail(err).Class != llm.ClassCanceled {
		t.Errorf("got %v", err)
	}
	a.Close()
	<-gone
}
