// Package embeddings is the use case of vectors: it admits a call, has its texts embedded and settles what that cost.
package embeddings

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/arrears"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/tenants"
)

// atOnce is how many texts a provider gets in one call: the answer to more would be longer than what is read of one (32 MiB, of which a number takes up to 22 bytes),
// and a failure loses less.
const atOnce = 256

// Models finds models and has texts embedded; the router is one.
type Models interface {
	Resolve(ctx context.Context, model string) (router.Target, error)
	Embed(ctx context.Context, t router.Target, caller string, req *llm.EmbedRequest) (*llm.Embeddings, []router.Attempt, error)
}

// Routes serves embeddings.
type Routes struct {
	DB           *db.DB
	Models       Models
	Tenant       func(ctx context.Context, id string) (tenants.Tenant, error)
	May          func(t tenants.Tenant, id string) error // the fault of a model that the tenant may not use
	PriceVersion func() string                           // of the table that prices are from
	// Enter takes the call in among the work under way: the context ends with the caller, on the operator's or the tenant's word, or when the call has taken too long;
	// leave must be called. It fails when the server takes no more.
	Enter        func(ctx context.Context, t tenants.Tenant, who auth.Principal) (limited context.Context, leave func(), err error)
	Settled      func(quotas.Entry) // told of every ledger line; may be nil
	Debts        *arrears.Arrears
	SettleLimit  time.Duration // how long the store may take to record what was spent, at first; zero: 10 seconds
	WriteTimeout time.Duration // of one piece of an answer to its reader; zero is no limit
	Log          *slog.Logger
}

// call is one admitted call. It is used by one goroutine.
type call struct {
	who       auth.Principal
	tenant    tenants.Tenant
	requestID string
	req       *Request
	target    router.Target
	hold      quotas.Hold

	attempts []router.Attempt
	vectors  [][]float32
	tokens   int64 // that the texts had which a provider has read, whether or not anything came back
	counted  bool  // some of them were counted here
	receipt  dialect.Receipt
}

// ask runs a call from its admission to its ledger line.
func (r Routes) ask(ctx context.Context, req *Request) (*call, error) {
	k, err := r.admit(ctx, req)
	if err != nil {
		return nil, err
	}
	limited, leave, err := r.Enter(ctx, k.tenant, k.who)
	if err != nil {
		return nil, err
	}
	defer leave()
	err = r.DB.WriteSoon(limited, func(q db.Querier) (err error) {
		k.hold, err = quotas.Reserve(limited, q, k.budget(), time.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	err = engine.Internal() // that is how it ends when a driver panics
	defer func() { r.settle(ctx, k, err) }()
	err = r.embed(limited, k)
	k.headers(ctx)
	if k.charged(err) {
		k.receipt = r.paper(k)
		engine.CostHeaders(ctx, k.receipt)
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// admit says who asks, and whether they may have this model.
func (r Routes) admit(ctx context.Context, req *Request) (*call, error) {
	if err := r.Debts.Refuse(); err != nil {
		return nil, err
	}
	k := &call{who: auth.From(ctx), requestID: cmp.Or(api.RequestID(ctx), ids.New(ids.Request)), req: req}
	var err error
	if k.tenant, err = r.Tenant(ctx, k.who.TenantID); err != nil {
		return nil, err
	}
	if k.target, err = r.Models.Resolve(ctx, req.Model); err != nil {
		return nil, err
	}
	if err := r.May(k.tenant, k.target.ID); err != nil {
		return nil, err
	}
	if i := k.target.Info; k.target.Known && !i.Embedding && i.Class != "" { // only models that write text have a class; where the table is unsure the provider knows
		return nil, fault.New(fault.InvalidRequest, "the model %s makes text and no embeddings; GET /v1/models lists those that do (capabilities.embedding)", k.target.ID).WithParam("model")
	}
	return k, nil
}

// measure is how long texts are. Each counts as a message, because models put marks around it.
func measure(texts []string) dialect.Size {
	messages := make([]llm.Message, len(texts))
	for i, text := range texts {
		messages[i].Content = llm.Text(text)
	}
	return dialect.Prompt(messages, nil)
}

// budget is what has to be reserved for the call: the texts, and all of them or none.
func (k *call) budget() quotas.Budget {
	return quotas.Budget{TenantID: k.tenant.ID, RequestID: k.requestID, Monthly: k.tenant.MonthlyTokens(), MonthlyMicros: k.tenant.MonthlyMicros(),
		Price: k.target.Info.Price, Priced: k.target.Known && k.target.Info.Priced, Input: measure(k.req.Input).Ceiling(), Exact: true}
}

// embed has all texts embedded. Its errors are faults.
func (r Routes) embed(ctx context.Context, k *call) error {
	k.vectors = make([][]float32, 0, len(k.req.Input))
	for texts := range slices.Chunk(k.req.Input, atOnce) {
		out, attempts, err := r.Models.Embed(ctx, k.target, k.tenant.ID, &llm.EmbedRequest{Model: k.target.Model, Input: texts, Dimensions: k.req.Dimensions})
		k.attempts = append(k.attempts, attempts...)
		if err != nil {
			if n := len(attempts); n > 0 && attempts[n-1].Err != nil && attempts[n-1].Err.Class == llm.ClassCanceled {
				k.count(texts, nil, r.Log)
			}
			if cause := context.Cause(ctx); cause != nil { // why the call ended matters more than that it did
				return fault.From(cause)
			}
			return router.Fault(err)
		}
		k.count(texts, out.Usage, r.Log)
		if err := k.take(len(texts), out.Vectors); err != nil {
			return err
		}
	}
	return nil
}

// count adds the tokens of texts: the provider's count, or our own where there is none or it cannot be true: no text has no tokens, and none has many more than bytes.
func (k *call) count(texts []string, u *llm.Usage, log *slog.Logger) {
	size := measure(texts)
	if u != nil && u.Input > 0 && u.Input <= 2*size.Bytes+8*size.Ceiling() {
		k.tokens += u.Input
		return
	}
	if u != nil {
		log.Warn("a provider's count of tokens cannot be true; counting for ourselves", "request_id", k.requestID, "provider", k.target.Provider.Name(), "input", u.Input)
	}
	k.tokens += size.Tokens()
	k.counted = true
}

// take takes vectors in after a look at them: drivers answer for their order, and nobody for their size.
func (k *call) take(want int, vectors [][]float32) error {
	odd := func(what string) error {
		return fault.New(fault.ProviderError, "the provider %s sent %s; try again or choose another model", k.target.Provider.Name(), what)
	}
	if len(vectors) != want {
		return odd("another number of vectors than there are texts")
	}
	long := len(vectors[0])
	if len(k.vectors) > 0 {
		long = len(k.vectors[0])
	}
	switch {
	case long == 0 || long > maxDimensions:
		return odd("vectors of a length that cannot be")
	case long*len(k.req.Input) > maxFloats:
		return fault.New(fault.InvalidRequest, "the model's vectors have %d dimensions, and %d of them are more than one answer may have; send at most %d texts at once", long, len(k.req.Input), maxFloats/long).
			WithParam("input")
	}
	for _, v := range vectors {
		if len(v) != long {
			return odd("vectors of different lengths")
		}
		for _, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return odd("vectors with values that are no numbers")
			}
		}
	}
	k.vectors = append(k.vectors, vectors...)
	return nil
}
