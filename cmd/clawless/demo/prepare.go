package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/server"
)

const tenant = "demo"

// kit is what the demo keeps between starts, in demo.json, readable by its owner alone.
type kit struct {
	APIKey         string   `json:"api_key"`
	PublishableKey string   `json:"publishable_key"`
	Origins        []string `json:"origins"`
	Model          string   `json:"-"` // what the tenant gets by default
}

// prepare makes the tenant, its key and its widget where they are missing, through the API like anybody else.
func prepare(ctx context.Context, dir string, s server.Started) (kit, error) {
	path := filepath.Join(dir, "demo.json")
	var k kit
	if b, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(b, &k) // a damaged file is written anew
	}
	admin, err := client.New(client.Options{BaseURL: s.URL, APIKey: s.AdminKey})
	if err != nil {
		return kit{}, err
	}
	before := k.APIKey + k.PublishableKey
	if err := k.ensureKey(ctx, admin, s.URL); err != nil {
		return kit{}, err
	}
	if err := k.ensureWidget(ctx, admin, s.URL); err != nil {
		return kit{}, err
	}
	k.Model = "default"
	if before == k.APIKey+k.PublishableKey {
		return k, nil
	}
	b, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return kit{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return kit{}, fmt.Errorf("keep the demo's keys: %w", err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o600); err != nil {
		return kit{}, fmt.Errorf("keep the demo's keys: %w", err)
	}
	return k, nil
}

func (k *kit) ensureKey(ctx context.Context, admin *client.Client, url string) error {
	if k.APIKey != "" {
		own, err := client.New(client.Options{BaseURL: url, APIKey: k.APIKey})
		if err == nil {
			if _, err = own.GetOwnTenant(ctx); err == nil {
				return nil
			}
		}
	}
	if _, err := admin.GetTenant(ctx, tenant); err != nil {
		if status(err) != 404 {
			return err
		}
		if _, err := admin.CreateTenant(ctx, sdk.CreateTenantRequest{Name: tenant}); err != nil {
			return err
		}
	}
	made, err := admin.CreateTenantKey(ctx, tenant, sdk.CreateKeyRequest{Name: "demo"})
	if err != nil {
		return err
	}
	k.APIKey = made.Key
	return nil
}

// ensureWidget makes a widget for this server's own address, on which its demo page is.
func (k *kit) ensureWidget(ctx context.Context, admin *client.Client, url string) error {
	if k.PublishableKey != "" && slices.Contains(k.Origins, url) {
		own, err := client.New(client.Options{BaseURL: url, APIKey: k.PublishableKey})
		if err == nil {
			if _, err = own.GetWidgetConfig(ctx, &sdk.GetWidgetConfigParams{Origin: url}); err == nil {
				return nil
			}
		}
	}
	k.Origins = []string{url}
	made, err := admin.CreateWidget(ctx, tenant, sdk.CreateWidgetRequest{Name: "demo", Origins: k.Origins, Settings: &sdk.WidgetSettings{Title: "Demo"}})
	if err != nil {
		return err
	}
	k.PublishableKey = made.PublishableKey
	return nil
}

func status(err error) int {
	if e, ok := err.(interface{ HTTPStatus() int }); ok {
		return e.HTTPStatus()
	}
	return 0
}
