// Package engine runs admitted calls: it streams them from the router, watches their bounds and their budget, and settles what they cost.
package engine

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"maps"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/answers"
	"github.com/clawless/clawless/server/chat/arrears"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/judge"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/clean"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/tenants"
)

// Streamer runs a call at the first of its targets that answers; the router is one.
type Streamer interface {
	Stream(ctx context.Context, call *router.Call) iter.Seq2[llm.Chunk, error]
}

// Engine is what calls run on. Its fields are set once.
type Engine struct {
	DB          *db.DB
	Models      Streamer
	Prices      *catalog.Table
	Log         *slog.Logger
	Debts       *arrears.Arrears
	Answers     *answers.Cache
	Settled     func(quotas.Entry) // told of every ledger line; may be nil
	SettleLimit time.Duration      // how long the store may take to record what was spent, at first
	TurnLimit   time.Duration      // of one turn
}

// Call is one admitted call of a model. It is used by one goroutine.
type Call struct {
	Who       auth.Principal
	Tenant    tenants.Tenant
	RequestID string
	SessionID string // empty for a stateless call
	RunID     string // empty for a stateless call
	User      string // the caller's own name of its end user
	Plan      plan.Plan
	Target    router.Target // the one that answers, or the first that is asked
	Req       *llm.Request
	Form      *judge.Form // what the answer must be; nil for any text
	Hold      quotas.Hold
	Limited   bool            // the caller named the most that the answer may have
	Answer    *dialect.Answer // what the reader was shown
	Size      dialect.Size    // of the prompt

	targets  []router.Target  // those that are tried, in order
	attempts []router.Attempt // of all tries
	tries    []string         // why the answers that were thrown away were
	booked   []quotas.Entry   // the lines of the ledger that the call has already: of those, and of the steps that came before this one
	seen     *dialect.Answer  // what came of the try under way; Answer itself unless some of it is held back
	chunks   int64
	stored   string     // under which the answer is kept for the tenant; empty when it is not
	kept     *llm.Chunk // the answer to the same question, given before
	before   llm.Usage  // of the steps that are over
	beside   Spent      // what others have spent for this call
}

// Input is about how many tokens the prompt has.
func (k *Call) Input() int64 { return k.Size.Tokens() }

// Send sets what the provider gets: without the control tokens of chat templates, by which a text could pass for another speaker's.
func (k *Call) Send(messages []llm.Message) {
	messages = clean.Messages(messages)
	k.Req.Messages = messages
	k.Req.Tools = clean.Tools(k.Req.Tools)
	k.Size = dialect.Prompt(messages, k.Req.Tools)
	k.Size.AddParams(k.Req.Params)
}

// Decide sets who may answer.
func (k *Call) Decide(p plan.Plan) {
	k.Plan, k.targets, k.Target = p, p.Targets, p.Targets[0]
	k.Req.Effort = p.Effort
}

// Free reports whether the answer is known already and costs nothing.
func (k *Call) Free() bool { return k.kept != nil }

// Keeps reports whether the whole answer is needed once it is complete.
func (k *Call) Keeps() bool { return k.stored != "" }

// endUser is who a tenant served with the call.
func (k *Call) endUser() string {
	if k.Who.VisitorID != "" {
		return k.Who.VisitorID
	}
	return k.User
}

// AnswerStep is how many tokens are reserved at a time for an answer whose caller names no limit.
const AnswerStep = 8192

// Budget is what has to be reserved for the call, whose caller allows an answer of maxTokens; 0 when it names no limit.
func (k *Call) Budget(maxTokens int64) quotas.Budget {
	b := quotas.Budget{TenantID: k.Tenant.ID, RequestID: k.RequestID, RunID: k.RunID, Monthly: k.Tenant.MonthlyTokens(), MonthlyMicros: k.Tenant.MonthlyMicros(),
		Input: k.Size.Ceiling(), Output: maxTokens, Exact: k.Limited}
	b.Price, b.Priced = dearest(k.targets)
	if !k.Limited {
		b.Output = AnswerStep
	}
	return b
}

// dearest is the price that is reserved for: the dearest of all targets. It is none when one of them has none.
func dearest(targets []router.Target) (p catalog.Price, priced bool) {
	prices := make([]catalog.Price, len(targets))
	for i, t := range targets {
		if !t.Known || !t.Info.Priced {
			return catalog.Price{}, false
		}
		prices[i] = t.Info.Price
	}
	return quotas.Dearest(prices...), true
}

// without copies the parameters but one.
func without(params map[string]json.RawMessage, name string) map[string]json.RawMessage {
	out := maps.Clone(params)
	delete(out, name)
	return out
}
