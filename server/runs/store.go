package runs

import (
	"context"
	"encoding/json"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs/events"
)

const columns = `id, tenant_id, COALESCE(session_id, '') AS session_id, key_id, COALESCE(end_user, '') AS end_user, request_id, status, model, provider,
	COALESCE(error_code, '') AS error_code, COALESCE(error_message, '') AS error_message, COALESCE(finish_reason, '') AS finish_reason,
	input_tokens, output_tokens, cached_tokens, steps, COALESCE(parent_run_id, '') AS parent_run_id, hops, receipt, started_at, finished_at`

var (
	insert = db.Scoped("runs.insert", `INSERT INTO runs (tenant_id, id, session_id, key_id, end_user, request_id, status, model, provider, input_tokens, output_tokens, cached_tokens,
		parent_run_id, hops, node, lease_until, started_at)
		VALUES (:tenant_id, :id, :session_id, :key_id, :end_user, :request_id, 'running', :model, :provider, 0, 0, 0, :parent_run_id, :hops, :node, :lease_until, :started_at)`)
	get    = db.Scoped("runs.get", `SELECT `+columns+` FROM runs WHERE tenant_id = :tenant_id AND id = :id AND (:owner = '' OR end_user = :owner)`)
	finish = db.Scoped("runs.finish", `UPDATE runs SET status = :status, error_code = :error_code, error_message = :error_message, finish_reason = :finish_reason,
		input_tokens = :input_tokens, output_tokens = :output_tokens, cached_tokens = :cached_tokens, steps = :steps, receipt = :receipt, finished_at = :finished_at
		WHERE tenant_id = :tenant_id AND id = :id AND status = 'running'`)

	// A run is stopped by its own server, which another one asks through the row.
	ask = db.Scoped("runs.ask", `UPDATE runs SET error_code = 'run_cancelled' WHERE tenant_id = :tenant_id AND id = :id AND status = 'running'`)

	// A server renews, sweeps and stops the runs of all tenants at once.
	asked     = db.System("runs.asked", `SELECT id FROM runs WHERE node = :node AND status = 'running' AND error_code = 'run_cancelled'`)
	renew     = db.System("runs.renew", `UPDATE runs SET lease_until = :until WHERE node = :node AND status = 'running'`)
	interrupt = db.System("runs.interrupt", `UPDATE runs SET status = 'interrupted', error_code = 'run_interrupted',
		error_message = 'the server stopped before the answer was complete; send the turn again', finished_at = :now
		WHERE status = 'running' AND (:all = 1 OR lease_until < :now)`)
)

// Events of finished runs that this process does not keep in memory.
var (
	insertEvents = db.Scoped("runs.insert_events", `INSERT INTO run_events (tenant_id, run_id, count, events, expires_at)
		VALUES (:tenant_id, :run_id, :count, :events, :expires_at) ON CONFLICT (tenant_id, run_id) DO NOTHING`)
	getEvents = db.Scoped("runs.get_events", `SELECT count, events FROM run_events WHERE tenant_id = :tenant_id AND run_id = :run_id AND expires_at > :now`)

	// Every server drops what all tenants' runs have left.
	sweepEvents = db.System("runs.sweep_events", `DELETE FROM run_events WHERE expires_at <= :now`)
)

func putEvents(ctx context.Context, q db.Querier, r Run, count int, data []byte, until time.Time) error {
	_, err := insertEvents.Exec(ctx, q, db.TenantOf(r.TenantID), db.Args{"run_id": r.ID, "count": count, "events": data, "expires_at": db.At(until)})
	return err
}

// takeEvents reads a finished run's events; not_found when they are not there.
func takeEvents(ctx context.Context, q db.Querier, r Run, now time.Time) ([]Event, error) {
	var packed struct {
		Count  int    `db:"count"`
		Events []byte `db:"events"`
	}
	if err := getEvents.Get(ctx, q, db.TenantOf(r.TenantID), &packed, db.Args{"run_id": r.ID, "now": db.At(now)}); err != nil {
		return nil, err
	}
	return events.Unpack(packed.Events, packed.Count)
}

func dropEvents(ctx context.Context, q db.Querier, now time.Time) error {
	_, err := sweepEvents.Exec(ctx, q, db.Args{"now": db.At(now)})
	return err
}

type row struct {
	ID           string          `db:"id"`
	TenantID     string          `db:"tenant_id"`
	SessionID    string          `db:"session_id"`
	KeyID        string          `db:"key_id"`
	EndUser      string          `db:"end_user"`
	RequestID    string          `db:"request_id"`
	Status       string          `db:"status"`
	Model        string          `db:"model"`
	Provider     string          `db:"provider"`
	ErrorCode    string          `db:"error_code"`
	ErrorMessage string          `db:"error_message"`
	FinishReason string          `db:"finish_reason"`
	InputTokens  int64           `db:"input_tokens"`
	OutputTokens int64           `db:"output_tokens"`
	CachedTokens int64           `db:"cached_tokens"`
	Steps        int             `db:"steps"`
	ParentRunID  string          `db:"parent_run_id"`
	Hops         int             `db:"hops"`
	Receipt      json.RawMessage `db:"receipt"`
	StartedAt    db.Time         `db:"started_at"`
	FinishedAt   db.Time         `db:"finished_at"`
}

// Insert stores a run that begins; it fails with session_busy while another run of the session is under way. node names this server.
func Insert(ctx context.Context, q db.Querier, r Run, node string) error {
	_, err := insert.Exec(ctx, q, db.TenantOf(r.TenantID), db.Args{"id": r.ID, "session_id": r.SessionID, "key_id": r.KeyID, "end_user": db.OrNull(r.EndUser),
		"request_id": r.RequestID, "model": r.Model, "provider": r.Provider, "parent_run_id": db.OrNull(r.ParentRunID), "hops": r.Hops, "node": node, "lease_until": db.At(r.StartedAt.Add(lease)), "started_at": r.StartedAt})
	if fault.Is(err, fault.Conflict) {
		return fault.Wrap(err, fault.SessionBusy, "another turn of this session is still running; wait for it, or cancel its run").WithRetryAfter(time.Second)
	}
	if fault.Is(err, fault.NotFound) { // deleted a moment ago
		return fault.Wrap(err, fault.NotFound, "no such session")
	}
	return err
}

// Get reads a run. A non-empty owner sees only its own.
func Get(ctx context.Context, q db.Querier, t db.Tenant, owner, id string) (Run, error) {
	var r row
	err := get.Get(ctx, q, t, &r, db.Args{"id": id, "owner": owner})
	if fault.Is(err, fault.NotFound) {
		return Run{}, notFound()
	}
	if err != nil {
		return Run{}, err
	}
	return Run{ID: r.ID, TenantID: r.TenantID, SessionID: r.SessionID, KeyID: r.KeyID, EndUser: r.EndUser, RequestID: r.RequestID, Status: Status(r.Status), Model: r.Model,
		Provider: r.Provider, ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage, FinishReason: r.FinishReason,
		Usage: llm.Usage{Input: r.InputTokens, Output: r.OutputTokens, Cached: r.CachedTokens}, Steps: r.Steps, ParentRunID: r.ParentRunID, Hops: r.Hops, Receipt: r.Receipt, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt}, nil
}

// Finish stores how a run ended. A run that is over already stays as it is.
func Finish(ctx context.Context, q db.Querier, r Run) error {
	_, err := finish.Exec(ctx, q, db.TenantOf(r.TenantID), db.Args{"id": r.ID, "status": string(r.Status), "error_code": db.OrNull(r.ErrorCode), "error_message": db.OrNull(r.ErrorMessage),
		"finish_reason": db.OrNull(r.FinishReason), "input_tokens": r.Usage.Input, "output_tokens": r.Usage.Output, "cached_tokens": r.Usage.Cached, "steps": r.Steps, "receipt": db.OrNull(string(r.Receipt)), "finished_at": r.FinishedAt})
	return err
}

// Ask tells the server that has the run to stop it, which it does within a second or two.
func Ask(ctx context.Context, q db.Querier, t db.Tenant, id string) error {
	_, err := ask.Exec(ctx, q, t, db.Args{"id": id})
	return err
}

// Asked lists the runs of this server that others have asked to be stopped.
func Asked(ctx context.Context, q db.Querier, node string) (ids []string, err error) {
	err = asked.Select(ctx, q, &ids, db.Args{"node": node})
	return ids, err
}

// Renew says that this server's runs are alive; it is a periodic job.
func Renew(ctx context.Context, q db.Querier, node string, now time.Time) error {
	_, err := renew.Exec(ctx, q, db.Args{"node": node, "until": db.At(now.Add(lease))})
	return err
}

// Interrupt marks runs whose server is gone: all of them when this server is the only one, else those whose lease ran out. It returns how many.
func Interrupt(ctx context.Context, q db.Querier, all bool, now time.Time) (int64, error) {
	flag := 0
	if all {
		flag = 1
	}
	return interrupt.Exec(ctx, q, db.Args{"all": flag, "now": db.At(now)})
}
