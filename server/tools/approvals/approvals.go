// Package approvals lets a tool call wait for somebody's word: asked once, decided once, and good for that tool with those arguments alone.
package approvals

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/tool"
)

// Status is how an approval stands.
type Status string

// The states.
const (
	Waiting  Status = "pending"
	Approved Status = "approved"
	Denied   Status = "denied"
	Expired  Status = "expired"
)

// Approval is a tool call that waits for somebody's word, or has it.
type Approval struct {
	ID        string
	TenantID  string
	RunID     string
	SessionID string
	EndUser   string // who may decide beside the tenant; empty: nobody
	CallID    string // the model's id of the call
	Tool      string
	Arguments json.RawMessage // Ask stores it without credentials
	Digest    string          // of the tool and the arguments as they would be used
	Taints    []tool.Taint
	Status    Status
	DecidedBy string // the id of a key or a visitor
	CreatedAt db.Time
	DecidedAt db.Time
	ExpiresAt db.Time
}

// New returns an approval that waits from now on for so long. It fails when the arguments are not JSON.
func New(c tool.Call, name string, taints []tool.Taint, now time.Time, wait time.Duration) (Approval, error) {
	digest, err := Digest(name, c.Arguments)
	if err != nil {
		return Approval{}, err
	}
	return Approval{ID: ids.New(ids.Approval), TenantID: c.TenantID, RunID: c.RunID, SessionID: c.SessionID, EndUser: c.EndUser, CallID: c.ID, Tool: name, Arguments: c.Arguments,
		Digest: digest, Taints: taints, Status: Waiting, CreatedAt: db.At(now), ExpiresAt: db.At(now.Add(wait))}, nil
}

// Digest names a call of a tool with these arguments, whatever the order of their fields and their white space.
func Digest(name string, arguments json.RawMessage) (string, error) {
	d := json.NewDecoder(bytes.NewReader(arguments))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("arguments of %s: %w", name, err)
	}
	canonical, err := json.Marshal([]any{name, v}) // encoding/json sorts the fields of a map
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// Covers reports whether the approval was given, for exactly this call.
func (a Approval) Covers(name string, arguments json.RawMessage) bool {
	digest, err := Digest(name, arguments)
	return err == nil && a.Status == Approved && subtle.ConstantTimeCompare([]byte(digest), []byte(a.Digest)) == 1
}

// at is the approval as it stands at a time: nobody needs a sweep to see that it expired.
func (a Approval) at(now time.Time) Approval {
	if a.Status == Waiting && !now.Before(a.ExpiresAt.Time) {
		a.Status = Expired
	}
	return a
}

// decidable says why nothing can be decided any more, or nil.
func (a Approval) decidable() error {
	switch a.Status {
	case Waiting:
		return fault.New(fault.Conflict, "the run is over, so nothing waits for this approval any more")
	case Expired:
		return fault.New(fault.Conflict, "this approval has expired; the tool was not run. Ask the assistant again")
	default:
		return fault.New(fault.Conflict, "this approval was %s already", a.Status)
	}
}

func notFound() error { return fault.New(fault.NotFound, "no such approval") }
