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

// abandoned is when a record whose server died before it answered may be claimed again.
const abandoned = 15 * time.Minute

// Begin implements api.Idempotency. Two requests that come at once are told apart by the table's primary key.
func (b *Book) Begin(ctx context.Context, c api.Claim) (*api.Answer, error) {
	var found *row
	now := time.Now()
	err := b.DB.Write(ctx, func(q db.Querier) (err error) {
		if err = forget(ctx, q, c, now); err != nil {
			return err
		}
		if found, err = claim(ctx, q, c, now, b.TTL); err != nil {
			return err
		}
		return nil
	})
	switch {
	case err != nil || found == nil:
		return nil, err
	case found.BodyHash != c.BodyHash:
		return nil, fault.New(fault.IdempotencyMismatch, "this Idempotency-Key was used with another request; use a new key").WithParam("Idempotency-Key")
	case found.State == inFlight:
		return nil, fault.New(fault.IdempotencyInFlight, "the first request with this Idempotency-Key is still being served; repeat this one in a moment").WithRetryAfter(time.Second)
	}
	return found.answer()
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

// Prune drops records whose time is over; it is a periodic job.
func (b *Book) Prune(ctx context.Context) error {
	return b.DB.Write(ctx, func(q db.Querier) error { return prune(ctx, q, time.Now()) })
}

func (r row) answer() (*api.Answer, error) {
	if r.State == bound {
		return &api.Answer{RunID: string(r.Body)}, nil
	}
	h := http.Header{}
	if err := json.Unmarshal([]byte(r.Headers), &h); err != nil {
		return nil, err
	}
	return &api.Answer{Status: r.Status, Header: h, Body: r.Body}, nil
}
