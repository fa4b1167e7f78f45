package httptool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/clawless/clawless/server/guard"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
)

// Tool is a definition that can be called. It implements tool.Tool.
type Tool struct {
	definition Definition
	address    address
	credential credential.Credential
	client     *http.Client
	before     func(ctx context.Context) error
}

// New makes a tool of a definition that Check found good. client decides which addresses may be reached; its transport is shared, and closed by its owner.
// before is asked ahead of each call, and its error is what the model gets; it may be nil.
func New(d Definition, c credential.Credential, client *http.Client, before func(ctx context.Context) error) (*Tool, error) {
	a, err := parseAddress(d.URL)
	if err != nil {
		return nil, fmt.Errorf("url of tool %s: %w", d.Name, err)
	}
	return &Tool{definition: d, address: a, credential: c, client: c.Client(client, a.host), before: before}, nil
}

// Spec implements tool.Tool.
func (t *Tool) Spec() tool.Spec {
	d := t.definition
	return tool.Spec{Name: d.Name, Description: d.Description, Parameters: d.Parameters, Effect: d.Effect, Source: tool.HTTP, Taints: tool.FromWebhook, Timeout: d.Timeout, MaxResult: d.MaxBytes}
}

// Answer is what an endpoint said.
type Answer struct {
	Status int
	Text   string // for the model
}

// Call implements tool.Tool. Whatever status the endpoint answers is a result: the model reads it.
func (t *Tool) Call(ctx context.Context, c tool.Call) (tool.Result, error) {
	a, err := t.Ask(ctx, c)
	if err != nil {
		return tool.Result{}, err
	}
	return tool.Result{Text: a.Text, Taints: []tool.Taint{{Kind: tool.FromWebhook, Source: t.definition.Name}}}, nil
}

// Ask is Call with the endpoint's status apart.
func (t *Tool) Ask(ctx context.Context, c tool.Call) (Answer, error) {
	if t.before != nil {
		if err := t.before(ctx); err != nil {
			return Answer{}, err
		}
	}
	r, err := t.request(ctx, c)
	if err != nil {
		return Answer{}, err
	}
	res, err := t.client.Do(r)
	if err != nil {
		return Answer{}, t.failure(ctx, err)
	}
	defer res.Body.Close()
	text, err := t.read(res)
	if err != nil {
		return Answer{}, t.failure(ctx, err)
	}
	return Answer{res.StatusCode, t.credential.Scrub(text)}, nil
}

// request puts the arguments where they belong.
func (t *Tool) request(ctx context.Context, c tool.Call) (*http.Request, error) {
	arguments, err := readArguments(c.Arguments)
	if err != nil {
		return nil, err
	}
	path, err := t.address.fill(arguments)
	if err != nil {
		return nil, err
	}
	target := t.address.base + path
	query := t.address.rawQuery
	var body io.Reader
	if t.definition.inQuery() {
		more, err := t.query(arguments)
		if err != nil {
			return nil, err
		}
		query = strings.Trim(query+"&"+more, "&")
	} else {
		b, err := json.Marshal(arguments)
		if err != nil {
			return nil, errors.New("the arguments cannot be sent as JSON")
		}
		body = bytes.NewReader(b)
	}
	if query != "" {
		target += "?" + query
	}
	r, err := http.NewRequestWithContext(ctx, t.definition.Method, target, body)
	if err != nil || credential.HostPort(r.URL) != t.address.host {
		return nil, errors.New("the arguments make no address of this tool's endpoint")
	}
	r.Header.Set("Accept", "application/json, text/*;q=0.9, */*;q=0.1")
	r.Header.Set("User-Agent", "clawless-tool")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if t.definition.Method != http.MethodGet && c.ID != "" {
		r.Header.Set("Idempotency-Key", url.PathEscape(c.RunID)+"/"+url.PathEscape(c.ID))
	}
	return r, nil
}

// query writes the arguments that are not in the path. None may stand beside one of the same name that the tenant fixed.
func (t *Tool) query(arguments map[string]json.RawMessage) (string, error) {
	values := url.Values{}
	for name, raw := range arguments {
		if t.address.query.Has(name) || t.credential.Kind == credential.Query && t.credential.Name == name {
			return "", fmt.Errorf("the argument %s cannot be sent: this tool sets it itself", name)
		}
		list, err := texts(raw)
		if err != nil {
			return "", fmt.Errorf("the argument %s %w", name, err)
		}
		values[name] = list
	}
	return values.Encode(), nil
}

// failure is what went wrong in words for the model. The causes of net/http name the address with its query, so they are told anew.
func (t *Tool) failure(ctx context.Context, err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return fmt.Errorf("the endpoint of %s did not answer in time: %w", t.definition.Name, context.DeadlineExceeded)
	case errors.Is(err, credential.ErrElsewhere), errors.Is(err, guard.ErrBlocked):
		return &Refused{t.definition.Name, err}
	}
	return fmt.Errorf("the endpoint of %s could not be reached: %s", t.definition.Name, kind(err))
}

// Refused says that a request was not sent, or its redirect not followed, because of where it leads.
type Refused struct {
	tool  string
	cause error
}

// Error is safe to show: it names no address.
func (r *Refused) Error() string {
	if errors.Is(r.cause, credential.ErrElsewhere) {
		return r.tool + ": " + credential.ErrElsewhere.Error()
	}
	return r.tool + ": its endpoint is at an address that tools may not reach"
}

// Unwrap gives the cause to errors.Is.
func (r *Refused) Unwrap() error { return r.cause }
