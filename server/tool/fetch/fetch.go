// Package fetch is the built-in tool http_fetch: a page of the open Internet as text for the model.
package fetch

import (
	"context"
	_ "embed" // the description
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/clawless/clawless/server/guard"
	"github.com/clawless/clawless/server/tool"
)

//go:embed fetch.md
var description string

const parameters = `{"type":"object","additionalProperties":false,"required":["url"],"properties":{
	"url":{"type":"string","minLength":1,"maxLength":2048,"description":"Full address, such as https://example.com/page"}}}`

// The bounds of a request.
const (
	timeout   = 20 * time.Second
	redirects = 5
	maxBody   = 2 << 20
)

// Tool is the tool.
type Tool struct{ client *http.Client }

// New returns the tool. Of the options those stay that say what may be reached; time, redirects and sizes are the tool's.
func New(o guard.Options) *Tool {
	o.Timeout, o.MaxRedirects, o.MaxBody, o.Pin = timeout, redirects, -1, ""
	return &Tool{client: guard.Client(o)}
}

// Spec implements tool.Tool. The tool sends: an address can carry away what the model has read.
func (*Tool) Spec() tool.Spec {
	return tool.Spec{Name: "http_fetch", Description: strings.TrimSpace(description), Parameters: json.RawMessage(parameters), Effect: tool.Sends, Source: tool.BuiltIn, Taints: tool.FromWeb,
		Timeout: timeout + 5*time.Second}
}

// Call implements tool.Tool.
func (t *Tool) Call(ctx context.Context, c tool.Call) (tool.Result, error) {
	var in struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal(c.Arguments, &in); err != nil {
		return tool.Result{}, fmt.Errorf("the arguments cannot be read: %w", err)
	}
	address, err := parse(in.URL)
	if err != nil {
		return tool.Result{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return tool.Result{}, errors.New("url: this is no address of a web page")
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (compatible; Clawless; http_fetch)")
	r.Header.Set("Accept", "text/html, application/xhtml+xml, text/markdown, text/plain, application/json, application/xml;q=0.9, */*;q=0.5")
	r.Header.Set("Accept-Language", "en, *;q=0.5")
	res, err := t.client.Do(r)
	if err != nil {
		return tool.Result{}, failure(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return tool.Result{}, failure(err)
	}
	p := page{kind: res.Header.Get("Content-Type"), body: body, address: res.Request.URL}
	if len(body) > maxBody {
		p.body, p.cut = body[:maxBody], true
	}
	if err := p.read(); err != nil {
		return tool.Result{}, fmt.Errorf("the address answers %s, but %w", status(res), err)
	}
	return tool.Result{Text: p.tell(status(res)), Taints: []tool.Taint{{Kind: tool.FromWeb, Source: source(res.Request.URL)}}}, nil
}

// parse reads the address that the model wrote. It may leave out https://.
func parse(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") && !strings.HasPrefix(text, "/") {
		if scheme, _, ok := strings.Cut(text, ":"); !ok || strings.Contains(scheme, ".") {
			text = "https://" + text
		}
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == ""):
		return nil, errors.New("url: this is no address of a web page, such as https://example.com/page")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("url: only http and https addresses can be read")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// source is an address without what may hold secrets.
func source(u *url.URL) string {
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return tool.RedactURL(plain.String())
}

func status(res *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode)))
}

// failure says what went wrong without the addresses that the errors of net hold: a name of a foreign network would tell where it leads.
func failure(err error) error {
	var blocked *guard.BlockedError
	var name *net.DNSError
	var slow net.Error
	switch {
	case errors.As(err, &blocked):
		return fmt.Errorf("the page may not be read: %w", blocked)
	case errors.Is(err, guard.ErrRedirects):
		return fmt.Errorf("the page cannot be read: %w", guard.ErrRedirects)
	case errors.As(err, &name) && !name.IsTimeout:
		return errors.New("the page cannot be read: its host's name is not known")
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("the page cannot be read: it did not answer within %s", timeout)
	case strings.Contains(err.Error(), "certificate"), strings.Contains(err.Error(), "tls: "):
		return errors.New("the page cannot be read: its certificate cannot be trusted")
	}
	return errors.New("the page cannot be read: the connection failed")
}
