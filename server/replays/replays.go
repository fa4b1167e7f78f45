// Package replays remembers answers by Idempotency-Key, so that a repeated request gets the first one's answer instead of doing the work again.
package replays

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// Book is the record of idempotent requests. It implements api.Idempotency.
type Book struct {
	DB  *db.DB
	TTL time.Duration // how long an answer is remembered
}

// The states of a record.
const (
	inFlight = "in_flight"
	bound    = "run" // the answer is a run's
	answered = "answered"
)

// abandoned is when a record whose server died before it answered may be claimed again. No request takes as long.
const abandoned = 16 * time.Minute

// Begin implements api.Idempotency. Two requests that come at once are told apart by the table's primary key.
func (b *Book) Begin(ctx context.Context, c api.Claim) (*api.Answer, error) {
	var found *row
	now := time.Now()
	err := b.DB.Write(ctx, func(q db.Querier) (err error) {
		if err = forget(ctx, q, c, now); err != nil {
			return err
		}
		found, err = claim(ctx, q, c, now, b.TTL)
		return err
	})
	switch {
	case err != nil || found == nil:
		return nil, err
	case found.BodyHash != c.BodyHash:
		return nil, fault.New(fault.IdempotencyMismatch, "this Idempotency-Key was used with another request; use a new key").WithParam("Idempotency-Key")
	case found.State == inFlight:
		return nil, fault.New(fault.IdempotencyInFlight, "the first request with this Idempotency-Key is still being served; repeat this one in a moment").WithRetryAfter(time.Second)
	case found.State == bound:
		return &api.Answer{RunID: string(found.Body)}, nil
	}
	h := http.Header{}
	if err := json.Unmarshal([]byte(found.Headers), &h); err != nil {
		return nil, err
	}
	body, err := unseal(c.Key, found.Body)
	return &api.Answer{Status: found.Status, Header: h, Body: body}, err
}

// Finish implements api.Idempotency.
func (b *Book) Finish(ctx context.Context, c api.Claim, ans *api.Answer) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return b.DB.Write(ctx, func(q db.Querier) error {
		if ans == nil {
			return giveUp(ctx, q, c)
		}
		return finish(ctx, q, c, ans)
	})
}

// Bind says in the transaction that starts a run that the claimed request's answer is this run's: a repeated request attaches to it, whatever happens to this server.
func Bind(ctx context.Context, q db.Querier, c api.Claim, runID string) error {
	return store(ctx, q, c, db.Args{"state": bound, "status": 0, "headers": "{}", "body": []byte(runID)})
}

// Prune drops records whose time is over; it is a periodic job.
func (b *Book) Prune(ctx context.Context) error {
	return b.DB.Write(ctx, func(q db.Querier) error { return prune(ctx, q, time.Now()) })
}
