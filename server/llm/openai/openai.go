// Package openai runs models at OpenAI, and at every server that speaks its chat dialect when base_url names one.
package openai

import (
	"errors"
	"net/url"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
	"github.com/clawless/clawless/server/llm/wire/openaichat"
)

const defaultURL = "https://api.openai.com/v1"

// Driver makes providers that speak OpenAI's chat dialect. A server at another base_url may need no key.
var Driver = llm.Driver{
	Name:       "openai",
	Title:      "OpenAI and servers that speak its chat dialect",
	DefaultURL: defaultURL,
	NeedsKey:   true,
	Env:        []string{"OPENAI_API_KEY"},
	New:        open,
}

func open(cfg llm.Config) (llm.Provider, error) {
	base := cfg.BaseURL
	if base == "" {
		base = defaultURL
	}
	if cfg.APIKey == "" && base == defaultURL {
		return nil, errors.New("no API key; set api_key or OPENAI_API_KEY")
	}
	e, err := wire.NewEndpoint(cfg, base)
	if err != nil {
		return nil, err
	}
	if cfg.APIKey != "" {
		e.Header.Set("Authorization", "Bearer "+cfg.APIKey)
	}
	own := false
	if u, err := url.Parse(base); err == nil {
		azure := strings.HasSuffix(u.Hostname(), ".azure.com")
		own = azure || strings.HasSuffix(u.Hostname(), ".openai.com")
		if azure && cfg.APIKey != "" {
			e.Header.Set("Api-Key", cfg.APIKey) // Azure's own name for it
		}
	}
	return openaichat.New(e, openaichat.Dialect{NoDeveloper: !own}), nil
}
