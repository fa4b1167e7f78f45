// Package client is the comfortable hand over package sdk: retries, errors with hints, chat as typed events that survive a dropped connection, and conversations.
package client

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/clawless/clawless/sdk"
)

// The values that Options take when they are left out.
const (
	DefaultMaxRetries  = 2
	DefaultMaxResumes  = 8
	DefaultIdleTimeout = 2 * time.Minute
	defaultUserAgent   = "clawless-go"
)

// Options say which server a Client talks to and how patient it is.
type Options struct {
	BaseURL    string       // such as http://127.0.0.1:8787
	APIKey     string       // an admin key, a tenant's key or a visitor's token; empty sends none
	UserAgent  string       // empty takes clawless-go
	HTTPClient *http.Client // nil makes one without a limit on a whole call, which would cut streams

	MaxRetries  int           // of one call that got no answer, or 429, 502, 503 or 504; 0 takes 2, below 0 none
	MaxResumes  int           // reconnections of one streamed turn without a new event between them; 0 takes 8, below 0 none
	IdleTimeout time.Duration // how long a session's stream may be silent before it is taken up on a new connection; 0 takes 2 minutes
}

// Client calls a Clawless server. All operations of sdk.Client are its own; their errors are *Error. It may be used by many goroutines at once, and holds nothing
// that needs closing but idle connections.
type Client struct {
	*sdk.Client
	http       *http.Client
	base       string
	maxResumes int
	idle       time.Duration
	sleep      func(ctx context.Context, d time.Duration) error
}

// New makes a client. It sends nothing; the error says what is wrong with the options and never repeats the key.
func New(o Options) (*Client, error) {
	c := &Client{http: o.HTTPClient, base: o.BaseURL, maxResumes: atLeastNone(o.MaxResumes, DefaultMaxResumes), idle: o.IdleTimeout, sleep: sleep}
	if c.http == nil {
		c.http = &http.Client{Transport: transport()}
	}
	if c.idle <= 0 {
		c.idle = DefaultIdleTimeout
	}
	if o.UserAgent == "" {
		o.UserAgent = defaultUserAgent
	}
	retry := &retrier{next: c.http, max: atLeastNone(o.MaxRetries, DefaultMaxRetries), sleep: func(ctx context.Context, d time.Duration) error { return c.sleep(ctx, d) }}
	inner, err := sdk.New(sdk.Config{BaseURL: o.BaseURL, APIKey: o.APIKey, UserAgent: o.UserAgent, HTTPClient: retry, MapError: c.mapError})
	if err != nil {
		return nil, err
	}
	c.Client = inner
	return c, nil
}

// transport has limits on making a connection, and none on what goes over it: an answer may think for minutes and stream for more.
func transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 15 * time.Second,
		IdleConnTimeout:     90 * time.Second,
		MaxIdleConnsPerHost: 32,
	}
}

// atLeastNone is n, or the default when n is left out, or none when it is negative.
func atLeastNone(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return max(n, 0)
}

// SDK returns the generated client below, whose errors are *Error all the same.
func (c *Client) SDK() *sdk.Client { return c.Client }

// CloseIdle closes the connections that no call uses. The client stays usable.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Cancel stops a run and waits until the server has settled it; the answer shows its final state and what it cost. A finished run stays as it is.
func (c *Client) Cancel(ctx context.Context, runID string) (*sdk.Run, error) {
	return c.CancelRun(ctx, runID)
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
