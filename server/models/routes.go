package models

import (
	"context"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
)

// Routes serves the models in OpenAI's dialect.
type Routes struct {
	Catalogue Catalogue
	// Allowed returns the tenant's rule over full model ids.
	Allowed func(ctx context.Context, tenantID string) (func(id string) bool, error)
	// Health asks every provider how it is, now.
	Health func(ctx context.Context) []router.Health
}

// ProviderBody is how a configured provider is.
type ProviderBody struct {
	Name      string `json:"name"`
	Status    string `json:"status" enum:"ok,failing,unchecked" doc:"unchecked: it has no list of models that could be asked for"`
	Error     string `json:"error,omitempty" doc:"The class of the failure, such as auth or unreachable"`
	Detail    string `json:"detail,omitempty" doc:"What the provider said, without credentials"`
	Models    int    `json:"models" doc:"How many it lists"`
	LatencyMS int64  `json:"latency_ms" doc:"How long it took to list them"`
}

// ProviderListBody is every configured provider.
type ProviderListBody struct {
	Data []ProviderBody `json:"data" nullable:"false"`
}

// ModelBody is one model.
type ModelBody struct {
	ID            string `json:"id" doc:"provider/model, to be sent as model"`
	Object        string `json:"object" enum:"model"`
	Created       int64  `json:"created" doc:"Unix seconds; 0 when the provider does not say"`
	OwnedBy       string `json:"owned_by"`
	ContextWindow int    `json:"context_window,omitempty" doc:"Tokens; absent when unknown"`
}

// ModelListBody is OpenAI's list of models.
type ModelListBody struct {
	Object string      `json:"object" enum:"list"`
	Data   []ModelBody `json:"data" nullable:"false"`
}

type (
	modelPath struct {
		Model string `path:"model" doc:"The model's full id; slashes may be percent-encoded"`
	}
	modelOut  struct{ Body ModelBody }
	listOut   struct{ Body ModelListBody }
	healthOut struct{ Body ProviderListBody }
	none      struct{}
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	may := api.KeyWith(auth.ScopeModels)
	api.Handle(a, may, api.Dialect(huma.Operation{OperationID: "list-models", Method: "GET", Path: "/v1/models", Summary: "List the models this key may call", Tags: []string{"models"}}), r.list)
	api.Handle(a, may, api.Dialect(huma.Operation{OperationID: "get-model", Method: "GET", Path: "/v1/models/{model...}", Summary: "Read one model", Tags: []string{"models"}}), r.get)
	api.Handle(a, api.OperatorOnly(), huma.Operation{OperationID: "list-providers", Method: "GET", Path: "/admin/providers", Summary: "Ask every provider how it is", Tags: []string{"models"}}, r.providers)
}

func (r Routes) providers(ctx context.Context, _ *none) (*healthOut, error) {
	out := ProviderListBody{Data: []ProviderBody{}}
	for _, h := range r.Health(ctx) {
		b := ProviderBody{Name: h.Provider, Status: "ok", Models: h.Models, LatencyMS: h.Latency.Milliseconds()}
		switch {
		case !h.Checked:
			b.Status = "unchecked"
		case h.Err != nil:
			b.Status, b.Error, b.Detail = "failing", string(h.Err.Class), h.Err.Public()
		}
		out.Data = append(out.Data, b)
	}
	return &healthOut{Body: out}, nil
}

func (r Routes) visible(ctx context.Context) ([]llm.Model, error) {
	allowed, err := r.Allowed(ctx, auth.From(ctx).TenantID)
	if err != nil {
		return nil, err
	}
	return Visible(ctx, r.Catalogue, allowed), nil
}

func (r Routes) list(ctx context.Context, _ *none) (*listOut, error) {
	list, err := r.visible(ctx)
	if err != nil {
		return nil, err
	}
	out := ModelListBody{Object: "list", Data: make([]ModelBody, len(list))}
	for i, m := range list {
		out.Data[i] = wire(m)
	}
	return &listOut{Body: out}, nil
}

func (r Routes) get(ctx context.Context, in *modelPath) (*modelOut, error) {
	id, err := url.PathUnescape(in.Model)
	if err != nil {
		id = in.Model
	}
	list, err := r.visible(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		if m.ID == id {
			return &modelOut{Body: wire(m)}, nil
		}
	}
	return nil, fault.New(fault.ModelNotFound, "no such model for this key; GET /v1/models lists them").WithParam("model")
}

func wire(m llm.Model) ModelBody {
	return ModelBody{ID: m.ID, Object: "model", Created: m.Created, OwnedBy: m.OwnedBy, ContextWindow: m.ContextWindow}
}
