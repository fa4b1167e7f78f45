package models

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/router"
)

// Routes serves the models in OpenAI's dialect.
type Routes struct {
	Catalogue Catalogue
	// Allowed returns the tenant's rule over full model ids.
	Allowed func(ctx context.Context, tenantID string) (func(id string) bool, error)
	// Lookup says what the table of prices and abilities knows of a model or another name of it. Nil: nothing.
	Lookup func(id string) (catalog.Info, bool)
	// Version names that table. Nil: it has no name.
	Version func() string
	// Auto reports whether the model auto means anything for the tenant. Nil: it does not.
	Auto func(ctx context.Context, tenantID string) bool
	// Default returns the full id of the model, or auto, that answers the tenant when its requests say default; empty when nothing does. Nil: default is not listed.
	Default func(ctx context.Context, tenantID string) string
	// Health asks every provider how it is, now.
	Health func(ctx context.Context) []router.Health
}

// ModelBody is one model: OpenAI's four fields, and what is known of it.
type ModelBody struct {
	ID            string                 `json:"id" doc:"provider/model, to be sent as model"`
	Object        string                 `json:"object" enum:"model"`
	Created       int64                  `json:"created" doc:"Unix seconds; 0 when the provider does not say"`
	OwnedBy       string                 `json:"owned_by"`
	Class         string                 `json:"class,omitempty" enum:"small,medium,large" doc:"How capable it is, roughly; absent when unknown"`
	ContextWindow int64                  `json:"context_window,omitempty" doc:"Tokens; absent when unknown"`
	MaxOutput     int64                  `json:"max_output_tokens,omitempty" doc:"Absent when unknown"`
	Pricing       *ModelPricingBody      `json:"pricing,omitempty" doc:"Absent when unknown"`
	PriceVersion  string                 `json:"price_version,omitempty" doc:"Of the price table; absent when the price is unknown"`
	Capabilities  *ModelCapabilitiesBody `json:"capabilities,omitempty" doc:"Absent when unknown"`
}

// ModelPricingBody is what a model costs.
type ModelPricingBody struct {
	Input      int64 `json:"input" doc:"Micro-dollars per million tokens"`
	Output     int64 `json:"output" doc:"Micro-dollars per million tokens, those of thinking included"`
	CacheRead  int64 `json:"cache_read" doc:"Micro-dollars per million tokens of input that the provider had cached"`
	CacheWrite int64 `json:"cache_write" doc:"Micro-dollars per million tokens of input that it cached"`
}

// ModelCapabilitiesBody is what a model can do.
type ModelCapabilitiesBody struct {
	Tools      bool     `json:"tools" doc:"It calls functions"`
	Vision     bool     `json:"vision" doc:"It takes images"`
	JSONSchema bool     `json:"json_schema" doc:"It keeps to a JSON schema by itself"`
	Embedding  bool     `json:"embedding" doc:"It makes vectors and no text: POST /v1/embeddings"`
	Thinking   []string `json:"thinking" nullable:"false" doc:"The levels of reasoning_effort that it has; empty when it has none"`
}

// ModelListBody is OpenAI's list of models.
type ModelListBody struct {
	Object string      `json:"object" enum:"list"`
	Data   []ModelBody `json:"data" nullable:"false" doc:"By id, with auto among them when the server can choose for you"`
}

type (
	modelPath struct {
		Model string `path:"model" doc:"The model's full id; slashes may be percent-encoded"`
	}
	modelOut struct{ Body ModelBody }
	listOut  struct{ Body ModelListBody }
	none     struct{}
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	may := api.KeyWith(auth.ScopeModels)
	api.Handle(a, may, api.Dialect(huma.Operation{OperationID: "list-models", Method: "GET", Path: "/v1/models", Summary: "List the models this key may call", Tags: []string{"models"}}), r.list)
	api.Handle(a, may, api.Dialect(huma.Operation{OperationID: "get-model", Method: "GET", Path: "/v1/models/{model...}", Summary: "Read one model", Tags: []string{"models"}}), r.get)
	api.Handle(a, api.OperatorOnly(), huma.Operation{OperationID: "list-providers", Method: "GET", Path: "/admin/providers", Summary: "Ask every provider how it is", Tags: []string{"models"}}, r.providers)
}

// nameOfDefault is what a request says for the tenant's default model.
const nameOfDefault = "default"

// visible are the models that the caller may use, by id.
func (r Routes) visible(ctx context.Context) ([]ModelBody, error) {
	tenant := auth.From(ctx).TenantID
	allowed, err := r.Allowed(ctx, tenant)
	if err != nil {
		return nil, err
	}
	list := Visible(ctx, r.Catalogue, allowed)
	out := make([]ModelBody, 0, len(list)+2)
	for _, m := range list {
		if m.ID == policy.Auto || m.ID == nameOfDefault { // an operator's own name does not hide them
			continue
		}
		out = append(out, r.wire(m))
	}
	if r.Auto != nil && r.Auto(ctx, tenant) {
		out = with(out, ModelBody{ID: policy.Auto})
	}
	if r.Default != nil {
		if id := r.Default(ctx, tenant); id != "" {
			out = with(out, r.standIn(out, id))
		}
	}
	return out, nil
}

// with puts one of our own names in its place among the models.
func with(list []ModelBody, m ModelBody) []ModelBody {
	m.Object, m.Created, m.OwnedBy = "model", 0, "clawless"
	at, _ := slices.BinarySearchFunc(list, m.ID, func(m ModelBody, id string) int { return strings.Compare(m.ID, id) })
	return slices.Insert(list, at, m)
}

// standIn is default with what is known of the model behind it, which may be one that its provider does not list.
func (r Routes) standIn(list []ModelBody, id string) ModelBody {
	m := r.wire(llm.Model{ID: id})
	if at := slices.IndexFunc(list, func(m ModelBody) bool { return m.ID == id }); at >= 0 {
		m = list[at]
	}
	m.ID = nameOfDefault
	return m
}

func (r Routes) list(ctx context.Context, _ *none) (*listOut, error) {
	list, err := r.visible(ctx)
	if err != nil {
		return nil, err
	}
	return &listOut{Body: ModelListBody{Object: "list", Data: list}}, nil
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
			return &modelOut{Body: m}, nil
		}
	}
	return nil, fault.New(fault.ModelNotFound, "no such model for this key; GET /v1/models lists them").WithParam("model")
}

// wire is a model as it is told. Of the window the table's word goes first, because the choice of models goes by it too.
func (r Routes) wire(m llm.Model) ModelBody {
	out := ModelBody{ID: m.ID, Object: "model", Created: m.Created, OwnedBy: m.OwnedBy, ContextWindow: int64(m.ContextWindow)}
	if r.Lookup == nil {
		return out
	}
	info, known := r.Lookup(m.ID)
	if !known {
		return out
	}
	out.Class, out.MaxOutput = string(info.Class), info.MaxOutput
	if info.ContextWindow > 0 {
		out.ContextWindow = info.ContextWindow
	}
	if info.Priced {
		p := info.Price
		out.Pricing = &ModelPricingBody{Input: p.Input, Output: p.Output, CacheRead: p.CacheRead, CacheWrite: p.CacheWrite}
		if r.Version != nil {
			out.PriceVersion = r.Version()
		}
	}
	out.Capabilities = &ModelCapabilitiesBody{Tools: info.Tools, Vision: info.Vision, JSONSchema: info.Schema, Embedding: info.Embedding, Thinking: make([]string, len(info.Efforts))}
	for i, e := range info.Efforts {
		out.Capabilities.Thinking[i] = string(e)
	}
	return out
}
