// Package quotas keeps spending under two hard caps, tokens and money: both are reserved before a call, settled after it, and every total is a sum over an append-only ledger.
package quotas

import (
	"time"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
)

// Budget is what a call may use of its tenant's month. Money is in micro-dollars.
type Budget struct {
	TenantID      string
	RequestID     string // names the call: it is settled once, whoever does it
	RunID         string
	Monthly       int64         // tokens; 0 is no limit
	MonthlyMicros int64         // 0 is no limit
	Price         catalog.Price // of the dearest model that may answer; see Dearest
	Priced        bool          // Price is known; a call under a cap of money needs it
	Input         int64         // the estimated tokens of the prompt, on the high side
	Output        int64         // the most that the answer may have, or what it is given at first when the caller names no limit
	Exact         bool          // whether Output is the caller's own limit, which must not be cut down to what is left
}

// Hold is tokens and money set aside for a call, in the database until it is settled. It has the request's id, so that a killed server's call can be billed by the
// sweep or by itself, and never by both.
type Hold struct {
	ID            string
	TenantID      string
	Period        string
	Monthly       int64
	MonthlyMicros int64
	Price         catalog.Price // zero when it is unknown
	Output        int64         // tokens that the answer may have
}

// Entry is one line of the ledger: a call that was made, whatever came of it.
type Entry struct {
	TenantID     string
	RequestID    string
	RunID        string
	SessionID    string
	KeyID        string
	EndUser      string
	Provider     string
	Model        string
	Usage        llm.Usage
	Micros       int64  // what it cost
	PriceVersion string // of the table that Micros is from; empty when the price is unknown
	Source       Source
	Outcome      string // completed, failed, cancelled, disconnected, interrupted
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

// Usage is a tenant's month so far.
type Usage struct {
	Period         string
	Used           int64 // tokens
	Reserved       int64 // tokens
	UsedMicros     int64
	ReservedMicros int64
	Requests       int64
	Unpriced       int64 // requests whose price was unknown, which cost nothing here
	Input          int64
	Output         int64
}

// ModelUsage is what one model was used for in a month.
type ModelUsage struct {
	Model    string `db:"model"`
	Requests int64  `db:"requests"`
	Input    int64  `db:"input"`
	Output   int64  `db:"output"`
	Micros   int64  `db:"micros"`
	Unpriced int64  `db:"unpriced"`
}

// TenantUsage is one tenant's part of a month, by the ledger. A deleted tenant has lines and no name.
type TenantUsage struct {
	TenantID string `db:"tenant_id"`
	Name     string `db:"name"`
	Requests int64  `db:"requests"`
	Input    int64  `db:"input"`
	Output   int64  `db:"output"`
	Micros   int64  `db:"micros"`
	Unpriced int64  `db:"unpriced"`
}
