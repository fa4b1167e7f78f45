package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/widget/widgettest"
)

// TestWidgetInABrowser has a conversation in a real browser, on a hostile page of another origin, with the real server.
func TestWidgetInABrowser(t *testing.T) {
	browser := widgettest.Chromium(t)
	page := widgettest.NewPage(t)
	home, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	s := &scriptServer{}
	t.Cleanup(s.kill)
	if err := s.start("clawless", "serve", data, home, []string{"HOME=" + home, "CLAWLESS_DISCOVER_OLLAMA=false"}); err != nil {
		t.Fatal(err)
	}
	admin, err := os.ReadFile(filepath.Join(data, "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Options{BaseURL: s.url, APIKey: string(admin[:len(admin)-1])})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := c.CreateTenant(ctx, sdk.CreateTenantRequest{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	w, err := c.CreateWidget(ctx, "acme", sdk.CreateWidgetRequest{Origins: []string{page.Origin}})
	if err != nil {
		t.Fatal(err)
	}
	widgettest.Converse(t, browser, page, widgettest.Target{Server: s.url, Key: w.PublishableKey})
}
