// Package ollama runs models on an Ollama server, by default the one on this machine.
package ollama

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
	"github.com/clawless/clawless/server/llm/wire/openaichat"
)

const (
	defaultURL = "http://127.0.0.1:11434/v1"
	probeLimit = 500 * time.Millisecond
)

// Driver makes providers of Ollama servers. They need no key; one that is set is sent, for a server behind a gateway.
var Driver = llm.Driver{
	Name:       "ollama",
	Title:      "Ollama, for models on your own machine",
	DefaultURL: defaultURL,
	Env:        []string{"OLLAMA_API_KEY"},
	New:        open,
}

func open(cfg llm.Config) (llm.Provider, error) {
	base := cfg.BaseURL
	if base == "" {
		base = defaultURL
	}
	base = strings.TrimRight(base, "/")
	if !strings.HasSuffix(base, "/v1") {
		base += "/v1" // Ollama's own tools write the address without it
	}
	e, err := wire.NewEndpoint(cfg, base)
	if err != nil {
		return nil, err
	}
	if cfg.APIKey != "" {
		e.Header.Set("Authorization", "Bearer "+cfg.APIKey)
	}
	return openaichat.New(e, openaichat.Dialect{NoDeveloper: true, OldMaxTokens: true, Prepare: prepare, Think: think}), nil
}

// prepare refuses what Ollama would ignore without a word, and takes the tools away where the caller wants none called.
func prepare(req *llm.Request) (*llm.Request, *llm.Error) {
	if raw, ok := wire.Present(req.Params, "logit_bias"); ok && string(raw) != "{}" {
		return nil, openaichat.Unsupported("logit_bias", "Ollama has no logit_bias; leave it out")
	}
	if raw, ok := wire.Present(req.Params, "parallel_tool_calls"); ok && string(raw) == "false" && len(req.Tools) > 0 {
		return nil, openaichat.Unsupported("parallel_tool_calls", "Ollama cannot be kept from calling several tools at once; leave parallel_tool_calls out or offer one tool")
	}
	if fail := checkImages(req.Messages); fail != nil {
		return nil, fail
	}
	raw, ok := wire.Present(req.Params, "tool_choice")
	if !ok {
		return req, nil
	}
	var word string
	if json.Unmarshal(raw, &word) != nil || word != "auto" && word != "none" {
		return nil, openaichat.Unsupported("tool_choice", "Ollama cannot be made to call a tool; use auto or none")
	}
	own := *req
	own.Params = maps.Clone(req.Params)
	delete(own.Params, "tool_choice")
	if word == "none" {
		own.Tools = nil
	}
	return &own, nil
}

// think writes an effort: Ollama knows no minimal.
func think(model string, e llm.Effort) (string, *llm.Error) {
	if e == llm.EffortMinimal {
		return "", openaichat.NoEffort(model, e, llm.EffortOff, llm.EffortLow, llm.EffortMedium, llm.EffortHigh)
	}
	return openaichat.ReasoningEffort(model, e)
}

// checkImages refuses the addresses of images: Ollama fetches none.
func checkImages(messages []llm.Message) *llm.Error {
	for i := range messages {
		var parts []struct {
			Type  string `json:"type"`
			Image struct {
				URL string `json:"url"`
			} `json:"image_url"`
		}
		if c := messages[i].Content; len(c) == 0 || c[0] != '[' || json.Unmarshal(c, &parts) != nil {
			continue
		}
		for j, p := range parts {
			if p.Type == "image_url" && !strings.HasPrefix(p.Image.URL, "data:") {
				return openaichat.Unsupported(fmt.Sprintf("messages[%d].content[%d].image_url.url", i, j), "Ollama fetches no images; send the image itself as a base64 data URL")
			}
		}
	}
	return nil
}

// Probe reports whether an Ollama server answers at base, or on this machine where base is empty. It takes half a second at most.
func Probe(ctx context.Context, base string) bool {
	if base == "" {
		base = defaultURL
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	e, err := wire.NewEndpoint(llm.Config{Name: "ollama"}, strings.TrimSuffix(strings.TrimRight(base, "/"), "/v1"))
	if err != nil {
		return false
	}
	body, fail := e.Get(ctx, "/api/version")
	var version struct {
		Version string `json:"version"`
	}
	return fail == nil && json.Unmarshal(body, &version) == nil && version.Version != ""
}
