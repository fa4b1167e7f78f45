package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	random "math/rand/v2"
	"net/http"
	"time"

	"github.com/clawless/clawless/sdk"
)

const (
	firstWait = 200 * time.Millisecond
	longWait  = 5 * time.Second
	// maxRetryAfter is the longest wait that a server may ask for and get; a longer one is given to the caller as an error, who knows better what to do meanwhile.
	maxRetryAfter = 30 * time.Second
	maxRefusal    = 1 << 20 // bytes of a refusal's body that are read
)

// retrier repeats what can be repeated safely: reading, deleting, and creating under an Idempotency-Key, which it gives to every POST that has none.
type retrier struct {
	next  sdk.Doer
	max   int
	sleep func(ctx context.Context, d time.Duration) error
}

// Do implements sdk.Doer.
func (r *retrier) Do(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost && req.Header.Get("Idempotency-Key") == "" {
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	safe := req.Method != http.MethodPatch && req.Method != http.MethodPut
	for attempt := 0; ; attempt++ {
		resp, err := r.next.Do(req)
		listen(req, resp)
		if !safe || attempt >= r.max || req.Context().Err() != nil {
			return resp, err
		}
		wait, again := verdict(resp, err, attempt)
		if !again {
			return resp, err
		}
		if resp != nil {
			resp.Body.Close()
		}
		if err := r.sleep(req.Context(), wait); err != nil {
			return nil, err
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// verdict says whether the same request may fare better, and when.
func verdict(resp *http.Response, err error, attempt int) (time.Duration, bool) {
	if err != nil {
		var untrusted *tls.CertificateVerificationError
		return backoff(attempt), !errors.As(err, &untrusted)
	}
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	case http.StatusTooManyRequests:
		if refusal(resp) == "quota_exceeded" { // until the month is over
			return 0, false
		}
	case http.StatusConflict:
		if refusal(resp) != "idempotency_in_flight" {
			return 0, false
		}
	default:
		return 0, false
	}
	asked := sdk.RetryAfter(resp.Header, time.Now())
	return max(asked, backoff(attempt)), asked <= maxRetryAfter
}

// refusal reads the code of an error and puts the body back.
func refusal(resp *http.Response) string {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(b))
	var env struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if err != nil || json.Unmarshal(b, &env) != nil {
		return ""
	}
	return env.Error.Code
}

// backoff doubles with each attempt up to a limit; a random half of it keeps many clients from coming back at once.
func backoff(attempt int) time.Duration {
	d := longWait
	if attempt < 8 {
		d = min(longWait, firstWait<<attempt)
	}
	return d/2 + random.N(d/2)
}
