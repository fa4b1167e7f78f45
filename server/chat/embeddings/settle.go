package embeddings

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/chat/arrears"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/quotas"
)

// settleLimit is how long the store may take at first, where Routes does not say.
const settleLimit = 10 * time.Second

// ownFaults are the ends of a call that are about what its caller wrote.
var ownFaults = []fault.Code{fault.ContextTooLong, fault.ContentRefused, fault.InvalidRequest, fault.UnsupportedParam}

// charged reports whether a call that ended with the fault costs anything: all that was answered, and what a provider had read by the time that the call was given up
// on our side, or that a later text was refused: whoever puts an impossible text behind a thousand good ones must not have those made for nothing, time and again.
// A call that the provider failed is the provider's affair, and its caller has nothing of it.
func (k *call) charged(cause error) bool {
	switch {
	case cause == nil:
		return true
	case k.tokens == 0:
		return false
	}
	return engine.Stopped(cause) || fault.Is(cause, fault.Canceled) || isOwn(cause)
}

func isOwn(cause error) bool {
	return slices.ContainsFunc(ownFaults, func(c fault.Code) bool { return fault.Is(cause, c) })
}

// settle writes the ledger's line under a context that outlives the caller. The texts were embedded already, so a store that fails now makes a debt and no error.
func (r Routes) settle(ctx context.Context, k *call, cause error) {
	now, charged := time.Now(), k.charged(cause)
	e := r.entry(k, cause)
	write := func(ctx context.Context, q db.Querier) error {
		if !charged {
			return quotas.GiveBack(ctx, q, k.hold)
		}
		booked, err := quotas.Settle(ctx, q, k.hold, e, now)
		if err == nil && booked && r.Settled != nil {
			r.Settled(e)
		}
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(r.SettleLimit, settleLimit))
	defer cancel()
	if err := r.DB.Write(ctx, func(q db.Querier) error { return write(ctx, q) }); err != nil {
		r.Log.Error("usage not recorded", "request_id", k.requestID, "tenant", k.tenant.ID, "error", err.Error())
		r.Debts.Add(arrears.Debt{What: "usage", RequestID: k.requestID, Write: write}, err)
	}
}

func (r Routes) entry(k *call, cause error) quotas.Entry {
	e := quotas.Entry{TenantID: k.tenant.ID, RequestID: k.requestID, KeyID: k.who.KeyID, EndUser: k.req.User, Provider: k.target.Provider.Name(), Model: k.target.ID,
		Usage: llm.Usage{Input: k.tokens}, Source: quotas.FromProvider, Outcome: "completed"}
	if k.counted {
		e.Source = quotas.Counted
	}
	switch {
	case cause == nil:
	case engine.Stopped(cause):
		e.Outcome = "cancelled"
	case isOwn(cause):
		e.Outcome = "failed"
	default:
		e.Outcome = "disconnected"
	}
	if cost, ok := k.cost(); ok {
		e.Micros, e.PriceVersion = cost, r.PriceVersion()
	}
	return e
}

// cost is what the tokens cost, in micro-dollars; false when nobody knows.
func (k *call) cost() (int64, bool) {
	if !k.target.Known || !k.target.Info.Priced {
		return 0, false
	}
	return k.target.Info.Price.Cost(llm.Usage{Input: k.tokens}), true
}

// paper is the receipt of the finished call.
func (r Routes) paper(k *call) dialect.Receipt {
	p := dialect.Receipt{Model: k.target.ID, Asked: k.req.Model, Tokens: &dialect.Tokens{Input: k.tokens}}
	for _, a := range k.attempts {
		p.Attempts = append(p.Attempts, engine.AttemptOf(a))
	}
	cost, known := k.cost()
	if p.PriceUnknown = !known; known {
		p.CostMicros, p.PriceVersion = &cost, r.PriceVersion()
	}
	return p
}

// headers tells what is known of a call whether or not it failed.
func (k *call) headers(ctx context.Context) {
	api.SetHeader(ctx, "Clawless-Model", k.target.ID)
	if n := len(k.attempts); n > 0 {
		api.SetHeader(ctx, "Clawless-Attempts", strconv.Itoa(n))
	}
}
