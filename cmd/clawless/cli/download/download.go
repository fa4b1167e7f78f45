// Package download saves what the server streams byte by byte: exports.
package download

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
)

// Tenant writes what a call with the tenant's key is answered to the file, which is there whole or not at all; without a file, or with -, to Out.
func Tenant(env *cli.Env, file string, call func(*client.Client) error) error {
	return save(env, file, false, call)
}

// Operator is Tenant with the operator's key.
func Operator(env *cli.Env, file string, call func(*client.Client) error) error {
	return save(env, file, true, call)
}

func save(env *cli.Env, file string, admin bool, call func(*client.Client) error) error {
	if file == "" || file == "-" {
		return fetch(env, env.Out, admin, call)
	}
	path := env.Path(file)
	part, err := os.CreateTemp(filepath.Dir(path), ".export-*") // for its owner's eyes only, and so stays the file
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	counted := &counter{to: part}
	err = errors.Join(fetch(env, counted, admin, call), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		_ = os.Remove(part.Name())
		return err
	}
	env.Note("wrote %s (%d bytes)", file, counted.n)
	return nil
}

type counter struct {
	to io.Writer
	n  int64
}

// Write counts what it passes on.
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

func fetch(env *cli.Env, out io.Writer, admin bool, call func(*client.Client) error) error {
	t, err := env.Target()
	if err != nil {
		return err
	}
	key := t.APIKey
	switch {
	case admin && t.AdminKey == "":
		return t.NeedAdminKey()
	case admin:
		key = t.AdminKey
	case key == "":
		return t.NeedAPIKey()
	}
	body := &taker{next: http.DefaultTransport, out: out}
	c, err := client.New(client.Options{BaseURL: t.URL, APIKey: key, UserAgent: "clawless-cli", HTTPClient: &http.Client{Transport: body}})
	if err != nil {
		return err
	}
	if err := call(c); err != nil {
		return err
	}
	return body.err
}

// taker takes the body of a good answer away from the client, which would hold it in memory or throw it away, and gives it an empty object in its place.
type taker struct {
	next http.RoundTripper
	out  io.Writer
	err  error // what went wrong while the body was copied; the client must not see it, because it would try again after half of the output
}

// RoundTrip implements http.RoundTripper.
func (t *taker) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	if _, err := io.Copy(t.out, resp.Body); err != nil {
		t.err = fmt.Errorf("the export is not whole: %w", err)
	}
	_ = resp.Body.Close()
	resp.Header.Set("Content-Type", "application/json")
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
	return resp, nil
}
