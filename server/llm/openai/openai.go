// Package openai runs models at OpenAI, and at every server that speaks its chat dialect when base_url names one.
package openai

import (
	"encoding/json"
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
	if !own {
		return openaichat.New(e, openaichat.Dialect{NoDeveloper: true}), nil
	}
	return openaichat.New(e, openaichat.Dialect{NewMaxTokens: true, Think: think, Schema: nativeSchema}), nil
}

// thoughtless are OpenAI's models that answer without thinking first; all later ones think.
var thoughtless = []string{"gpt-3.5", "gpt-4", "chatgpt-", "gpt-5-chat", "gpt-5.1-chat", "gpt-5.2-chat", "ft:gpt-3.5", "ft:gpt-4"}

// think writes an effort for OpenAI's own models. Which of the words a model that thinks takes differs from one to the next; OpenAI refuses the others with its list.
func think(model string, e llm.Effort) (string, *llm.Error) {
	switch {
	case !hasPrefix(model, thoughtless):
		return openaichat.ReasoningEffort(model, e)
	case e == llm.EffortOff:
		return "", nil // it does not think anyway, and would refuse the word
	}
	return "", openaichat.NoEffort(model, e, llm.EffortOff)
}

// unruly are OpenAI's models that know no schema for an answer.
var unruly = []string{"gpt-3.5", "gpt-4-", "gpt-4o-2024-05-13", "chatgpt-", "o1-mini", "o1-preview", "ft:gpt-3.5", "ft:gpt-4-"}

// nativeSchema reports whether the model can be held to the format; the old ones know JSON as such, but no schema.
func nativeSchema(req *llm.Request) bool {
	if req.Model != "gpt-4" && !hasPrefix(req.Model, unruly) {
		return true
	}
	var f struct {
		Type string `json:"type"`
	}
	return json.Unmarshal(req.Params["response_format"], &f) == nil && f.Type == "json_object" && req.Model != "gpt-4" && !hasPrefix(req.Model, []string{"o1-"})
}

func hasPrefix(model string, list []string) bool {
	for _, p := range list {
		if strings.HasPrefix(model, p) {
			return true
		}
	}
	return false
}
