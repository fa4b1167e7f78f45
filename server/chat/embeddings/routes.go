package embeddings

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
)

type (
	embedIn struct {
		api.Idempotent
		RawBody []byte `contentType:"application/json"`
	}
	embedOut struct{ Body func(huma.Context) }
)

// Register adds the operation.
func (r Routes) Register(a *api.API) {
	op := api.Dialect(huma.Operation{OperationID: "create-embedding", Method: "POST", Path: "/v1/embeddings", Summary: "Turn texts into vectors", Tags: []string{"chat"},
		SkipValidateBody: true, // Read is more liberal than a schema and says more
		Description:      "OpenAI's embeddings. More than 256 texts are sent to the provider in several calls, one after the other.",
		Responses: map[string]*huma.Response{"200": {Description: "The vectors.", Content: map[string]*huma.MediaType{
			"application/json": {Schema: a.Schema(EmbeddingList{}, "EmbeddingList")}}}}})
	api.Handle(a, api.KeyWith(auth.ScopeChat), op, r.create)
	a.BodySchema(op, EmbeddingRequest{}, "EmbeddingRequest")
}

func (r Routes) create(ctx context.Context, in *embedIn) (*embedOut, error) {
	req, err := Read(in.RawBody)
	if err != nil {
		return nil, err
	}
	k, err := r.ask(ctx, req)
	if err != nil {
		return nil, err
	}
	return &embedOut{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		p := &patient{w, http.NewResponseController(w), r.WriteTimeout}
		if k.write(p) == nil { // the connection is the only thing that can fail here
			p.end()
		}
	}}, nil
}

// patient writes with a time limit for each piece, so that a reader who takes nothing cannot keep the vectors in memory.
type patient struct {
	w       http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	if p.limit > 0 {
		if err := p.control.SetWriteDeadline(time.Now().Add(p.limit)); err != nil {
			return 0, err
		}
	}
	return p.w.Write(b)
}

// end sends what is left and takes the limit off the connection, which may serve another request.
func (p *patient) end() {
	if p.limit > 0 {
		_ = p.control.Flush() // a reader that is gone misses nothing
		_ = p.control.SetWriteDeadline(time.Time{})
	}
}
