// Package workersai runs models at Cloudflare Workers AI.
package workersai

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
	"github.com/clawless/clawless/server/llm/wire/openaichat"
)

const (
	defaultURL = "https://api.cloudflare.com/client/v4"
	perPage    = 100
	maxPages   = 20
	chatTask   = "Text Generation"
)

// Driver makes providers of Cloudflare accounts. Besides the key, an API token with the permission Workers AI Read, they need the account's id.
var Driver = llm.Driver{
	Name:       "workersai",
	Title:      "Cloudflare Workers AI",
	DefaultURL: defaultURL,
	NeedsKey:   true,
	Env:        []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"},
	AccountEnv: []string{"CLOUDFLARE_ACCOUNT_ID"},
	New:        open,
}

// Provider is one account. It is safe for concurrent use.
type Provider struct {
	*openaichat.Client
	account *wire.Endpoint // https://…/accounts/ID
	listed  bool           // the account's address has a list of models
}

var accountPattern = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`)

func open(cfg llm.Config) (llm.Provider, error) {
	base := strings.TrimRight(cfg.BaseURL, "/")
	if base == "" {
		base = defaultURL
	}
	if cfg.APIKey == "" {
		return nil, errors.New("no API token; set api_key or CLOUDFLARE_API_TOKEN")
	}
	// An address that leads to the dialect already, such as that of an AI Gateway, is taken as it is.
	chat, listed := base, false
	if !strings.HasSuffix(base, "/v1") {
		if !accountPattern.MatchString(cfg.AccountID) {
			return nil, errors.New("account_id must be the Cloudflare account's id, 32 hexadecimal digits; set account_id or CLOUDFLARE_ACCOUNT_ID")
		}
		base += "/accounts/" + cfg.AccountID
		chat, listed = base+"/ai/v1", true
	}
	p := &Provider{listed: listed}
	for _, at := range []struct {
		url string
		set func(*wire.Endpoint)
	}{
		{chat, func(e *wire.Endpoint) {
			p.Client = openaichat.New(e, openaichat.Dialect{NoDeveloper: true, OldMaxTokens: true, PlainContent: true, Prepare: prepare, Think: think, Schema: nativeSchema})
		}},
		{base, func(e *wire.Endpoint) { p.account = e }},
	} {
		e, err := wire.NewEndpoint(cfg, at.url)
		if err != nil {
			return nil, err
		}
		e.Header.Set("Authorization", "Bearer "+cfg.APIKey)
		e.Classify = classify
		cfg.Client = e.Client() // both share the connections
		at.set(e)
	}
	return p, nil
}

// classes are Cloudflare's codes, where they say more than the status.
var classes = map[string]llm.Class{
	"10000": llm.ClassAuth,       // authentication error
	"7000":  llm.ClassAuth,       // no route for that address, and
	"7003":  llm.ClassAuth,       // no such account: the account id is wrong
	"3023":  llm.ClassAuth,       // the account is blocked
	"5016":  llm.ClassAuth,       // the account has not agreed to the model's terms
	"5007":  llm.ClassNotFound,   // no such model, with status 400
	"3042":  llm.ClassNotFound,   // an invalid model id
	"3036":  llm.ClassBilling,    // the daily allocation is used up, with status 429
	"3040":  llm.ClassOverloaded, // out of capacity, with status 429
	"7009":  llm.ClassOverloaded, // upstream service unavailable
	"3007":  llm.ClassTimeout,
	"3008":  llm.ClassTimeout,
}

func classify(_ int, w wire.Words) llm.Class { return classes[w.Code] }

// entry is one model of Cloudflare's catalogue.
type entry struct {
	Name string `json:"name"`
	Task struct {
		Name string `json:"name"`
	} `json:"task"`
	Properties []struct {
		ID    string          `json:"property_id"`
		Value json.RawMessage `json:"value"`
	} `json:"properties"`
}

// Models lists the account's text models from Cloudflare's catalogue, whose other tasks are no chat.
func (p *Provider) Models(ctx context.Context) ([]llm.Model, error) {
	if !p.listed {
		return p.Client.Models(ctx)
	}
	var out []llm.Model
	for page := 1; page <= maxPages; page++ {
		query := url.Values{"task": {chatTask}, "per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}
		body, fail := p.account.Get(ctx, "/ai/models/search?"+query.Encode())
		if fail != nil {
			return nil, fail
		}
		var list struct {
			Success bool    `json:"success"`
			Result  []entry `json:"result"`
		}
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, &llm.Error{Class: llm.ClassBroken, Provider: p.Name(), Message: "the list of models cannot be read", Err: err}
		}
		if !list.Success {
			return nil, p.account.Failure(0, "", body)
		}
		for i := range list.Result {
			if m := &list.Result[i]; m.Task.Name == chatTask && m.Name != "" {
				out = append(out, llm.Model{ID: m.Name, OwnedBy: owner(m.Name), ContextWindow: m.contextWindow()})
			}
		}
		if len(list.Result) < perPage {
			break
		}
	}
	return out, nil
}

// owner is the maker in @cf/maker/model.
func owner(name string) string {
	if parts := strings.Split(name, "/"); len(parts) == 3 {
		return parts[1]
	}
	return "cloudflare"
}

// contextWindow reads the property, which is a number in a string.
func (m *entry) contextWindow() int {
	for _, p := range m.Properties {
		if p.ID == "context_window" {
			n, err := strconv.Atoi(strings.Trim(string(p.Value), `"`))
			if err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}
