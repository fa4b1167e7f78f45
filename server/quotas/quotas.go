// Package quotas keeps spending under a hard cap: tokens are reserved before a call, settled after it, and every total is a sum over an append-only ledger.
package quotas

import (
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// Budget is what a call may use of its tenant's month.
type Budget struct {
	TenantID string
	Monthly  int64 // tokens; 0 is no limit
	Input    int64 // the estimated tokens of the prompt, on the high side
	Output   int64 // the most that the answer may have, or that it is given when the caller names no limit
	Exact    bool  // whether Output is the caller's own limit, which must not be cut down to what is left
}

// Hold is tokens set aside for a call. The zero Hold is that of a tenant without a limit.
type Hold struct {
	ID       string
	TenantID string
	Period   string
	Tokens   int64
	Output   int64 // what the answer may have; the call is stopped there
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
	Outcome   string // completed, failed, cancelled, disconnected
}

// Source says who counted the tokens.
type Source string

// A provider's own count is the truth; where the stream was cut before it came, what was received is counted here.
const (
	FromProvider Source = "provider"
	Counted      Source = "counted"
)

const (
	smallestAnswer = 64               // tokens; with less left than this a call is refused instead of cut to nothing
	holdLife       = 30 * time.Minute // after which a hold whose server died is given back
)

// Period is the calendar month, in UTC, to which a call that starts at t is billed.
func Period(t time.Time) string { return t.UTC().Format("2006-01") }

// take decides how many tokens to hold with used and reserved ones already gone.
func (b Budget) take(used, reserved int64) (output int64, err error) {
	left := b.Monthly - used - reserved - b.Input
	output = b.Output
	if output > left && !b.Exact {
		output = left
	}
	if left < output || output < min(smallestAnswer, b.Output) {
		return 0, fault.New(fault.QuotaExceeded, "this month's budget of %d tokens does not cover the request (%d used, %d reserved); the operator raises it with: clawless tenant update NAME --monthly-tokens N",
			b.Monthly, used, reserved)
	}
	return output, nil
}

// Usage is a tenant's month so far.
type Usage struct {
	Period   string
	Used     int64
	Reserved int64
	Requests int64
	Input    int64
	Output   int64
	Since    db.Time
}
