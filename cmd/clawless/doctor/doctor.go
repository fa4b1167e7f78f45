// Package doctor is `clawless doctor`: it looks at the settings, the server, your keys and the model providers and says what to do about what is wrong.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// New returns the command.
func New(env *cli.Env) *cobra.Command {
	o := options{env: env}
	return cli.Verb{
		Use:     "doctor",
		Short:   "Check the settings, the server, your keys and the model providers",
		Long:    "Check the settings, the server, your keys and the model providers. It changes nothing, and exits with 1 when something needs attention.",
		Example: "clawless doctor\nclawless doctor -o json",
		Run:     func(ctx context.Context, _ []string) error { return o.run(ctx) },
	}.Command()
}

// check is the result of looking at one thing.
type check struct {
	Name   string `json:"check"`
	Status string `json:"status"` // ok, skipped or failed
	Detail string `json:"detail"`
	Try    string `json:"try,omitempty"`
}

const (
	ok      = "ok"
	skipped = "skipped"
	failed  = "failed"
)

var view = cli.View[check]{
	ID: func(c check) string { return c.Name },
	Columns: []cli.Column[check]{
		{Head: "CHECK", Cell: func(c check) any { return c.Name }},
		{Head: "STATUS", Cell: func(c check) any { return c.Status }},
		{Head: "DETAIL", Cell: func(c check) any { return c.Detail }},
		{Head: "TRY", Cell: func(c check) any { return c.Try }},
	},
}

type options struct{ env *cli.Env }

func (o options) run(ctx context.Context) error {
	checks := []check{{"version", ok, "clawless " + o.env.Version, ""}, o.settings()}
	target, err := o.env.Target()
	if err != nil {
		checks = append(checks, failure("profile", err))
		return o.report(checks)
	}
	reach := o.server(ctx, target.URL)
	checks = append(checks, reach)
	if reach.Status == ok {
		checks = append(checks, o.adminKey(ctx, target), o.apiKey(ctx, target))
		checks = append(checks, o.providers(ctx, target)...)
	}
	return o.report(checks)
}

func (o options) report(checks []check) error {
	if err := view.List(o.env.Printer(), checks); err != nil {
		return err
	}
	for _, c := range checks {
		if c.Status == failed {
			return cli.ErrSilent
		}
	}
	return nil
}

func failure(name string, err error) check {
	c := check{Name: name, Status: failed, Detail: err.Error()}
	var api cli.APIError
	var own *cli.Error
	switch {
	case errors.As(err, &api):
		c.Try = api.Hint()
	case errors.As(err, &own):
		c.Try = own.Try
	}
	return c
}

func (o options) settings() check {
	loaded, err := o.env.LoadSettings(nil)
	if err != nil {
		c := failure("settings", err)
		c.Try = "clawless config validate"
		return c
	}
	from := "no file, so defaults and variables"
	if loaded.File != "" {
		from = loaded.File
	}
	return check{"settings", ok, from, ""}
}

// server asks the readiness probe, which needs no key.
func (o options) server(ctx context.Context, url string) check {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return failure("server", err)
	}
	start := o.env.Now()
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return check{"server", failed, "no answer from " + url, "clawless serve"}
	}
	defer func() { _ = resp.Body.Close() }()
	var body struct{ Status, Reason string }
	if json.NewDecoder(resp.Body).Decode(&body) != nil || body.Status == "" {
		return check{"server", failed, url + " answers, but not as clawless does", "check --url"}
	}
	if resp.StatusCode != http.StatusOK {
		return check{"server", failed, url + " is not ready: " + body.Status + " " + body.Reason, "look at the server's log"}
	}
	return check{"server", ok, fmt.Sprintf("%s is ready (%s)", url, o.env.Now().Sub(start).Round(time.Millisecond)), ""}
}

func (o options) adminKey(ctx context.Context, t cli.Target) check {
	if t.AdminKey == "" {
		return check{"admin key", skipped, "none is known for this server; operators need one", "clawless login"}
	}
	c, err := client.New(client.Options{BaseURL: t.URL, APIKey: t.AdminKey})
	if err != nil {
		return failure("admin key", err)
	}
	if _, err := c.ListTenants(ctx, &sdk.ListTenantsParams{Limit: 1}); err != nil {
		return failure("admin key", err)
	}
	return check{"admin key", ok, "accepted", ""}
}

func (o options) apiKey(ctx context.Context, t cli.Target) check {
	if t.APIKey == "" {
		return check{"API key", skipped, "none is known for this server; chat and sessions need one", "clawless key create --tenant NAME, then clawless login"}
	}
	c, err := client.New(client.Options{BaseURL: t.URL, APIKey: t.APIKey})
	if err != nil {
		return failure("API key", err)
	}
	tenant, err := c.GetOwnTenant(ctx)
	if err != nil {
		return failure("API key", err)
	}
	return check{"API key", ok, "accepted, tenant " + tenant.Name, ""}
}

func (o options) providers(ctx context.Context, t cli.Target) []check {
	if t.AdminKey == "" {
		return []check{{"providers", skipped, "only the operator's key can ask", ""}}
	}
	c, err := client.New(client.Options{BaseURL: t.URL, APIKey: t.AdminKey})
	if err != nil {
		return []check{failure("providers", err)}
	}
	list, err := c.ListProviders(ctx)
	if err != nil {
		return []check{failure("providers", err)}
	}
	var out []check
	for _, p := range list.Data {
		one := check{"provider " + p.Name, ok, fmt.Sprintf("%d models", p.Models), ""}
		switch p.Status {
		case "unchecked":
			one.Detail = "cannot list its models; the first call will tell"
		case "failing":
			one.Status, one.Detail, one.Try = failed, p.Error+": "+p.Detail, advice(p.Error, p.Name)
		}
		out = append(out, one)
	}
	return out
}

// advice is the next step for a class of a provider's failure.
func advice(class, name string) string {
	switch class {
	case "auth":
		return "check the key: clawless config show --origin"
	case "billing":
		return "look at the account at " + name
	case "unreachable", "timeout":
		return "check providers." + name + ".base_url and that the server runs"
	}
	return "look at the server's log"
}
