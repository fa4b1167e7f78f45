// Package sdk is the generated Go client of the Clawless API: one method for each operation, streams and pages as iterators.
package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Doer carries out HTTP requests; *http.Client is one. It must not bound a whole call in time, for that would cut streams.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}

// Config says which server a Client talks to, and how.
type Config struct {
	BaseURL    string            // such as http://127.0.0.1:8787; a path below it is kept
	APIKey     string            // sent as Bearer; empty sends none
	UserAgent  string            // empty sends Go's own
	HTTPClient Doer              // nil takes an http.Client as Go makes it
	MapError   func(error) error // turns every error of a call into another, when set
}

// Client calls the API. It may be used by many goroutines at once.
type Client struct {
	base     string
	header   http.Header
	doer     Doer
	mapError func(error) error
}

// New makes a client. It sends nothing; the error says what is wrong with the configuration, and never repeats the key.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("the server's address must look like http://127.0.0.1:8787 or https://host, not %q", shown(cfg.BaseURL))
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the server's address must not hold a user, a query or a fragment")
	}
	c := &Client{base: strings.TrimRight(base.String(), "/"), header: http.Header{}, doer: cfg.HTTPClient, mapError: cfg.MapError}
	if c.doer == nil {
		c.doer = &http.Client{}
	}
	if c.mapError == nil {
		c.mapError = func(err error) error { return err }
	}
	if cfg.APIKey != "" {
		if strings.ContainsFunc(cfg.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, errors.New("the API key holds a blank or a character that no key has; was it copied whole?")
		}
		c.header.Set("Authorization", "Bearer "+cfg.APIKey)
	}
	if cfg.UserAgent != "" {
		c.header.Set("User-Agent", cfg.UserAgent)
	}
	return c, nil
}

// shown is an address, unless it may hold a password.
func shown(address string) string {
	if strings.Contains(address, "@") {
		return "the one given"
	}
	return address
}

// Option changes one call.
type Option func(*settings)

type settings struct {
	edits   []func(*http.Request) error
	header  *http.Header
	eventID *string
}

// WithHeader sends one more header, in place of one of the same name.
func WithHeader(name, value string) Option {
	return WithEditor(func(r *http.Request) error {
		r.Header.Set(name, value)
		return nil
	})
}

// WithIdempotencyKey makes the server carry a POST out once: for 24 hours the same key and body get the first answer again.
func WithIdempotencyKey(key string) Option { return WithHeader("Idempotency-Key", key) }

// WithEditor changes the request before it is sent; an error ends the call.
func WithEditor(edit func(*http.Request) error) Option {
	return func(s *settings) { s.edits = append(s.edits, edit) }
}

// WithResponseHeader fills in the headers of the answer, such as ETag or Clawless-Run-Id, as soon as they are there.
func WithResponseHeader(into *http.Header) Option { return func(s *settings) { s.header = into } }

// WithEventID fills in the id of a stream's event before the event is given out. It stays as it is for streams without ids.
func WithEventID(into *string) Option { return func(s *settings) { s.eventID = into } }

// call is one operation with its arguments.
type call struct {
	method, path  string // path holds {name} for each of args
	args          []string
	query, header []pair
	body          any
}

type pair struct {
	name  string
	value any
}

// text is the value as it is sent; a zero value is empty, and not sent.
func (p pair) text() string {
	switch v := p.value.(type) {
	case string:
		return v
	case int64:
		if v != 0 {
			return fmt.Sprint(v)
		}
		return ""
	case bool:
		if v {
			return "true"
		}
		return ""
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.Format(time.RFC3339Nano)
	default:
		return fmt.Sprint(v)
	}
}

// url fills the arguments into the path. An empty one, or one that would step out of the path, is an error here, because it would reach another operation.
func (c call) url(base string) (string, error) {
	var out strings.Builder
	out.WriteString(base)
	rest := c.path
	for _, arg := range c.args {
		before, after, _ := strings.Cut(rest, "{")
		name, tail, _ := strings.Cut(after, "}")
		if arg == "" || arg == "." || arg == ".." {
			return "", fmt.Errorf("%s: the %s must not be %q", c.path, name, arg)
		}
		out.WriteString(before)
		out.WriteString(url.PathEscape(arg))
		rest = tail
	}
	out.WriteString(rest)
	q := url.Values{}
	for _, p := range c.query {
		if v := p.text(); v != "" {
			q.Set(p.name, v)
		}
	}
	if len(q) > 0 {
		out.WriteString("?" + q.Encode())
	}
	return out.String(), nil
}

func (c *Client) request(ctx context.Context, op call, accept string, s *settings) (*http.Request, error) {
	to, err := op.url(c.base)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if op.body != nil {
		b, err := json.Marshal(op.body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", op.method, op.path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, op.method, to, body)
	if err != nil {
		return nil, err
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", accept)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, p := range op.header {
		if v := p.text(); v != "" {
			req.Header.Set(p.name, v)
		}
	}
	for _, edit := range s.edits {
		if err := edit(req); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// send returns a good answer, whose body the caller closes, or an error.
func (c *Client) send(ctx context.Context, op call, accept string, s *settings) (*http.Response, error) {
	req, err := c.request(ctx, op, accept, s)
	if err != nil {
		return nil, err
	}
	resp, err := c.doer.Do(req)
	if err != nil {
		return nil, err
	}
	if s.header != nil {
		*s.header = resp.Header
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, errorOf(resp)
	}
	return resp, nil
}

func apply(options []Option) *settings {
	s := &settings{}
	for _, o := range options {
		o(s)
	}
	return s
}

// do carries out an operation that answers JSON.
func do[T any](ctx context.Context, c *Client, op call, options []Option) (*T, error) {
	resp, err := c.send(ctx, op, "application/json", apply(options))
	if err != nil {
		return nil, c.mapError(err)
	}
	defer resp.Body.Close()
	var out T
	if err := decode(resp, &out); err != nil {
		return nil, c.mapError(err)
	}
	return &out, nil
}

func decode(resp *http.Response, into any) error {
	if kind := mediaType(resp); kind != "application/json" {
		return notClawless(resp, kind)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return unread(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body) // up to its end, so that the connection is used again
	return nil
}

// run carries out an operation that answers nothing.
func (c *Client) run(ctx context.Context, op call, options []Option) error {
	resp, err := c.send(ctx, op, "application/json", apply(options))
	if err != nil {
		return c.mapError(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return nil
}

// pages goes through all pages of a list.
func pages[T any](cursor string, fetch func(cursor string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for at := cursor; ; {
			items, next, err := fetch(at)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" || next == at {
				return
			}
			at = next
		}
	}
}
