// Package quotas keeps spending under a hard cap: tokens are reserved before a call, settled after it, and every total is a sum over an append-only ledger.
package quotas

import (
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// Budget is what a call may use of its tenant's month.
type Budget struct {
	TenantID  string
	RequestID string // names the call: it is settled once, whoever does it
	RunID     string
	Monthly   int64 // tokens; 0 is no limit
	Input     int64 // the estimated tokens of the prompt, on the high side
	Output    int64 // the most that the answer may have, or what it is given at first when the caller names no limit
	Exact     bool  // whether Output is the caller's own limit, which must not be cut down to what is left
}

// Hold is tokens set aside for a call, in the database until it is settled. It has the request's id, so that a killed server's call can be billed by the sweep
// or by itself, and never by both.
type Hold struct {
	ID       string
	TenantID string
	Period   string
	Monthly  int64
	Output   int64 // what the answer may have
}

// Entry is one line of the ledger: a call that was made, whatever came of it.
type Entry struct {
	TenantID  string
	RequestID string
	RunID     string
	SessionID string
	KeyID     string
	EndUser   string
	Provider  string
	Model     string
	Usage     llm.Usage
	Source    Source
	Outcome   string // completed, failed, cancelled, disconnected, interrupted
}

// Source says who counted the tokens.
type Source string

// A provider's own count is the truth; where the stream was cut before it came, or where it cannot be true, what was received is counted here.
const (
	FromProvider Source = "provider"
	Counted      Source = "counted"
)

const (
	smallestAnswer = 64               // tokens; with less left than this a call is refused instead of cut to nothing
	holdLife       = 30 * time.Minute // after which a hold whose server died is given back; no call takes as long
	soon           = 5 * time.Second  // when a reservation of another call may be back
)

// Period is the calendar month, in UTC, to which a call that starts at t is billed.
func Period(t time.Time) string { return t.UTC().Format("2006-01") }

// nextPeriod is how long it is until the month ends.
func nextPeriod(t time.Time) time.Duration {
	t = t.UTC()
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC).Sub(t)
}

// take decides how many tokens of output to hold with used and reserved ones already gone.
func (b Budget) take(used, reserved int64, now time.Time) (output int64, err error) {
	if b.Monthly == 0 {
		return b.Output, nil
	}
	left := b.Monthly - used - reserved - b.Input
	output = b.Output
	if output > left && !b.Exact {
		output = left
	}
	if left >= output && output >= min(smallestAnswer, b.Output) {
		return output, nil
	}
	wait := nextPeriod(now)
	if left+reserved >= min(smallestAnswer, b.Output) {
		wait = soon // what others hold would do
	}
	return 0, fault.New(fault.QuotaExceeded, "this month's budget of %d tokens does not cover the request (%d used, %d reserved); the operator raises it with: clawless tenant update NAME --monthly-tokens N",
		b.Monthly, used, reserved).WithRetryAfter(wait)
}

// Usage is a tenant's month so far.
type Usage struct {
	Period   string
	Used     int64
	Reserved int64
	Requests int64
	Input    int64
	Output   int64
}
