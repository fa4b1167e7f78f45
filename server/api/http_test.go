package api

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
)

type everybody struct{}

func (everybody) Authenticate(context.Context, string, string) (auth.Principal, error) {
	return auth.Principal{Kind: auth.Key, TenantID: "ten_1", KeyID: "key_1", Scopes: auth.Scopes}, nil
}

// oneBook is a book of one record.
type oneBook struct{ stored *Answer }

func (b *oneBook) Begin(context.Context, Claim) (*Answer, error) { return b.stored, nil }
func (b *oneBook) Finish(_ context.Context, _ Claim, a *Answer) error {
	b.stored = a
	return nil
}

type (
	noteIn struct {
		Idempotent
		Body struct {
			Text string `json:"text"`
		}
	}
	noteOut struct {
		Body struct {
			Text string `json:"text"`
		}
	}
)

func serve(t *testing.T, o Options, fn func(context.Context, *noteIn) (*noteOut, error)) string {
	t.Helper()
	o.Auth = everybody{}
	a := New(o)
	Handle(a, KeyWith(auth.ScopeChat), huma.Operation{OperationID: "note", Method: "POST", Path: "/note"}, fn)
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestLongWorkAfterTheBody: the limit for the body is not one for the answer, also when the body was read ahead for an Idempotency-Key.
func TestLongWorkAfterTheBody(t *testing.T) {
	const limit = 100 * time.Millisecond
	url := serve(t, Options{BodyTimeout: limit, Idempotency: &oneBook{}}, func(ctx context.Context, in *noteIn) (*noteOut, error) {
		long := time.NewTimer(4 * limit)
		defer long.Stop()
		select {
		case <-long.C:
		case <-ctx.Done():
			return nil, fault.New(fault.Internal, "the connection ended: %v", context.Cause(ctx))
		}
		out := &noteOut{}
		out.Body.Text = in.Body.Text
		return out, nil
	})
	for _, key := range []string{"", "k"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", url+"/note", strings.NewReader(`{"text":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer x")
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if res.Body.Close(); res.StatusCode != 200 || string(b) != "{\"text\":\"x\"}\n" {
			t.Errorf("key %q: %d %s %v", key, res.StatusCode, b, err)
		}
	}
}

// TestSlowBody: a body that does not arrive in time is the caller's failure, 408.
func TestSlowBody(t *testing.T) {
	url := serve(t, Options{BodyTimeout: 100 * time.Millisecond, Idempotency: &oneBook{}}, func(context.Context, *noteIn) (*noteOut, error) { return &noteOut{}, nil })
	for _, key := range []string{"", "Idempotency-Key: k\r\n"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST /note HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n%sContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", key); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		b := make([]byte, 4096)
		n, err := conn.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), "HTTP/1.1 408 ") {
			t.Errorf("%q: %v %s", key, err, b[:n])
		}
	}
}

// TestPanic: a handler that panics is a 500 with the envelope, and an Idempotency-Key that came with it is free again.
func TestPanic(t *testing.T) {
	book := &oneBook{stored: nil}
	url := serve(t, Options{Idempotency: book}, func(context.Context, *noteIn) (*noteOut, error) { panic("kaboom") })
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), "POST", url+"/note", strings.NewReader(`{"text":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer x")
		req.Header.Set("Idempotency-Key", "k")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		if res.Body.Close(); res.StatusCode != 500 || !strings.Contains(string(b), `"code":"internal_error"`) || strings.Contains(string(b), "kaboom") || book.stored != nil {
			t.Errorf("%d %s, stored %v", res.StatusCode, b, book.stored)
		}
	}
}

// TestCredential: the two headers, alone and together.
func TestCredential(t *testing.T) {
	for _, c := range []struct{ auth, key, want string }{
		{"Bearer a", "", "a"}, {"bearer   a ", "", "a"}, {"", "a", "a"}, {"Bearer a", "a", "a"}, {"Bearer a", "b", ""}, {"Basic a", "", ""}, {"Bearer", "", ""}, {"Bearer ", "", ""}, {"", "", ""},
		{"a", "", ""}, {"Bearer a,Bearer b", "", ""}, {"Bearer \x00", "", ""},
	} {
		got, err := Credential(c.auth, c.key)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q and %q: %q, %v", c.auth, c.key, got, err)
		}
	}
}
