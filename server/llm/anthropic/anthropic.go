// Package anthropic runs models at Anthropic through its native Messages API.
package anthropic

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

const (
	defaultURL = "https://api.anthropic.com"
	version    = "2023-06-01"
	maxPages   = 20
)

// Driver makes providers that speak Anthropic's Messages API.
var Driver = llm.Driver{
	Name:       "anthropic",
	Title:      "Anthropic",
	DefaultURL: defaultURL,
	NeedsKey:   true,
	Env:        []string{"ANTHROPIC_API_KEY"},
	New:        open,
}

// Provider is one account at Anthropic, or a server that speaks its dialect. It is safe for concurrent use.
type Provider struct{ e *wire.Endpoint }

func open(cfg llm.Config) (llm.Provider, error) {
	base := strings.TrimSuffix(strings.TrimRight(cfg.BaseURL, "/"), "/v1")
	if base == "" {
		base = defaultURL
	}
	if cfg.APIKey == "" && base == defaultURL {
		return nil, errors.New("no API key; set api_key or ANTHROPIC_API_KEY")
	}
	e, err := wire.NewEndpoint(cfg, base)
	if err != nil {
		return nil, err
	}
	e.Header.Set("Anthropic-Version", version)
	if cfg.APIKey != "" {
		e.Header.Set("X-Api-Key", cfg.APIKey)
	}
	return &Provider{e: e}, nil
}

// Name is the provider's name in model ids.
func (p *Provider) Name() string { return p.e.Provider }

// Stream makes the call and yields its answer as llm.Provider promises. What Anthropic has no word for is refused before anything is sent.
func (p *Provider) Stream(ctx context.Context, req *llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		body, fail := encode(req)
		if fail != nil {
			fail.Provider = p.e.Provider
			yield(llm.Chunk{}, fail)
			return
		}
		post := p.e.Post
		if !req.Stream {
			post = p.e.PostWhole
		}
		a, fail := post(ctx, "/v1/messages", body)
		if fail != nil {
			yield(llm.Chunk{}, fail)
			return
		}
		defer a.Close()
		d := &decoder{e: p.e}
		if a.IsStream() {
			fail = d.stream(a, yield)
		} else {
			fail = d.whole(a, yield)
		}
		if fail != nil {
			yield(llm.Chunk{}, fail)
		}
	}
}

// Models lists the models of the account, page by page.
func (p *Provider) Models(ctx context.Context) ([]llm.Model, error) {
	var out []llm.Model
	query := url.Values{"limit": {"1000"}}
	for range maxPages {
		body, fail := p.e.Get(ctx, "/v1/models?"+query.Encode())
		if fail != nil {
			return nil, fail
		}
		var page struct {
			Data []struct {
				ID      string    `json:"id"`
				Created time.Time `json:"created_at"`
			} `json:"data"`
			HasMore bool   `json:"has_more"`
			LastID  string `json:"last_id"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, &llm.Error{Class: llm.ClassBroken, Provider: p.e.Provider, Message: "the list of models cannot be read", Err: err}
		}
		for _, m := range page.Data {
			out = append(out, llm.Model{ID: m.ID, OwnedBy: "anthropic", Created: max(m.Created.Unix(), 0)})
		}
		if !page.HasMore || page.LastID == "" {
			break
		}
		query.Set("after_id", page.LastID)
	}
	return out, nil
}
