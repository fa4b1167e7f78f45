package approvals

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/tools/executions"
)

// maxArguments is what people are shown of a call's arguments: more than is kept of a call that is over, because they decide by it.
const maxArguments = 64 << 10

const columns = `id, tenant_id, run_id, session_id, COALESCE(end_user, '') AS end_user, call_id, tool, arguments, digest, taint, status,
	COALESCE(decided_by, '') AS decided_by, created_at, decided_at, expires_at`

var (
	insert = db.Scoped("approvals.insert", `INSERT INTO approvals (tenant_id, id, run_id, session_id, end_user, call_id, tool, arguments, digest, taint, status, created_at, expires_at)
		VALUES (:tenant_id, :id, :run_id, :session_id, :end_user, :call_id, :tool, :arguments, :digest, :taint, 'pending', :created_at, :expires_at)`)
	get   = db.Scoped("approvals.get", `SELECT `+columns+` FROM approvals WHERE tenant_id = :tenant_id AND id = :id AND run_id = :run_id AND (:owner = '' OR end_user = :owner)`)
	ofRun = db.Scoped("approvals.of_run", `SELECT `+columns+` FROM approvals WHERE tenant_id = :tenant_id AND run_id = :run_id AND (:owner = '' OR end_user = :owner)
		ORDER BY created_at, id LIMIT :limit`)
	pending = db.Scoped("approvals.pending", `SELECT `+columns+` FROM approvals WHERE tenant_id = :tenant_id AND run_id = :run_id AND status = 'pending' AND expires_at > :now
		ORDER BY created_at, id LIMIT :limit`)
	// One decision wins: the others find no row that waits.
	decide = db.Scoped("approvals.decide", `UPDATE approvals SET status = :status, decided_by = :by, decided_at = :now
		WHERE tenant_id = :tenant_id AND id = :id AND run_id = :run_id AND (:owner = '' OR end_user = :owner) AND status = 'pending' AND expires_at > :now
		AND EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = :tenant_id AND r.id = approvals.run_id AND r.status = 'running')`)
	expire = db.Scoped("approvals.expire", `UPDATE approvals SET status = 'expired', decided_at = :now WHERE tenant_id = :tenant_id AND id = :id AND status = 'pending'`)
	run    = db.Scoped("approvals.run", `SELECT COUNT(*) FROM runs WHERE tenant_id = :tenant_id AND id = :run_id AND (:owner = '' OR end_user = :owner)`)

	// A server sweeps the approvals of all tenants at once.
	sweep = db.System("approvals.sweep", `UPDATE approvals SET status = 'expired', decided_at = :now WHERE status = 'pending' AND expires_at <= :now`)
)

type row struct {
	ID        string  `db:"id"`
	TenantID  string  `db:"tenant_id"`
	RunID     string  `db:"run_id"`
	SessionID string  `db:"session_id"`
	EndUser   string  `db:"end_user"`
	CallID    string  `db:"call_id"`
	Tool      string  `db:"tool"`
	Arguments string  `db:"arguments"`
	Digest    string  `db:"digest"`
	Taint     string  `db:"taint"`
	Status    string  `db:"status"`
	DecidedBy string  `db:"decided_by"`
	CreatedAt db.Time `db:"created_at"`
	DecidedAt db.Time `db:"decided_at"`
	ExpiresAt db.Time `db:"expires_at"`
}

func (r row) approval() (Approval, error) {
	a := Approval{ID: r.ID, TenantID: r.TenantID, RunID: r.RunID, SessionID: r.SessionID, EndUser: r.EndUser, CallID: r.CallID, Tool: r.Tool, Arguments: json.RawMessage(r.Arguments),
		Digest: r.Digest, Status: Status(r.Status), DecidedBy: r.DecidedBy, CreatedAt: r.CreatedAt, DecidedAt: r.DecidedAt, ExpiresAt: r.ExpiresAt}
	if r.Taint == "" {
		return a, nil
	}
	if err := json.Unmarshal([]byte(r.Taint), &a.Taints); err != nil {
		return Approval{}, fmt.Errorf("taint of approval %s: %w", r.ID, err)
	}
	return a, nil
}

func approvals(rows []row) ([]Approval, error) {
	out := make([]Approval, len(rows))
	for i, r := range rows {
		a, err := r.approval()
		if err != nil {
			return nil, err
		}
		out[i] = a
	}
	return out, nil
}

// Ask stores an approval that waits. Its arguments are stored without credentials; its digest is of the arguments as they are.
func Ask(ctx context.Context, q db.Querier, a Approval) error {
	taint := ""
	if len(a.Taints) > 0 {
		b, err := json.Marshal(a.Taints)
		if err != nil {
			return err
		}
		taint = string(b)
	}
	_, err := insert.Exec(ctx, q, db.TenantOf(a.TenantID), db.Args{"id": a.ID, "run_id": a.RunID, "session_id": a.SessionID, "end_user": db.OrNull(a.EndUser), "call_id": a.CallID,
		"tool": a.Tool, "arguments": executions.Stored(a.Arguments, maxArguments), "digest": a.Digest, "taint": taint, "created_at": a.CreatedAt, "expires_at": a.ExpiresAt})
	return err
}

// Get reads an approval of a run. A non-empty owner sees only its own.
func Get(ctx context.Context, q db.Querier, t db.Tenant, owner, runID, id string) (Approval, error) {
	var r row
	err := get.Get(ctx, q, t, &r, db.Args{"id": id, "run_id": runID, "owner": owner})
	if fault.Is(err, fault.NotFound) {
		return Approval{}, notFound()
	}
	if err != nil {
		return Approval{}, err
	}
	return r.approval()
}

// maxOfRun bounds what is read of one run, whose steps are bounded.
const maxOfRun = 1_000

// OfRun reads a run's approvals, oldest first. A non-empty owner sees only its own.
func OfRun(ctx context.Context, q db.Querier, t db.Tenant, owner, runID string) ([]Approval, error) {
	var rows []row
	if err := ofRun.Select(ctx, q, t, &rows, db.Args{"run_id": runID, "owner": owner, "limit": maxOfRun}); err != nil {
		return nil, err
	}
	return approvals(rows)
}

// Pending reads the approvals of a run that still can be decided, oldest first.
func Pending(ctx context.Context, q db.Querier, t db.Tenant, runID string, now time.Time) ([]Approval, error) {
	var rows []row
	if err := pending.Select(ctx, q, t, &rows, db.Args{"run_id": runID, "now": db.At(now), "limit": maxOfRun}); err != nil {
		return nil, err
	}
	return approvals(rows)
}

// Decision is somebody's word on an approval.
type Decision struct {
	ID, RunID string
	Owner     string // the visitor to whom the caller is narrowed; empty for the tenant's keys
	By        string // the id of who decides
	Approve   bool
}

// Decide stores a decision exactly once and returns the approval with it. A second decision, one that comes too late and one on a run that is over are conflicts.
func Decide(ctx context.Context, q db.Querier, t db.Tenant, d Decision, now time.Time) (Approval, error) {
	status := Denied
	if d.Approve {
		status = Approved
	}
	n, err := decide.Exec(ctx, q, t, db.Args{"id": d.ID, "run_id": d.RunID, "owner": d.Owner, "by": d.By, "status": string(status), "now": db.At(now)})
	if err != nil {
		return Approval{}, err
	}
	a, err := Get(ctx, q, t, d.Owner, d.RunID, d.ID)
	if err != nil {
		return Approval{}, err
	}
	if n == 0 {
		return a, a.at(now).decidable()
	}
	return a, nil
}

// Expire ends an approval that nobody decided, because its time is over or its run is. One that was decided stays as it is; the returned one says which.
func Expire(ctx context.Context, q db.Querier, t db.Tenant, runID, id string, now time.Time) (Approval, error) {
	if _, err := expire.Exec(ctx, q, t, db.Args{"id": id, "now": db.At(now)}); err != nil {
		return Approval{}, err
	}
	return Get(ctx, q, t, "", runID, id)
}

// Sweep marks the approvals of all tenants whose time is over, and returns how many.
func Sweep(ctx context.Context, q db.Querier, now time.Time) (int64, error) {
	return sweep.Exec(ctx, q, db.Args{"now": db.At(now)})
}
