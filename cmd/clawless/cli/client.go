package cli

import (
	"context"
	"iter"

	"github.com/clawless/clawless/client"
)

// Admin returns a client with the operator's key of the target.
func (e *Env) Admin() (*client.Client, error) {
	t, err := e.Target()
	if err != nil {
		return nil, err
	}
	if t.AdminKey == "" {
		return nil, t.NeedAdminKey()
	}
	return client.New(client.Options{BaseURL: t.URL, APIKey: t.AdminKey, UserAgent: userAgent})
}

// API returns a client with the tenant's key of the target.
func (e *Env) API() (*client.Client, error) {
	t, err := e.Target()
	if err != nil {
		return nil, err
	}
	if t.APIKey == "" {
		return nil, t.NeedAPIKey()
	}
	return client.New(client.Options{BaseURL: t.URL, APIKey: t.APIKey, UserAgent: userAgent})
}

const userAgent = "clawless-cli"

// Collect reads a list to its end, or to its first limit items; zero is no limit.
func Collect[T any](items iter.Seq2[T, error], limit int) ([]T, error) {
	var out []T
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		out = append(out, item)
		if limit > 0 && len(out) == limit {
			break
		}
	}
	return out, nil
}

// TenantNames lists the names of tenants for the shell's completion; nothing when they cannot be had.
func TenantNames(ctx context.Context, e *Env) []string {
	c, err := e.Admin()
	if err != nil {
		return nil
	}
	const most = 200 // more are no help on a terminal
	list, err := Collect(c.ListTenantsAll(ctx, nil), most)
	if err != nil {
		return nil
	}
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.Name
	}
	return names
}
