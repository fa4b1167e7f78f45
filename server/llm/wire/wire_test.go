package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawless/clawless/server/llm"
)

func endpoint(t *testing.T, cfg llm.Config, base string) *Endpoint {
	t.Helper()
	cfg.Name = "lab"
	e, err := NewEndpoint(cfg, base)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestClassify(t *testing.T) {
	tests := []struct {
		status              int
		code, kind, message string
		want                llm.Class
	}{
		{401, "invalid_api_key", "invalid_request_error", "Incorrect API key", llm.ClassAuth},
		{403, "", "permission_error", "", llm.ClassAuth},
		{402, "", "", "", llm.ClassBilling},
		{429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota", llm.ClassBilling},
		{429, "rate_limit_exceeded", "tokens", "Rate limit reached", llm.ClassRateLimit},
		{429, "", "", "you have used up your daily free allocation of 10,000 neurons", llm.ClassBilling},
		{400, "", "invalid_request_error", "Your credit balance is too low to access the API", llm.ClassBilling},
		{400, "context_length_exceeded", "invalid_request_error", "too long", llm.ClassContext},
		{400, "", "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum", llm.ClassContext},
		{400, "400", "BadRequestError", "This model's maximum context length is 4096 tokens.", llm.ClassContext},
		{400, "", "exceed_context_size_error", "the request exceeds the available context size", llm.ClassContext},
		{413, "", "request_too_large", "Request exceeds the maximum size", llm.ClassInvalid},
		{400, "content_filter", "", "", llm.ClassRefused},
		{400, "", "invalid_request_error", "temperature must be at most 2", llm.ClassInvalid},
		{422, "", "", "", llm.ClassInvalid},
		{404, "model_not_found", "", "", llm.ClassNotFound},
		{400, "model_not_found", "", "", llm.ClassNotFound},
		{500, "context_length_exceeded", "", "", llm.ClassServer},
		{500, "", "overloaded_error", "", llm.ClassOverloaded},
		{503, "", "", "", llm.ClassOverloaded},
		{529, "", "overloaded_error", "Overloaded", llm.ClassOverloaded},
		{502, "", "", "", llm.ClassServer},
		{408, "", "", "", llm.ClassTimeout},
		{409, "", "", "", llm.ClassServer},
		{0, "", "overloaded_error", "Overloaded", llm.ClassOverloaded},
		{0, "", "", "", llm.ClassServer},
		{0, "", "invalid_request_error", "", llm.ClassInvalid},
	}
	for _, tt := range tests {
		if got := Classify(tt.status, tt.code, tt.kind, tt.message); got != tt.want {
			t.Errorf("%d %q %q %q: got %s, want %s", tt.status, tt.code, tt.kind, tt.message, got, tt.want)
		}
	}
}

func TestReadWords(t *testing.T) {
	tests := []struct {
		body string
		want Words
		ok   bool
	}{
		{`{"error":{"message":"m","type":"t","param":"p","code":"c"}}`, Words{Message: "m", Type: "t", Param: "p", Code: "c"}, true},
		{`{"error":{"message":"m","type":"t","param":null,"code":429}}`, Words{Message: "m", Type: "t", Code: "429", Status: 429}, true},
		{`{"error":"m"}`, Words{Message: "m"}, true},
		{`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}`, Words{Message: "Overloaded", Type: "overloaded_error"}, true},
		{`{"result":null,"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[]}`, Words{Message: "Authentication error", Code: "10000"}, true},
		{`[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]`, Words{Message: "m", Type: "INVALID_ARGUMENT", Code: "400", Status: 400}, true},
		{`{"object":"error","message":"m","type":"BadRequestError","code":400}`, Words{Message: "m", Type: "BadRequestError", Code: "400", Status: 400}, true},
		{`{"detail":"Not Found"}`, Words{Message: "Not Found"}, true},
		{`{"error":{"message":{"nested":true},"param":["x"]}}`, Words{}, true},
		{`{"object":"chat.completion","message":"m"}`, Words{Message: "m"}, false},
		{`{}`, Words{}, false},
		{`{"error":null}`, Words{}, false},
		{`<html>`, Words{}, false},
		{``, Words{}, false},
		{`[]`, Words{}, false},
	}
	for _, tt := range tests {
		if got, ok := ReadWords([]byte(tt.body)); got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %+v, %v", tt.body, got, ok)
		}
	}
	if w, _ := ReadWords([]byte(`{"error":"` + strings.Repeat("ü", 1<<20) + `"}`)); len(w.Message) > maxMessage || w.Message == "" {
		t.Errorf("a message of %d bytes was kept", len(w.Message))
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"", 0}, {"2", 2 * time.Second}, {" 2 ", 2 * time.Second}, {"1.5", 1500 * time.Millisecond}, {"0", 0}, {"-1", 0}, {"1e9", time.Hour}, {"999999999999999999999", time.Hour},
		{"NaN", 0}, {"soon", 0}, {"Sun, 01 Jun 2025 12:00:30 GMT", 30 * time.Second}, {"Sun, 01 Jun 2025 11:00:00 GMT", 0}, {"Sun, 01 Jun 2035 11:00:00 GMT", time.Hour},
	}
	for _, tt := range tests {
		if got := RetryAfter(http.Header{"Retry-After": {tt.value}}, now); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.value, got, tt.want)
		}
	}
	if got := RetryAfter(http.Header{"Retry-After-Ms": {"250"}, "Retry-After": {"1"}}, now); got != 250*time.Millisecond {
		t.Errorf("milliseconds: got %v", got)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		class  llm.Class
		words  string
	}{
		{"the key is hidden", 401, nil, `{"error":{"message":"Incorrect API key provided: sk-secret."}}`, llm.ClassAuth, "Incorrect API key provided: [key]."},
		{"HTML is not kept", 502, http.Header{"Content-Type": {"text/html"}}, "<html><h1>internal-host-7 is down</h1>", llm.ClassServer, "no readable error (text/html, 38 bytes)"},
		{"nothing", 503, nil, "", llm.ClassOverloaded, "no readable error (no content type, 0 bytes)"},
		{"a wait", 429, http.Header{"Retry-After": {"7"}}, `{"error":"slow down"}`, llm.ClassRateLimit, "slow down"},
		{"an endless body", 500, nil, strings.Repeat("x", 1<<20), llm.ClassServer, "no readable error (text/plain; charset=utf-8, 65536 bytes)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range tt.header {
					w.Header()[k] = v
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer srv.Close()
			a, fail := endpoint(t, llm.Config{APIKey: "sk-secret"}, srv.URL).Post(t.Context(), "/x", []byte("{}"))
			if a != nil || fail == nil || fail.Class != tt.class || !strings.HasPrefix(fail.Message, strings.TrimSuffix(tt.words, "38 bytes)")) || fail.Status != tt.status {
				t.Fatalf("got %v", fail)
			}
			if tt.header.Get("Retry-After") != "" && fail.RetryAfter != 7*time.Second {
				t.Errorf("wait %v", fail.RetryAfter)
			}
			if strings.Contains(fail.Error(), "secret") || strings.Contains(fail.Error(), "internal-host") {
				t.Errorf("it says %v", fail)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the key went to another host: %v", r.Header) }))
	defer elsewhere.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/fine", http.StatusPermanentRedirect)
		case "/other":
			http.Redirect(w, r, elsewhere.URL, http.StatusPermanentRedirect)
		case "/get":
			http.Redirect(w, r, "/fine", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusPermanentRedirect)
		case "/fine":
			_, _ = io.Copy(w, r.Body)
		}
	}))
	defer srv.Close()
	e := endpoint(t, llm.Config{APIKey: "k"}, srv.URL)
	e.Header.Set("X-Api-Key", "k")
	a, fail := e.Post(t.Context(), "/same", []byte("hello"))
	if fail != nil {
		t.Fatal(fail)
	}
	if body, fail := a.ReadAll(); fail != nil || string(body) != "hello" {
		t.Errorf("same host: %q, %v", body, fail)
	}
	a.Close()
	for _, path := range []string{"/other", "/get", "/loop"} {
		if _, fail := e.Post(t.Context(), path, []byte("hello")); fail == nil || fail.Class != llm.ClassUnreachable {
			t.Errorf("%s: got %v", path, fail)
		}
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, fail := endpoint(t, llm.Config{}, "http://"+addr).Post(t.Context(), "/x", []byte("{}"))
	if fail == nil || fail.Class != llm.ClassUnreachable || fail.Status != 0 {
		t.Errorf("refused: %v", fail)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	defer srv.Close()
	if _, fail = endpoint(t, llm.Config{}, srv.URL).Post(t.Context(), "/x", []byte("{}")); fail == nil || fail.Class != llm.ClassUnreachable {
		t.Errorf("closed before the headers: %v", fail)
	}
}

func TestBadBases(t *testing.T) {
	for _, base := range []string{"", "api.example.com/v1", "ftp://a/b", "http://", "https://user:pass@a/v1", "https://a/v1?key=x", "https://a/v1#x", "://"} {
		if e, err := NewEndpoint(llm.Config{Name: "lab"}, base); err == nil {
			t.Errorf("%q was accepted: %+v", base, e)
		} else if strings.Contains(err.Error(), "pass") && strings.Contains(err.Error(), "user:") || strings.Contains(err.Error(), "key=x") {
			t.Errorf("%q: the error repeats a secret: %v", base, err)
		}
	}
}

func TestCancelBeforeHeaders(t *testing.T) {
	arrived, gone := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(gone)
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("hung up")
	go func() {
		<-arrived
		cancel(why)
	}()
	_, fail := endpoint(t, llm.Config{}, srv.URL).Post(ctx, "/x", []byte("{}"))
	if fail == nil || fail.Class != llm.ClassCanceled || !errors.Is(fail, why) {
		t.Errorf("got %v", fail)
	}
	<-gone
}

// TestIdleClock checks what counts as a sign of life: a line or 4 KiB, but not single bytes, and no time that the reader takes for itself.
func TestIdleClock(t *testing.T) {
	tests := []struct {
		name   string
		pieces []string
		pause  time.Duration // of the source before each piece
		think  time.Duration // of the reader after each piece
		ends   bool
	}{
		{"lines in time", []string{"a\n", "b\n", "c\n", "d\n", "e\n"}, 60 * time.Millisecond, 0, false},
		{"bytes in time without a line", []string{"a", "b", "c", "d", "e"}, 60 * time.Millisecond, 0, true},
		{"a long line in time", []string{strings.Repeat("a", 4096), strings.Repeat("b", 4096), strings.Repeat("c", 4096)}, 60 * time.Millisecond, 0, false},
		{"a slow reader", []string{"a", "b", "c"}, 0, 150 * time.Millisecond, false},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			src := &slowSource{pieces: tt.pieces, pause: tt.pause, stop: make(chan struct{})}
			ended := false
			r := newIdleReader(100*time.Millisecond, 100*time.Millisecond, func(err error) {
				ended = errors.Is(err, errIdle)
				close(src.stop)
			})
			r.src = src
			r.pause(time.Now())
			think := time.NewTimer(tt.think)
			buf := make([]byte, 8192)
			for {
				if _, err := r.Read(buf); err != nil {
					break
				}
				think.Reset(tt.think)
				<-think.C
			}
			if ended != tt.ends {
				t.Errorf("%s: cancelled: %v", tt.name, ended)
			}
		})
	}
}

type slowSource struct {
	pieces []string
	pause  time.Duration
	stop   chan struct{}
}

func (s *slowSource) Read(p []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(s.pause):
	case <-s.stop:
		return 0, errors.New("cancelled")
	}
	n := copy(p, s.pieces[0])
	s.pieces = s.pieces[1:]
	return n, nil
}

func TestProxyOnlyForTLS(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	req := httptest.NewRequest(http.MethodPost, "http://provider.example/v1", nil)
	if u, err := proxyOverTLS(req); u != nil || err != nil {
		t.Errorf("plain http goes through %v, %v", u, err)
	}
}

func TestConfigHidesSecrets(t *testing.T) {
	if s := fmt.Sprintf("%v %+v", llm.Config{Name: "lab", APIKey: "sk-secret"}, llm.Config{Name: "lab", APIKey: "sk-secret"}); strings.Contains(s, "secret") {
		t.Error(s)
	}
}
