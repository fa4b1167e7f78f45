package wire

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire/sse"
)

// The limits of an endpoint.
const (
	defaultFirst  = 10 * time.Minute // models may think that long before the first word
	defaultIdle   = time.Minute
	defaultAnswer = 10 * time.Minute
	maxErrorBody  = 64 << 10
	maxBody       = 32 << 20
	drainLimit    = 50 * time.Millisecond // for the rest of a body whose answer is complete
	graceLimit    = 5 * time.Second       // for usage and the end after the finish reason
)

// Endpoint is one provider's server with all that a call of it needs. It is safe for concurrent use and read-only after New.
type Endpoint struct {
	Provider string
	Base     string      // the base URL without a slash at its end
	Header   http.Header // sent with every call
	Secret   string      // taken out of whatever the provider says
	// Classify gives a failure the class that the vendor's own codes stand for, or "" where the common rules know as much. Nil for none.
	Classify func(status int, w Words) llm.Class

	client *http.Client
	log    *slog.Logger
	first  time.Duration
	idle   time.Duration
	answer time.Duration // zero: first and idle hold for answers in one piece too
}

// NewEndpoint makes an endpoint from a driver's configuration, whose limits it keeps.
func NewEndpoint(cfg llm.Config, base string) (*Endpoint, error) {
	if err := checkBase(base); err != nil {
		return nil, err
	}
	e := &Endpoint{Provider: cfg.Name, Base: strings.TrimRight(base, "/"), Header: http.Header{}, Secret: cfg.APIKey, client: cfg.Client, log: cfg.Log,
		first: cmp.Or(cfg.First, cfg.Idle, defaultFirst), idle: cmp.Or(cfg.Idle, defaultIdle), answer: cfg.Answer}
	if e.client == nil {
		e.client = NewHTTPClient(cfg.Connect)
	}
	if e.answer == 0 && cfg.Idle == 0 {
		e.answer = defaultAnswer
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	e.Header.Set("User-Agent", "clawless")
	return e, nil
}

// Client is what the endpoint sends its calls with; another endpoint of the same server shares its connections through llm.Config.
func (e *Endpoint) Client() *http.Client { return e.client }

// checkBase refuses a base URL that could not work, or that would carry a password into logs.
func checkBase(base string) error {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return errors.New("base_url is not a URL") // the cause would repeat it
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("base_url must begin with http:// or https:// and name a host")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return errors.New("base_url must not have a user, a query or a fragment; the key belongs in api_key")
	}
	return nil
}

// Answer is a response whose body is under way. Close it.
type Answer struct {
	Header http.Header

	e      *Endpoint
	ctx    context.Context // the caller's
	call   context.Context // ours, cancelled by the idle clock
	cancel context.CancelCauseFunc
	body   io.ReadCloser
	idle   *idleReader
	head   []byte // read ahead by IsStream
}

// Post sends a JSON body to Base+path and returns the answer once its headers are there. A status other than 2xx is an error with what the provider said. The
// answer is a stream, which must begin within Config.First and then go on within Config.Idle.
func (e *Endpoint) Post(ctx context.Context, path string, body []byte) (*Answer, *llm.Error) {
	return e.send(ctx, http.MethodPost, path, body, false)
}

// PostWhole is Post where the answer is wanted in one piece, which must be complete within Config.Answer.
func (e *Endpoint) PostWhole(ctx context.Context, path string, body []byte) (*Answer, *llm.Error) {
	return e.send(ctx, http.MethodPost, path, body, true)
}

// Get reads the JSON answer of Base+path, which may have a query, within Config.Answer.
func (e *Endpoint) Get(ctx context.Context, path string) ([]byte, *llm.Error) {
	a, fail := e.send(ctx, http.MethodGet, path, nil, true)
	if fail != nil {
		return nil, fail
	}
	defer a.Close()
	return a.ReadAll()
}

func (e *Endpoint) send(ctx context.Context, method, path string, body []byte, whole bool) (*Answer, *llm.Error) {
	call, cancel := context.WithCancelCause(ctx)
	a := &Answer{e: e, ctx: ctx, call: call, cancel: cancel}
	var src io.Reader
	if body != nil {
		src = bytes.NewReader(body) // lets the transport repeat a call that a closing idle connection never carried
	}
	req, err := http.NewRequestWithContext(call, method, e.Base+path, src)
	if err != nil {
		cancel(nil)
		return nil, &llm.Error{Class: llm.ClassUnreachable, Provider: e.Provider, Message: "the base URL cannot be used", Err: err}
	}
	for k, v := range e.Header {
		req.Header[k] = v
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	a.idle = e.clock(whole, cancel)
	start := time.Now()
	resp, err := e.client.Do(req) //nolint:bodyclose // the Answer owns the body from here on and closes it
	a.idle.pause(start)
	if err != nil {
		fail := a.Fail(err)
		if fail.Class == llm.ClassBroken || fail.Class == llm.ClassTimeout && !errors.Is(fail.Err, errIdle) {
			fail.Class, fail.Message = llm.ClassUnreachable, "" // nothing had come yet, not even a connection
		}
		cancel(nil)
		return nil, fail
	}
	e.log.LogAttrs(ctx, slog.LevelDebug, "a provider answered", slog.String("provider", e.Provider), slog.String("method", method), slog.String("path", path),
		slog.Int("status", resp.StatusCode), slog.Duration("waited", time.Since(start)))
	a.Header, a.body, a.idle.src = resp.Header, resp.Body, resp.Body
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer a.Close()
		return nil, a.refused(resp)
	}
	return a, nil
}

// clock starts the limits of a call.
func (e *Endpoint) clock(whole bool, cancel func(error)) *idleReader {
	if whole && e.answer > 0 {
		return newIdleReader(e.answer, 0, cancel)
	}
	return newIdleReader(e.first, e.idle, cancel)
}

// refused makes the error of a status other than 2xx.
func (a *Answer) refused(resp *http.Response) *llm.Error {
	body, err := io.ReadAll(io.LimitReader(a.idle, maxErrorBody))
	if err != nil && a.ctx.Err() != nil {
		return a.Fail(err)
	}
	fail := a.e.Failure(resp.StatusCode, resp.Header.Get("Content-Type"), body)
	fail.RetryAfter = RetryAfter(resp.Header, time.Now())
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		fail.Class, fail.Message = llm.ClassUnreachable, "the server answers with a redirect elsewhere; set the provider's base_url to its final address"
	}
	return fail
}

// Read reads the body under the idle limit.
func (a *Answer) Read(p []byte) (int, error) {
	if len(a.head) > 0 {
		n := copy(p, a.head)
		a.head = a.head[n:]
		return n, nil
	}
	return a.idle.Read(p)
}

// ReadAll reads the rest of a JSON body, up to 32 MiB.
func (a *Answer) ReadAll() ([]byte, *llm.Error) {
	body, err := io.ReadAll(io.LimitReader(a, maxBody+1))
	if err != nil {
		return nil, a.Fail(err)
	}
	if len(body) > maxBody {
		return nil, a.Broken("the answer is over 32 MiB", nil)
	}
	return body, nil
}

// IsStream reports whether the body is an event stream. Where the content type does not tell, the first byte does: an answer or error in one piece is a JSON object.
func (a *Answer) IsStream() bool {
	switch t, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type")); t {
	case "text/event-stream":
		return true
	case "application/json":
		return false
	}
	var first [512]byte
	n, _ := a.idle.Read(first[:]) // an error comes back with the next read
	a.head = append(a.head, first[:n]...)
	return !bytes.HasPrefix(bytes.TrimLeft(a.head, " \t\r\n"), []byte("{"))
}

// Fail is the failure that a read error stands for.
func (a *Answer) Fail(err error) *llm.Error {
	fail := &llm.Error{Class: llm.ClassBroken, Provider: a.e.Provider, Err: err}
	var timeout interface{ Timeout() bool }
	switch {
	case a.ctx.Err() != nil:
		fail.Class, fail.Err = llm.ClassCanceled, context.Cause(a.ctx)
	case errors.Is(context.Cause(a.call), errIdle):
		fail.Class, fail.Err = llm.ClassTimeout, errIdle
	case errors.Is(err, sse.ErrEventTooLong), errors.Is(err, sse.ErrStreamTooLong):
		fail.Message = err.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		fail.Class = llm.ClassTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		fail.Message = "the stream ended before the answer did"
	}
	return fail
}

// Broken is the failure of an answer that cannot be read.
func (a *Answer) Broken(message string, err error) *llm.Error {
	return &llm.Error{Class: llm.ClassBroken, Provider: a.e.Provider, Message: message, Err: err}
}

// Complete says that the answer is complete and only the end of the stream is missing: waiting for it is not worth more than some seconds.
func (a *Answer) Complete() { a.idle.grace(graceLimit) }

// Drain reads what little is left of a body after its last frame, so that the connection can be used again.
func (a *Answer) Drain() {
	a.idle.grace(drainLimit)
	var rest [512]byte
	for range 8 {
		if _, err := a.idle.Read(rest[:]); err != nil {
			return // at the end, or the connection is lost, which only costs another one
		}
	}
}

// Close ends the call at the provider unless it is over, and frees the connection.
func (a *Answer) Close() {
	a.cancel(nil)
	_ = a.body.Close() // nothing is written, so nothing can be lost
	a.idle.timer.Stop()
}
